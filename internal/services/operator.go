package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

// Operator has the use cases of whoever runs the site: each is one transaction with its
// line of history. It asks for no right, so only commands and pages that have asked
// already may have one.
type Operator struct {
	s  *Service
	by audit.By
}

// Operator returns the use cases, done by somebody whom history names.
func (s *Service) Operator(by audit.By) Operator { return Operator{s, by} }

// Details are an entry and what happened to it.
type Details struct {
	Entry
	LastCaller string // who showed its token last; "": nobody, "removed": an entry that is gone
	History    []audit.ServiceLine
}

// Add stores a new triple. It returns ErrTaken, ErrText or totp.ErrSeed for what cannot
// be.
func (o Operator) Add(ctx context.Context, d Draft) (e Entry, err error) {
	err = o.s.DB.Update(ctx, func(tx *db.Tx) (err error) {
		e, err = o.s.Add(tx, d, o.by)
		return err
	})
	return e, err
}

// AddApp stores a new app. It returns ErrText or ErrTooMany for what cannot be.
func (o Operator) AddApp(ctx context.Context, a App) (e Entry, err error) {
	err = o.s.DB.Update(ctx, func(tx *db.Tx) (err error) {
		e, err = o.s.AddApp(tx, a, o.by)
		return err
	})
	return e, err
}

// Apps returns up to limit apps after an ID, in their order.
func (o Operator) Apps(ctx context.Context, after ID, limit int) (page []Entry, err error) {
	err = o.s.DB.View(ctx, func(tx *db.Tx) (err error) {
		page, err = o.s.apps(tx, after, limit)
		return err
	})
	return page, err
}

// Page is a part of a list.
type Page struct {
	Entries []Details
	Last    ID // where the next page goes on
	More    bool
}

// List reads up to limit triples after an ID, and returns those of a realm, or all for
// "", without their history.
func (o Operator) List(ctx context.Context, realm string, after ID, limit int) (p Page, err error) {
	err = o.s.DB.View(ctx, func(tx *db.Tx) error {
		all, err := o.s.List(tx, after, limit)
		if err != nil {
			return err
		}
		p = Page{Last: after, More: len(all) == limit}
		for _, e := range all {
			p.Last = e.ID
			if realm != "" && e.Realm != realm {
				continue
			}
			d, err := o.s.details(tx, e)
			if err != nil {
				return err
			}
			p.Entries = append(p.Entries, d)
		}
		return nil
	})
	return p, err
}

// Show returns an entry and the last lines of its history, newest first. It returns
// db.ErrNotFound if there is none.
func (o Operator) Show(ctx context.Context, k Key, lines int) (d Details, err error) {
	err = o.s.DB.View(ctx, func(tx *db.Tx) error {
		e, err := o.s.Find(tx, k.Name, k.Realm)
		if err != nil {
			return err
		}
		if d, err = o.s.details(tx, e); err != nil {
			return err
		}
		d.History, err = audit.OfService(tx, int64(e.ID), lines)
		return err
	})
	return d, err
}

// change runs fn on an entry in one transaction. It returns db.ErrNotFound if there is
// none.
func (o Operator) change(ctx context.Context, k Key, fn func(tx *db.Tx, e Entry) error) error {
	return o.s.DB.Update(ctx, func(tx *db.Tx) error {
		e, err := o.s.Find(tx, k.Name, k.Realm)
		if err != nil {
			return err
		}
		return fn(tx, e)
	})
}

// Rotate gives an entry a new seed and returns the entry with it. The seed so far stays
// good for as long as keep says.
func (o Operator) Rotate(ctx context.Context, k Key, keep time.Duration) (rotated Entry, err error) {
	err = o.change(ctx, k, func(tx *db.Tx, e Entry) (err error) {
		e.OldUntil = tx.Now.Add(keep)
		e.Seed, err = o.s.Rotate(tx, e.ID, e.OldUntil, o.by)
		rotated = e
		return err
	})
	return rotated, err
}

// Expire sets when an entry ends; the zero time is never. changed is false if that was
// its end already.
func (o Operator) Expire(ctx context.Context, k Key, at time.Time) (d Details, changed bool, err error) {
	return o.expire(ctx, k, func(time.Time) time.Time { return at })
}

// ExpireNow ends an entry.
func (o Operator) ExpireNow(ctx context.Context, k Key) (d Details, changed bool, err error) {
	return o.expire(ctx, k, func(now time.Time) time.Time { return now })
}

func (o Operator) expire(ctx context.Context, k Key, end func(now time.Time) time.Time) (d Details, changed bool, err error) {
	err = o.change(ctx, k, func(tx *db.Tx, e Entry) (err error) {
		at := end(tx.Now)
		if changed = !e.Expires.Equal(at); changed {
			if err := o.s.SetExpiry(tx, e.ID, at, o.by); err != nil {
				return err
			}
		}
		e.Expires = at
		d, err = o.s.details(tx, e)
		return err
	})
	return d, changed, err
}

// Delete removes an entry.
func (o Operator) Delete(ctx context.Context, k Key) error {
	return o.change(ctx, k, func(tx *db.Tx, e Entry) error { return o.s.Delete(tx, e.ID, o.by) })
}

// Import stores rows in one transaction and says what became of each.
func (o Operator) Import(ctx context.Context, rows []Row) (all []RowResult, err error) {
	err = o.s.DB.Update(ctx, func(tx *db.Tx) error {
		all = all[:0]
		for _, r := range rows {
			outcome, reason, err := o.s.Import(tx, r, o.by)
			if err != nil {
				return fmt.Errorf("row %d: %w", r.Line, err)
			}
			all = append(all, RowResult{Outcome: outcome, Reason: reason})
		}
		return nil
	})
	return all, err
}

// Realms lists the realms of the wire and those for which something is set.
func (o Operator) Realms(ctx context.Context) (all []Realm, err error) {
	err = o.s.DB.View(ctx, func(tx *db.Tx) (err error) {
		all, err = Realms(tx)
		return err
	})
	return all, err
}

// SetRealm sets what a realm's members may do. It returns ErrFixed, ErrOnly or ErrText
// for what cannot be.
func (o Operator) SetRealm(ctx context.Context, r Realm) error {
	return o.s.DB.Update(ctx, func(tx *db.Tx) error { return SetRealm(tx, r) })
}

// DropRealm takes back what was set for a realm. It returns ErrUnset if nothing was.
func (o Operator) DropRealm(ctx context.Context, name string) error {
	return o.s.DB.Update(ctx, func(tx *db.Tx) error { return DropRealm(tx, name) })
}

// details looks up who showed an entry's token last. An older seed that is good no
// more is left out.
func (s *Service) details(tx *db.Tx, e Entry) (d Details, err error) {
	d.Entry = e
	if d.OldUntil.Before(tx.Now) {
		d.OldUntil = time.Time{}
	}
	switch e.Use.Caller {
	case 0:
		return d, nil
	case e.ID:
		d.LastCaller = e.String()
		return d, nil
	}
	caller, err := s.Any(tx, e.Use.Caller)
	if errors.Is(err, db.ErrNotFound) {
		d.LastCaller = "removed"
		return d, nil
	}
	d.LastCaller = caller.String()
	return d, err
}
