package directory

import (
	"context"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/session"
)

// Changed is a user after a change.
type Changed struct {
	Person
	Already bool // the user was in that state before, and nothing was done
}

// change is something that an administrator does to a user.
type change struct {
	event   audit.Event
	already func(u accounts.User) bool
	do      func(tx *db.Tx, u accounts.User) error
}

// run makes a change of a user, found as by Find, and writes its line of history. Nothing
// is written for a user who is in that state already.
func (d *Directory) run(ctx context.Context, by Actor, text string, c change) (out Changed, err error) {
	err = d.DB.Update(ctx, func(tx *db.Tx) error {
		u, err := accounts.Lookup(tx, d.Discovery, text)
		if err != nil {
			return err
		}
		out, err = by.make(tx, u, c)
		return err
	})
	return out, err
}

// make makes a change if the actor may. All changes of others are checked and recorded
// here.
func (by Actor) make(tx *db.Tx, u accounts.User, c change) (out Changed, err error) {
	if !by.may {
		return out, ErrForbidden
	}
	if out.Already = c.already(u); !out.Already {
		if err := c.do(tx, u); err != nil {
			return out, err
		}
		if err := audit.Write(tx, db.ID(u.ID), by.who, c.event, audit.Client{}); err != nil {
			return out, err
		}
	}
	out.Person, err = person(tx, u.ID)
	return out, err
}

// Invite makes sure that an address has an invited user, who is never swept and may sign in
// also when sign-up is closed.
func (d *Directory) Invite(ctx context.Context, by Actor, id accounts.ID) (out Changed, err error) {
	err = d.DB.Update(ctx, func(tx *db.Tx) error {
		_, u, err := accounts.Ensure(tx, id)
		if err != nil {
			return err
		}
		out, err = by.make(tx, u, change{
			event:   audit.Invited,
			already: func(u accounts.User) bool { return u.Invited },
			do:      func(tx *db.Tx, u accounts.User) error { return accounts.Invite(tx, u.ID) },
		})
		return err
	})
	return out, err
}

// Activate lets a deactivated user sign in again.
func (d *Directory) Activate(ctx context.Context, by Actor, text string) (Changed, error) {
	return d.run(ctx, by, text, change{
		event:   audit.Activated,
		already: func(u accounts.User) bool { return u.Deactivated.IsZero() && (u.Active || u.Invited) },
		do:      func(tx *db.Tx, u accounts.User) error { return accounts.Reactivate(tx, u.ID) },
	})
}

// Deactivate keeps a user from signing in and ends their sessions. It returns
// accounts.ErrLastSuperuser for the last superuser, unless accounts.Force is given.
func (d *Directory) Deactivate(ctx context.Context, by Actor, text string, options ...accounts.Option) (Changed, error) {
	return d.run(ctx, by, text, change{
		event:   audit.Deactivated,
		already: func(u accounts.User) bool { return !u.Deactivated.IsZero() },
		do: func(tx *db.Tx, u accounts.User) error {
			// The user first: a concurrent sign-in has locked the user, and its session has to
			// be visible when all are ended.
			if err := accounts.Deactivate(tx, u.ID, options...); err != nil {
				return err
			}
			_, err := session.EndAll(tx, u.ID, 0)
			return err
		},
	})
}

// superuser is the change that makes a superuser.
var superuser = change{
	event:   audit.Promoted,
	already: func(u accounts.User) bool { return u.Superuser },
	do:      func(tx *db.Tx, u accounts.User) error { return accounts.SetSuperuser(tx, u.ID, true) },
}

// Promote makes a user a superuser.
func (d *Directory) Promote(ctx context.Context, by Actor, text string) (Changed, error) {
	return d.run(ctx, by, text, superuser)
}

// Demote makes a superuser an ordinary user. It returns accounts.ErrLastSuperuser for the
// last superuser, unless accounts.Force is given.
func (d *Directory) Demote(ctx context.Context, by Actor, text string, options ...accounts.Option) (Changed, error) {
	return d.run(ctx, by, text, change{
		event:   audit.Demoted,
		already: func(u accounts.User) bool { return !u.Superuser },
		do:      func(tx *db.Tx, u accounts.User) error { return accounts.SetSuperuser(tx, u.ID, false, options...) },
	})
}
