package command

import (
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
)

// target is the user that a command is about.
type target struct {
	ID string `arg:"" help:"A username, a user's id, or any address."`
}

// explain turns an error about the user into one that says what to do.
func (t target) explain(e *Env, h *House, err error) error {
	switch {
	case errors.Is(err, db.ErrNotFound):
		return fmt.Errorf("no user has the username, id or address %q; `djauthy users list` shows all", t.ID)
	case errors.Is(err, accounts.ErrLastSuperuser):
		u, _ := h.Directory.Find(e.Ctx, t.ID)
		return fmt.Errorf("%s is the last superuser: %w. `djauthy users promote ID` makes another; --force does it all the same", u.Username, err)
	}
	return err
}

// forced is the flag of commands that could remove the last superuser.
type forced struct {
	Force bool `help:"Do it also to the last superuser."`
}

func (f forced) options() []accounts.Option {
	if f.Force {
		return []accounts.Option{accounts.Force}
	}
	return nil
}

// with opens the program and runs fn, whose error it explains.
func (t target) with(e *Env, fn func(h *House) error) error {
	h, err := e.Open()
	if err != nil {
		return err
	}
	return errors.Join(t.explain(e, h, fn(h)), h.Close())
}

// change makes a change of the user and shows the user. already is the note for a user who
// was in that state before.
func (t target) change(e *Env, already string, do func(d *directory.Directory) (directory.Changed, error)) error {
	var out directory.Changed
	err := t.with(e, func(h *House) (err error) {
		out, err = do(h.Directory)
		return err
	})
	if err != nil {
		return err
	}
	if out.Already {
		e.Note(out.Username + " " + already)
	}
	return toJSON(out.Person).show(e)
}
