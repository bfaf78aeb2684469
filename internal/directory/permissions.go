package directory

import (
	"context"
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// Permissions returns all permissions by name.
func (d *Directory) Permissions(ctx context.Context) (all []accounts.GrantedPermission, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		all, err = accounts.Permissions(tx)
		return err
	})
	return all, err
}

// AddPermission makes a permission. It returns accounts.ErrPermissionName or
// accounts.ErrPermissionTaken.
func (d *Directory) AddPermission(ctx context.Context, by Actor, name string) error {
	return d.administer(ctx, by, func(tx *db.Tx) error {
		if err := accounts.AddPermission(tx, name); err != nil {
			return err
		}
		return audit.WriteRight(tx, audit.APermission, audit.RightAdded, by.who, name)
	})
}

// DeletePermission takes a permission from everybody and removes it. It returns
// accounts.ErrOwnPermission for one of djauthy's own.
func (d *Directory) DeletePermission(ctx context.Context, by Actor, name string) error {
	return d.administer(ctx, by, func(tx *db.Tx) error {
		if err := unguarded(tx, multifactor.Thing{Kind: multifactor.Permission, Name: name}); err != nil {
			return err
		}
		err := accounts.DeletePermission(tx, name)
		if errors.Is(err, db.ErrNotFound) {
			return Unknown{"permission", name}
		}
		if err != nil {
			return err
		}
		return audit.WriteRight(tx, audit.APermission, audit.RightDeleted, by.who, name)
	})
}

// Grantee is to whom a permission is granted, or from whom it is taken: a group by its name,
// or a user found as by Find.
type Grantee struct{ Group, User string }

// Grant grants a permission. already is true for who was granted it before.
func (d *Directory) Grant(ctx context.Context, by Actor, name string, to Grantee) (already bool, err error) {
	return d.grant(ctx, by, name, to, accounts.GrantToGroup, accounts.GrantToUser, audit.RightGranted, audit.Granted)
}

// Revoke takes a permission from a group or a user. already is true for who was not granted
// it. A user may still have it by a group.
func (d *Directory) Revoke(ctx context.Context, by Actor, name string, from Grantee) (already bool, err error) {
	return d.grant(ctx, by, name, from, accounts.RevokeFromGroup, accounts.RevokeFromUser, audit.RightRevoked, audit.Revoked)
}

func (d *Directory) grant(ctx context.Context, by Actor, name string, to Grantee,
	group func(*db.Tx, string, accounts.GroupID) (bool, error), user func(*db.Tx, string, accounts.UserID) (bool, error), ofGroup audit.RightEvent, ofUser audit.Event,
) (already bool, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		if err := permissionExists(tx, name); err != nil {
			return err
		}
		if to.Group != "" {
			g, err := findGroup(tx, to.Group)
			if err != nil {
				return err
			}
			done, err := group(tx, name, g.ID)
			if already = !done; err != nil || already {
				return err
			}
			return audit.WriteRight(tx, audit.AGroup, ofGroup, by.who, g.Name+": "+name)
		}
		u, err := d.findUser(tx, to.User)
		if err != nil {
			return err
		}
		done, err := user(tx, name, u.ID)
		if already = !done; err != nil || already {
			return err
		}
		return audit.Write(tx, db.ID(u.ID), by.who, ofUser, audit.Client{})
	})
	return already, err
}

// permissionExists returns Unknown for a permission that does not exist.
func permissionExists(tx *db.Tx, name string) error {
	exists, err := accounts.PermissionExists(tx, name)
	if err == nil && !exists {
		err = Unknown{"permission", name}
	}
	return err
}

// HasPermission reports whether a user, found as by Find, has a permission.
func (d *Directory) HasPermission(ctx context.Context, name, text string) (has bool, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		if err := permissionExists(tx, name); err != nil {
			return err
		}
		u, err := d.findUser(tx, text)
		if err != nil {
			return err
		}
		has, err = u.Has(tx, name)
		return err
	})
	return has, err
}
