package services

import (
	"context"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

// What callers do to entries over the wire. Each needs the right to administer, and
// answers with a verdict: what else is returned means nothing unless that is OK.

// as runs fn in a transaction if the caller has a right, which it still must have in
// that transaction.
func (s *Service) as(ctx context.Context, by Caller, need Right, fn func(tx *db.Tx, by audit.By) error) (Verdict, error) {
	id, v, err := s.check(ctx, by, nil, need)
	if err != nil || v != OK {
		return v, err
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		who, _, err := s.read(tx, by.Triple, nil)
		if err != nil {
			return err
		}
		switch {
		case who.id != id:
			v = BadCaller
		case who.right < need:
			v = NotAllowed
		default:
			v = OK
			return fn(tx, audit.By{Actor: audit.Program(int64(who.id)), Client: by.client()})
		}
		return nil
	})
	return v, err
}

// Create adds a triple with a random seed. It returns ErrTaken or ErrText for what
// cannot be.
func (s *Service) Create(ctx context.Context, by Caller, k Key) (e Entry, v Verdict, err error) {
	v, err = s.as(ctx, by, Administer, func(tx *db.Tx, caused audit.By) (err error) {
		e, err = s.Add(tx, Draft{Name: k.Name, Realm: k.Realm}, caused)
		return err
	})
	return e, v, err
}

// Show returns a triple, or db.ErrNotFound.
func (s *Service) Show(ctx context.Context, by Caller, id ID) (e Entry, v Verdict, err error) {
	if v, err = s.Authorize(ctx, by, Administer); err != nil || v != OK {
		return e, v, err
	}
	err = s.DB.View(ctx, func(tx *db.Tx) (err error) {
		e, err = s.Get(tx, id)
		return err
	})
	return e, v, err
}

// Change is what becomes of a triple's name and realm. What is nil stays.
type Change struct{ Name, Realm *string }

// Change gives a triple another name, realm or both. It returns db.ErrNotFound,
// ErrTaken or ErrText for what cannot be.
func (s *Service) Change(ctx context.Context, by Caller, id ID, c Change) (e Entry, v Verdict, err error) {
	v, err = s.as(ctx, by, Administer, func(tx *db.Tx, caused audit.By) (err error) {
		if e, err = s.Get(tx, id); err != nil {
			return err
		}
		if c.Name != nil {
			e.Name = *c.Name
		}
		if c.Realm != nil {
			e.Realm = *c.Realm
		}
		return s.Rename(tx, id, e.Name, e.Realm, caused)
	})
	return e, v, err
}

// Remove deletes a triple. It returns db.ErrNotFound if there is none, also for an app,
// which the wire's list does not show.
func (s *Service) Remove(ctx context.Context, by Caller, id ID) (Verdict, error) {
	return s.as(ctx, by, Administer, func(tx *db.Tx, caused audit.By) error {
		if _, err := s.Get(tx, id); err != nil {
			return err
		}
		return s.Delete(tx, id, caused)
	})
}

// Entries returns up to limit triples after an ID, in their order. Who may see their
// seeds is for its callers to ask once, with Authorize, for any number of pages.
func (s *Service) Entries(ctx context.Context, after ID, limit int) (page []Entry, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) (err error) {
		page, err = s.List(tx, after, limit)
		return err
	})
	return page, err
}
