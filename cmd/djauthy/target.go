package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

// target is the user that a command is about.
type target struct {
	ID string `arg:"" help:"A username, a user's id, or any address."`
}

// with finds the target and runs fn in one transaction.
func (t target) with(e *env, fn func(h *app, tx *db.Tx, u accounts.User) error) error {
	return t.run(e, (*db.DB).Update, fn, func(*app) {})
}

// read is with for a command that changes nothing, so that it waits for no writer.
func (t target) read(e *env, fn func(h *app, tx *db.Tx, u accounts.User) error) error {
	return t.run(e, (*db.DB).View, fn, func(*app) {})
}

// method is how a command runs: db.View or db.Update.
type method func(d *db.DB, ctx context.Context, fn func(*db.Tx) error) error

// run is with in a transaction of this kind. then is called once it is durable.
func (t target) run(e *env, in method, fn func(h *app, tx *db.Tx, u accounts.User) error, then func(h *app)) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	err = in(h.db, e.ctx, func(tx *db.Tx) error {
		u, err := t.find(h, tx)
		if err != nil {
			return err
		}
		err = fn(h, tx, u)
		if errors.Is(err, accounts.ErrLastSuperuser) {
			return fmt.Errorf("%s is the last superuser: %w. `djauthy users promote ID` makes another; --force does it all the same", u.Username, err)
		}
		return err
	})
	if err == nil {
		then(h)
	}
	return errors.Join(err, h.close())
}

func (t target) find(h *app, tx *db.Tx) (accounts.User, error) {
	u, err := accounts.Lookup(tx, h.discovery, t.ID)
	if errors.Is(err, db.ErrNotFound) {
		err = fmt.Errorf("no user has the username, id or address %q; `djauthy users list` shows all", t.ID)
	}
	return u, err
}

// found finds the target and runs fn outside a transaction.
func (t target) found(e *env, fn func(h *app, u accounts.User) error) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	var u accounts.User
	err = h.db.View(e.ctx, func(tx *db.Tx) (err error) {
		u, err = t.find(h, tx)
		return err
	})
	if err == nil {
		err = fn(h, u)
	}
	return errors.Join(err, h.close())
}

// forced is the flag of what may take the last superuser away.
type forced struct {
	Force bool `help:"Do it also to the last superuser."`
}

func (f forced) options() []accounts.Option {
	if f.Force {
		return []accounts.Option{accounts.Force}
	}
	return nil
}

// change is what a command does to a user.
type change struct {
	event   audit.Event
	already string // what is said of a user who is so already
	so      func(u accounts.User) bool
	do      func(tx *db.Tx, u accounts.User) error
}

// act makes a change, writes the event into the user's history, and shows the user.
// Nothing is written about a user who is so already.
func (t target) act(e *env, c change) error {
	var shown userJSON
	var already bool
	err := t.with(e, func(_ *app, tx *db.Tx, u accounts.User) error {
		if already = c.so(u); !already {
			if err := c.do(tx, u); err != nil {
				return err
			}
			if err := audit.Write(tx, db.ID(u.ID), audit.Command, c.event, audit.Client{}); err != nil {
				return err
			}
		}
		var err error
		shown, err = describe(tx, u.ID)
		return err
	})
	if err != nil {
		return err
	}
	if already {
		e.note(shown.Username + " " + c.already)
	}
	return shown.show(e)
}

// note tells on standard error what is not the command's answer.
func (e *env) note(text string) { fmt.Fprintln(e.stderr, "djauthy:", printable(text)) }
