package directory_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// rightUses are the use cases that change rights.
var rightUses = map[string]func(context.Context, *directory.Directory, directory.Actor) error{
	"AddGroup": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.AddGroup(ctx, by, "ops")
		return err
	},
	"DeleteGroup": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.DeleteGroup(ctx, by, "ops")
		return err
	},
	"Join": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Join(ctx, by, "ops", []string{"ann@example.org"})
		return err
	},
	"Leave": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Leave(ctx, by, "ops", []string{"ann@example.org"})
		return err
	},
	"AddPermission": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		return d.AddPermission(ctx, by, "reports.read")
	},
	"DeletePermission": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		return d.DeletePermission(ctx, by, "reports.read")
	},
	"Grant": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Grant(ctx, by, "djauthy.log.view", directory.Grantee{User: "ann@example.org"})
		return err
	},
	"SetLevel": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		return d.SetLevel(ctx, by, multifactor.Level{Name: "l", Need: []multifactor.Need{{"email"}}})
	},
	"DeleteLevel": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		return d.DeleteLevel(ctx, by, "l")
	},
	"RotateKeys": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.RotateKeys(ctx, by)
		return err
	},
	"WithdrawKeys": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, _, err := d.WithdrawKeys(ctx, by)
		return err
	},
	"Revoke": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Revoke(ctx, by, "djauthy.log.view", directory.Grantee{User: "ann@example.org"})
		return err
	},
}

// rights is a directory with the group ops and the permission reports.read, and what fails
// the test if an error is not the wanted one.
func rights(t *testing.T, d *db.DB) (dir *directory.Directory, is func(err, wanted error)) {
	t.Helper()
	dir = house(t, d)
	is = func(err, wanted error) {
		t.Helper()
		if !errors.Is(err, wanted) {
			t.Fatalf("%v, want %v", err, wanted)
		}
	}
	_, err := dir.AddGroup(t.Context(), directory.Command(), "ops")
	is(err, nil)
	is(dir.AddPermission(t.Context(), directory.Command(), "reports.read"), nil)
	for _, name := range []string{"ann", "out", "root"} { // active, but for out
		is(d.Update(t.Context(), func(tx *db.Tx) error {
			status, err := accounts.StatusOf(tx, address(name))
			if err != nil || name == "out" {
				return err
			}
			return accounts.RecordSuccess(tx, status, address(name), "")
		}), nil)
	}
	return dir, is
}

func TestAPermissionComesByTheUserOrByAGroup(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		ctx, by := t.Context(), directory.Command()
		has := func(who string) bool {
			t.Helper()
			ok, err := dir.HasPermission(ctx, "reports.read", who)
			is(err, nil)
			return ok
		}
		grant := func(already bool, to directory.Grantee) {
			t.Helper()
			was, err := dir.Grant(ctx, by, "reports.read", to)
			is(err, nil)
			dbtest.Want(t, was, already)
		}
		revoke := func(already bool, to directory.Grantee) {
			t.Helper()
			was, err := dir.Revoke(ctx, by, "reports.read", to)
			is(err, nil)
			dbtest.Want(t, was, already)
		}
		const ann, out = "ann@example.org", "out@example.org"
		dbtest.Want(t, has(ann), false)
		dbtest.Want(t, has("root@example.org"), true) // superusers have all
		grant(false, directory.Grantee{User: ann})
		grant(true, directory.Grantee{User: ann})
		dbtest.Want(t, has(ann), true)
		revoke(false, directory.Grantee{User: ann})
		revoke(true, directory.Grantee{User: ann})
		dbtest.Want(t, has(ann), false)

		grant(false, directory.Grantee{Group: "OPS"})
		dbtest.Want(t, has(ann), false)
		joined, err := dir.Join(ctx, by, "ops", []string{ann, out})
		is(err, nil)
		dbtest.Want(t, len(joined), 2)
		dbtest.Want(t, has(ann), true)
		dbtest.Want(t, has(out), false) // who is deactivated has none
		joined, err = dir.Join(ctx, by, "ops", []string{ann})
		is(err, nil)
		dbtest.Want(t, joined[0].Already, true)
		_, err = dir.Leave(ctx, by, "ops", []string{ann})
		is(err, nil)
		dbtest.Want(t, has(ann), false)
		_, err = dir.Join(ctx, by, "ops", []string{ann})
		is(err, nil)
		_, err = dir.DeleteGroup(ctx, by, "ops")
		is(err, nil)
		dbtest.Want(t, has(ann), false)
	})
}

func TestOneUnknownMemberLeavesTheGroupAsItIs(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		_, err := dir.Join(t.Context(), directory.Command(), "ops", []string{"ann@example.org", "nobody@example.org"})
		unknown := directory.Unknown{}
		dbtest.Want(t, errors.As(err, &unknown), true)
		dbtest.Want(t, unknown, directory.Unknown{Kind: "user", Name: "nobody@example.org"})
		members, err := dir.Members(t.Context(), "ops", 0, 10)
		is(err, nil)
		dbtest.Want(t, len(members), 0)
	})
}

func TestNamesThatNoRightMayHaveAreRefused(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		ctx, by := t.Context(), directory.Command()
		for _, name := range []string{"", "users", "Users", "a,b", " a", "a ", "é", "a\nb", "-a", string(make([]byte, 200))} {
			_, err := dir.AddGroup(ctx, by, name)
			is(err, accounts.ErrGroupName)
		}
		for _, name := range []string{"Ops", "ops"} { // unique without case
			_, err := dir.AddGroup(ctx, by, name)
			is(err, accounts.ErrGroupTaken)
		}
		for _, name := range []string{"x", "Ops Team", "a/b@c:d_e.f+g-h"} {
			_, err := dir.AddGroup(ctx, by, name)
			is(err, nil)
		}
		for _, name := range []string{"", "Reports", "a b", ".a", "é"} {
			is(dir.AddPermission(ctx, by, name), accounts.ErrPermissionName)
		}
		for _, name := range []string{"reports.read", "djauthy.people.view"} {
			is(dir.AddPermission(ctx, by, name), accounts.ErrPermissionTaken)
		}
		is(dir.DeletePermission(ctx, by, "djauthy.people.view"), accounts.ErrOwnPermission)
		for _, err := range []error{
			dir.DeletePermission(ctx, by, "no"),
			func() error { _, err := dir.DeleteGroup(ctx, by, "no"); return err }(),
			func() error { _, err := dir.Grant(ctx, by, "no", directory.Grantee{Group: "ops"}); return err }(),
			func() error {
				_, err := dir.Grant(ctx, by, "reports.read", directory.Grantee{Group: "no"})
				return err
			}(),
			func() error { _, err := dir.HasPermission(ctx, "no", "root@example.org"); return err }(),
		} {
			is(err, db.ErrNotFound)
		}
	})
}

func TestPermissionsOfDjauthysOwnExistFromTheStart(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir, is := rights(t, d)
		names := func() (all []string) {
			listed, err := dir.Permissions(t.Context())
			is(err, nil)
			for _, p := range listed {
				all = append(all, p.Name)
			}
			return all
		}
		before := names()
		dbtest.Want(t, slices.Contains(before, "djauthy.people.view"), true)
		dbtest.Want(t, len(before), 15)
		staff := func() (is bool) {
			dbtest.Check(t, d.View(t.Context(), func(tx *db.Tx) error {
				u, err := accounts.Lookup(tx, dir.Discovery, "ann@example.org")
				if err == nil {
					is, err = u.Staff(tx)
				}
				return err
			}))
			return is
		}
		dbtest.Want(t, staff(), false)
		_, err := dir.Grant(t.Context(), directory.Command(), "reports.read", directory.Grantee{User: "ann@example.org"})
		is(err, nil)
		dbtest.Want(t, staff(), false)
		_, err = dir.Grant(t.Context(), directory.Command(), "djauthy.log.view", directory.Grantee{User: "ann@example.org"})
		is(err, nil)
		dbtest.Want(t, staff(), true)
		dbtest.Want(t, slices.Equal(names(), before), true)
	})
}
