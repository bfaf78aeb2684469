package signin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// Undoable is what the page behind "it was not me" of a change shows.
type Undoable struct {
	Found  bool
	Kind   accounts.ChangeKind
	Masked string // the address that was added or removed
	At     time.Time
	Undone bool
	// Late: it cannot be undone any more. Everybody is signed out all the same.
	Late bool
}

// Undo reads a change that a message told of. With confirmed set it undoes it and ends all
// sessions of those whom it concerned: whoever made the change is in one of them.
func (s *Service) Undo(ctx context.Context, t seal.Token, confirmed bool, by Requester) (u Undoable, err error) {
	var c accounts.Change
	read := func(tx *db.Tx, lock string) (err error) {
		var ok bool
		c, ok, err = s.undoable(tx, t, lock)
		u = Undoable{}
		if ok {
			u = Undoable{Found: true, Kind: c.Kind, Masked: c.Shown(), At: c.ID.Time(), Undone: !c.Undone.IsZero()}
		}
		return err
	}
	if !confirmed {
		return u, s.DB.View(ctx, func(tx *db.Tx) error { return read(tx, "") })
	}
	var told []outbox.Queued
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		told = nil
		if err := read(tx, tx.ForUpdate()); err != nil || !u.Found || u.Undone {
			return err
		}
		if err := undoFactor(tx, c); err != nil {
			return err
		}
		if err := accounts.Undo(tx, c); err != nil {
			return err
		}
		if err := s.signOutAll(tx, c, by); err != nil {
			return err
		}
		users, err := concerned(tx, c)
		if err != nil {
			return err
		}
		told, err = s.Notices.Undone(tx, c, users, by.cause())
		return err
	})
	if errors.Is(err, accounts.ErrGone) {
		u.Late = true
		return u, s.DB.Update(ctx, func(tx *db.Tx) error { return s.signOutAll(tx, c, by) })
	}
	if err == nil {
		s.deliver(told, by)
	}
	u.Undone = u.Found
	return u, err
}

// undoFactor undoes a change of factors: an authenticator that was added counts no longer, one
// that was removed counts again.
func undoFactor(tx *db.Tx, c accounts.Change) error {
	id := c.Authenticator()
	if id == 0 {
		return nil
	}
	if c.Kind == accounts.FactorRemoved {
		return multifactor.Restore(tx, c.User, id)
	}
	_, err := multifactor.Remove(tx, c.User, id)
	if errors.Is(err, db.ErrNotFound) { // it is removed already
		return nil
	}
	return err
}

// undoable returns the change of a token, if its receiver may still undo it.
func (s *Service) undoable(tx *db.Tx, t seal.Token, lock string) (c accounts.Change, ok bool, err error) {
	c, err = accounts.GetChange(tx, db.ID(t.ID), lock)
	if errors.Is(err, db.ErrNotFound) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	undoers, err := c.Undoers(tx)
	if !c.Undone.IsZero() { // those who were told see that it is done
		for _, m := range c.Moved {
			undoers = append(undoers, m.Account)
		}
	}
	return c, s.Notices.Undoes(t, c.ID, undoers), err
}

// concerned are the users of a change: its own, the other one of a merge, and into whom its
// own was merged since.
func concerned(tx *db.Tx, c accounts.Change) ([]accounts.UserID, error) {
	u, err := accounts.GetUser(tx, c.User)
	all := []accounts.UserID{c.User, c.Other, u.MergedInto}
	return slices.DeleteFunc(all, func(id accounts.UserID) bool { return id == 0 }), err
}

// signOutAll ends all sessions of the users whom a change concerned.
func (s *Service) signOutAll(tx *db.Tx, c accounts.Change, by Requester) error {
	users, err := concerned(tx, c)
	if err != nil {
		return err
	}
	for _, user := range users {
		if _, err := session.EndAll(tx, user, 0); err != nil {
			return err
		}
		if err := multifactor.ForgetDevices(tx, user); err != nil {
			return err
		}
		if err := audit.Write(tx, db.ID(user), audit.Visitor, audit.ChangeUndone, by.Client); err != nil {
			return err
		}
	}
	return nil
}
