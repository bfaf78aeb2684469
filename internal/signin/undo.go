package signin

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
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
	// Late: it cannot be undone any more.
	Late bool
}

// Undo reads a change that a message told of. With confirmed set it undoes it and ends all
// sessions of those whom it concerned: whoever made the change is in one of them.
func (s *Service) Undo(ctx context.Context, t seal.Token, confirmed bool, by Requester) (u Undoable, err error) {
	if t.ID == 0 || !seal.Equal(t.Secret[:], s.undo.Sum(db.Bytes(db.ID(t.ID)))) {
		return u, nil
	}
	if !confirmed {
		err = s.DB.View(ctx, func(tx *db.Tx) error {
			c, err := accounts.GetChange(tx, db.ID(t.ID), "")
			u = undoable(c, err)
			return notFound(err)
		})
		return u, err
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		c, err := accounts.GetChange(tx, db.ID(t.ID), tx.ForUpdate())
		if u = undoable(c, err); err != nil || u.Undone {
			return notFound(err)
		}
		return s.undoChange(tx, c, by)
	})
	if errors.Is(err, accounts.ErrGone) {
		u.Late, err = true, nil
	} else {
		u.Undone = u.Found
	}
	return u, err
}

// undoChange undoes a change.
func (s *Service) undoChange(tx *db.Tx, c accounts.Change, by Requester) error {
	if err := accounts.Undo(tx, c); err != nil {
		return err
	}
	for _, user := range []accounts.UserID{c.User, c.Other} {
		if user == 0 {
			continue
		}
		if _, err := session.EndAll(tx, user, 0); err != nil {
			return err
		}
		if err := audit.Write(tx, db.ID(user), audit.Visitor, audit.ChangeUndone, by.Client); err != nil {
			return err
		}
	}
	return nil
}

func undoable(c accounts.Change, err error) Undoable {
	if err != nil {
		return Undoable{}
	}
	return Undoable{Found: true, Kind: c.Kind, Masked: accounts.Account{Addr: c.Addr, Label: c.Label}.Masked(), At: c.ID.Time(), Undone: !c.Undone.IsZero()}
}

// notFound is nil for db.ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	return err
}
