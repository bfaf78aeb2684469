package directory_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signkeys"
)

func open(t *testing.T, d *db.DB) *directory.Directory {
	t.Helper()
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	return &directory.Directory{
		DB: d, Log: log, Sessions: session.New(d, session.Settings{Idle: time.Hour, Absolute: time.Hour}, log),
		Services: services.New(d, keys, services.Settings{Window: 3}, log), Keys: signkeys.New(d, keys, time.Hour, log),
	}
}

func address(local string) accounts.ID {
	return accounts.ID{Implementation: accounts.Email, Identifier: local + "@example.org"}
}

// uses are the use cases that change somebody else, or show all that is kept of them.
var uses = map[string]func(context.Context, *directory.Directory, directory.Actor) error{
	"Invite": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Invite(ctx, by, address("new"))
		return err
	},
	"Deactivate": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Deactivate(ctx, by, "ann@example.org")
		return err
	},
	"Activate": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Activate(ctx, by, "out@example.org")
		return err
	},
	"Promote": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Promote(ctx, by, "ann@example.org")
		return err
	},
	"Demote": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Demote(ctx, by, "root@example.org", accounts.Force)
		return err
	},
	"Delete": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Delete(ctx, by, "ann@example.org")
		return err
	},
	"Export": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.Export(ctx, by, "ann@example.org")
		return err
	},
	"CreateSuperuser": func(ctx context.Context, d *directory.Directory, by directory.Actor) error {
		_, err := d.CreateSuperuser(ctx, by, "second", accounts.ID{})
		return err
	},
}

// house is a directory with three people: ann, out who is deactivated, and the superuser
// root.
func house(t *testing.T, d *db.DB) *directory.Directory {
	t.Helper()
	dir, by := open(t, d), directory.Command()
	for _, who := range []string{"ann", "out", "root"} {
		if _, err := dir.Invite(t.Context(), by, address(who)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := dir.Deactivate(t.Context(), by, "out@example.org")
	if _, also := dir.Promote(t.Context(), by, "root@example.org"); err != nil || also != nil {
		t.Fatal(err, also)
	}
	return dir
}

func TestAnActorWithoutRightsChangesNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir := house(t, d)
		before := dbtest.Dump(t, d)
		all := maps.Clone(uses)
		maps.Copy(all, rightUses)
		maps.Copy(all, factorUses)
		for name, use := range all {
			if err := use(t.Context(), dir, directory.Actor{}); !errors.Is(err, directory.ErrForbidden) {
				t.Errorf("%s: %v", name, err)
			}
			if after := dbtest.Dump(t, d); !reflect.DeepEqual(after, before) {
				t.Fatalf("%s changed the database", name)
			}
		}
	})
}

func TestEachChangeWritesOneLineWithItsActor(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		dir := house(t, d)
		lines := func() (n int) {
			if err := d.View(t.Context(), func(tx *db.Tx) error {
				return tx.Get(`SELECT count(*) FROM audit WHERE subject_kind = 'user' AND actor_kind = 'command'`).Scan(&n)
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, name := range []string{"Invite", "Deactivate", "Activate", "CreateSuperuser", "Promote", "Demote"} {
			for round, want := range []int{1, 0} { // a second time they are so already
				clock.Advance(time.Second)
				before := lines()
				if err := uses[name](t.Context(), dir, directory.Command()); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if n := lines() - before; n != want {
					t.Errorf("%s, time %d: %d lines", name, round+1, n)
				}
			}
		}
	})
}
