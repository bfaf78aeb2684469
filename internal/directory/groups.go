package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// Unknown reports something that a command or a page named and that does not exist.
type Unknown struct {
	Kind string // "group", "permission", "user", "level"
	Name string
}

func (e Unknown) Error() string { return fmt.Sprintf("there is no %s %q", e.Kind, e.Name) }

// Is makes an Unknown a db.ErrNotFound.
func (e Unknown) Is(target error) bool { return target == db.ErrNotFound }

// unguarded returns an error for something that a level guards: if it went and came back, it
// would no longer be guarded.
func unguarded(tx *db.Tx, thing multifactor.Thing) error {
	levels, err := multifactor.Guarding(tx, thing)
	if err == nil && len(levels) > 0 {
		err = Guarded{thing, levels[0]}
	}
	return err
}

// Guarded reports something that cannot go, because a level guards it.
type Guarded struct {
	Thing multifactor.Thing
	Level string
}

func (e Guarded) Error() string {
	return fmt.Sprintf("the level %q guards the %s %q; change that level first, by `djauthy levels set` or `delete`", e.Level, e.Thing.Kind, e.Thing.Name)
}

// administer runs a change of rights, if the actor may make it.
func (d *Directory) administer(ctx context.Context, by Actor, fn func(tx *db.Tx) error) error {
	if !by.may {
		return ErrForbidden
	}
	return d.DB.Update(ctx, fn)
}

// findGroup returns a group by its name, or Unknown.
func findGroup(tx *db.Tx, name string) (accounts.Group, error) {
	g, err := accounts.FindGroup(tx, name)
	if errors.Is(err, db.ErrNotFound) {
		err = Unknown{"group", name}
	}
	return g, err
}

// findUser returns a user, found as by Find, or Unknown.
func (d *Directory) findUser(tx *db.Tx, text string) (accounts.User, error) {
	u, err := accounts.Lookup(tx, d.Discovery, text)
	if errors.Is(err, db.ErrNotFound) {
		err = Unknown{"user", text}
	}
	return u, err
}

// Groups returns a page of groups by name, after that of a name.
func (d *Directory) Groups(ctx context.Context, after string, limit int) (all []accounts.CountedGroup, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		all, err = accounts.Groups(tx, after, limit)
		return err
	})
	return all, err
}

// AddGroup makes a group. It returns accounts.ErrGroupName or accounts.ErrGroupTaken.
func (d *Directory) AddGroup(ctx context.Context, by Actor, name string) (g accounts.Group, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		if g, err = accounts.AddGroup(tx, name); err != nil {
			return err
		}
		return audit.WriteRight(tx, audit.AGroup, audit.RightAdded, by.who, g.Name)
	})
	return g, err
}

// DeleteGroup removes a group, with its memberships and permissions.
func (d *Directory) DeleteGroup(ctx context.Context, by Actor, name string) (g accounts.Group, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		if g, err = findGroup(tx, name); err != nil {
			return err
		}
		if err := unguarded(tx, multifactor.Thing{Kind: multifactor.Group, Name: g.Name}); err != nil {
			return err
		}
		if err := accounts.DeleteGroup(tx, g.ID); err != nil {
			return err
		}
		return audit.WriteRight(tx, audit.AGroup, audit.RightDeleted, by.who, g.Name)
	})
	return g, err
}

// Members returns a page of a group's members, after a user.
func (d *Directory) Members(ctx context.Context, group string, after accounts.UserID, limit int) (all []accounts.User, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		g, err := findGroup(tx, group)
		if err != nil {
			return err
		}
		all, err = accounts.Members(tx, g.ID, after, limit)
		return err
	})
	return all, err
}

// Membership is a user who has joined or left a group.
type Membership struct {
	accounts.User
	Already bool // it was so before, and nothing was done
}

// Join makes users, each found as by Find, members of a group: all or none.
func (d *Directory) Join(ctx context.Context, by Actor, group string, texts []string) ([]Membership, error) {
	return d.membership(ctx, by, group, texts, accounts.Join, audit.GroupJoined)
}

// Leave ends the membership of users, each found as by Find, in a group: of all or of none.
func (d *Directory) Leave(ctx context.Context, by Actor, group string, texts []string) ([]Membership, error) {
	return d.membership(ctx, by, group, texts, accounts.Leave, audit.GroupLeft)
}

func (d *Directory) membership(ctx context.Context, by Actor, group string, texts []string, do func(*db.Tx, accounts.GroupID, accounts.UserID) (bool, error), e audit.Event) (all []Membership, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		all = nil
		g, err := findGroup(tx, group)
		if err != nil {
			return err
		}
		for _, text := range texts {
			u, err := d.findUser(tx, text)
			if err != nil {
				return err
			}
			done, err := do(tx, g.ID, u.ID)
			if err != nil {
				return err
			}
			all = append(all, Membership{u, !done})
			if !done {
				continue
			}
			if err := audit.Write(tx, db.ID(u.ID), by.who, e, audit.Client{}); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}
