package directory

import (
	"context"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/session"
)

// RenameOwn changes the username of the person. It returns accounts.ErrUsername or
// accounts.ErrTaken.
func (d *Directory) RenameOwn(ctx context.Context, own Owner, username string) error {
	return d.change(ctx, own, audit.Renamed, func(tx *db.Tx, sess session.Session) error {
		return accounts.Rename(tx, sess.User.ID, username)
	})
}

// Rename changes a user's username, as RenameOwn does.
func (d *Directory) Rename(ctx context.Context, by Actor, text, username string) (Changed, error) {
	return d.run(ctx, by, text, change{audit.Renamed, func(u accounts.User) bool { return u.Username == username }, func(tx *db.Tx, u accounts.User) error {
		return accounts.Rename(tx, u.ID, username)
	}})
}

// Unmerge undoes the merge that made a user an alias of another: each has its own addresses
// again, and both are signed out. text is a username or an id of the alias.
func (d *Directory) Unmerge(ctx context.Context, by Actor, text string) (out Changed, err error) {
	isOne := func(u accounts.User) bool { return u.MergedInto == 0 }
	unmerge := change{audit.ChangeUndone, isOne, func(tx *db.Tx, u accounts.User) error {
		c, err := accounts.LastMerge(tx, u.ID)
		if err != nil {
			return err
		}
		for _, user := range []accounts.UserID{c.User, c.Other} {
			if _, err := session.EndAll(tx, user, 0); err != nil {
				return err
			}
		}
		return accounts.Undo(tx, c)
	}}
	err = d.DB.Update(ctx, func(tx *db.Tx) error {
		u, err := accounts.LookupAlias(tx, d.Discovery, text)
		if err != nil {
			return err
		}
		out, err = by.make(tx, u, unmerge)
		return err
	})
	return out, err
}
