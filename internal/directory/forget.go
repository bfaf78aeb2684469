package directory

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
)

// Delete removes a user, found as by Find, and returns who it was. It returns
// accounts.ErrLastSuperuser for the last superuser, unless accounts.Force is given.
func (d *Directory) Delete(ctx context.Context, by Actor, text string, options ...accounts.Option) (u accounts.User, err error) {
	if !by.may {
		return u, ErrForbidden
	}
	err = d.DB.Update(ctx, func(tx *db.Tx) error {
		if u, err = accounts.Lookup(tx, d.Discovery, text); err != nil {
			return err
		}
		return forget(tx, u.ID, options...)
	})
	if err == nil {
		d.forgetMore(ctx)
	}
	return u, err
}

// DeleteOwn removes the person, if the session may; else ok is false, and more has to be
// proved. It returns accounts.ErrLastSuperuser for the last superuser.
func (d *Directory) DeleteOwn(ctx context.Context, own Owner) (ok bool, err error) {
	err = d.DB.Update(ctx, func(tx *db.Tx) error {
		ok = false
		sess, err := d.Sessions.Find(tx, own.Session)
		if err != nil {
			return err
		}
		if err := d.may(tx, sess, multifactor.DeleteAccount); errors.As(err, new(NeedsProof)) {
			return nil
		} else if err != nil {
			return err
		}
		ok = true
		return forget(tx, sess.User.ID)
	})
	if ok && err == nil {
		d.forgetMore(ctx)
	}
	return ok, err
}

// forget removes a user and all data about them. Open attempts cannot succeed without their
// account; the sweeper removes them.
func forget(tx *db.Tx, user accounts.UserID, options ...accounts.Option) error {
	if err := accounts.Lock(tx, user); err != nil {
		return err
	}
	if _, err := session.EndAll(tx, user, 0); err != nil {
		return err
	}
	if err := audit.Forget(tx, db.ID(user)); err != nil {
		return err
	}
	return accounts.Delete(tx, user, options...)
}

// forgetChunk is how many lines of history one transaction removes.
const forgetChunk = 1000

// forgetMore removes the rest of a long history. The sweeper removes what it leaves.
func (d *Directory) forgetMore(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		if err := d.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) (err error) {
			_, more, err = audit.ForgetMore(tx, forgetChunk)
			return err
		})); err != nil {
			d.Log.Warn("a long history is left to the sweeper", "err", err)
			return
		}
	}
}
