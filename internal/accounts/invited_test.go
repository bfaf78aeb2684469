package accounts_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestSweepRemovesOnlyWhoNeverProvedAnything(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		var want []string
		keep := func(text string, fn func(*db.Tx, accounts.UserID) error) {
			_, u := ensure(t, d, text)
			update(t, d, func(tx *db.Tx) error { return fn(tx, u.ID) })
			want = append(want, u.Username)
		}
		keep("invited@example.org", accounts.Invite)
		keep("gone@example.org", func(tx *db.Tx, id accounts.UserID) error { return accounts.Deactivate(tx, id) })
		keep("super@example.org", func(tx *db.Tx, id accounts.UserID) error { return accounts.SetSuperuser(tx, id, true) })
		want = append(want, proved(t, d, "active@example.org").Username)
		var gone []accounts.UserID
		for i := range 7 {
			_, u := ensure(t, d, fmt.Sprintf("unproved%d@example.org", i))
			gone = append(gone, u.ID)
		}
		c.Advance(24 * time.Hour)
		_, young := ensure(t, d, "young@example.org")
		want = append(want, young.Username)

		sweep := func() (n int64) {
			update(t, d, func(tx *db.Tx) (err error) {
				n, err = accounts.SweepUnproved(time.Hour)(tx, c.Now().Add(-time.Hour), 5)
				return err
			})
			return n
		}
		if a, b, c := sweep(), sweep(), sweep(); a != 5 || b != 2 || c != 0 {
			t.Errorf("swept %d, %d and %d, want 5, 2 and 0", a, b, c)
		}
		if got := names(t, d); !slices.Equal(got, want) {
			t.Errorf("left are %v, want %v", got, want)
		}
		for _, id := range gone {
			if len(of(t, d, id)) != 0 {
				t.Error("an account stayed without its user")
			}
		}
	})
}

func TestASuperuserIsKnown(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		_, u := ensure(t, d, "ann@example.org")
		for _, is := range []bool{false, true, false} {
			update(t, d, func(tx *db.Tx) error { return accounts.SetSuperuser(tx, u.ID, is, accounts.Force) })
			var any bool
			update(t, d, func(tx *db.Tx) (err error) { any, err = accounts.AnySuperuser(tx); return err })
			if got := user(t, d, u.ID); any != is || got.Superuser != is {
				t.Errorf("want %v: any %v, %+v", is, any, got)
			}
		}
	})
}

func TestNamedGivesAnInvitedUserWithTheName(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		named := func(name, text string) (u accounts.User, err error) {
			id := accounts.ID{}
			if text != "" {
				id = address(t, text)
			}
			err = d.Update(t.Context(), func(tx *db.Tx) (err error) { u, err = accounts.Named(tx, name, id); return err })
			return u, err
		}
		fresh, err := named("root", "")
		if err != nil || fresh.Username != "root" || !fresh.Invited || fresh.Active || fresh.Superuser {
			t.Fatalf("a new one: %+v, %v", fresh, err)
		}
		if again, err := named("root", ""); err != nil || again.ID != fresh.ID {
			t.Errorf("the one who has the name: %+v, %v", again, err)
		}
		ben, err := named("ben", "ben@example.org")
		if err != nil || ben.Username != "ben" || !ben.Invited || len(of(t, d, ben.ID)) != 1 {
			t.Errorf("with an unknown address: %+v, %v", ben, err)
		}
		ann := proved(t, d, "ann@example.org")
		given, err := named("ann", "ann@example.org")
		if err != nil || given.ID != ann.ID || given.Username != "ann" || !given.Active || !given.Invited {
			t.Errorf("with a known address: %+v, %v", given, err)
		}
		before := names(t, d)
		for _, text := range []string{"ben@example.org", "new@example.org"} {
			if u, err := named("ann", text); !errors.Is(err, accounts.ErrTaken) {
				t.Errorf("a name that is taken, for %s: %+v, %v", text, u, err)
			}
		}
		if after := names(t, d); !slices.Equal(after, before) {
			t.Errorf("a refusal changed %v to %v", before, after)
		}
		if again, err := named("ann", "ann@example.org"); err != nil || again.ID != ann.ID {
			t.Errorf("her own name again: %+v, %v", again, err)
		}
	})
}
