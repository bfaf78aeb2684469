package accounts_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func address(t testing.TB, text string) accounts.ID {
	t.Helper()
	id, refusal := discovery.Find(text, "")
	if refusal != "" {
		t.Fatalf("%q: %s", text, refusal)
	}
	return id
}

func update(t testing.TB, d *db.DB, fn func(*db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func ensure(t testing.TB, d *db.DB, text string) (a accounts.Account, u accounts.User) {
	t.Helper()
	update(t, d, func(tx *db.Tx) (err error) { a, u, err = accounts.Ensure(tx, address(t, text)); return err })
	return a, u
}

// proved is an account that somebody has proved.
func proved(t testing.TB, d *db.DB, text string) accounts.User {
	t.Helper()
	a, u := ensure(t, d, text)
	update(t, d, func(tx *db.Tx) error {
		return accounts.RecordSuccess(tx, accounts.AccountStatus{Account: a.ID, User: u.ID, Email: u.Email}, a.Addr, accounts.Address(text))
	})
	return user(t, d, u.ID)
}

func user(t testing.TB, d *db.DB, id accounts.UserID) (u accounts.User) {
	t.Helper()
	update(t, d, func(tx *db.Tx) (err error) { u, err = accounts.GetUser(tx, id); return err })
	return u
}

func of(t testing.TB, d *db.DB, id accounts.UserID) (all []accounts.Account) {
	t.Helper()
	update(t, d, func(tx *db.Tx) (err error) { all, err = accounts.Of(tx, id); return err })
	return all
}

// names returns the usernames of all users in the order of their ids.
func names(t testing.TB, d *db.DB) (all []string) {
	t.Helper()
	update(t, d, func(tx *db.Tx) error {
		all = nil
		users, err := accounts.List(tx, 0, 1000)
		for _, u := range users {
			all = append(all, u.Username)
		}
		return err
	})
	return all
}

func TestAnUnknownIDMakesAnAccountThatHoldsNothingElse(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		a, u := ensure(t, d, "ann@example.org")
		if got := user(t, d, u.ID); got != (accounts.User{ID: u.ID, Username: u.Username, Joined: c.Now()}) || got.Username == "" {
			t.Errorf("the user holds more: %+v", got)
		}
		want := accounts.Account{ID: a.ID, User: u.ID, Addr: accounts.ID{Implementation: "email", Identifier: "ann@example.org"}}
		if got := of(t, d, u.ID); !slices.Equal(got, []accounts.Account{want}) {
			t.Errorf("the accounts are %+v", got)
		}
	})
}

func TestEnsureTwiceGivesOneAccount(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		a1, u1 := ensure(t, d, "ann@example.org")
		a2, u2 := ensure(t, d, "ANN@example.org.")
		_, u3 := ensure(t, d, "ben@example.org")
		if a1.ID != a2.ID || u1.ID != u2.ID || u3.ID == u1.ID || len(names(t, d)) != 2 {
			t.Errorf("%+v, %+v; users %v", a1, a2, names(t, d))
		}
	})
}

func TestFiftyAtOnceMakeOneUser(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		const callers = 50
		id := address(t, "ann@example.org")
		found := [callers]accounts.AccountID{}
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				<-start
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					a, _, err := accounts.Ensure(tx, id)
					found[i] = a.ID
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if len(slices.Compact(found[:])) != 1 || len(names(t, d)) != 1 {
			t.Errorf("accounts %v, users %v", slices.Compact(found[:]), names(t, d))
		}
	})
}

func TestAProofActivatesAccountAndUserAndVoidsCodes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		a, _ := ensure(t, d, "ann@example.org")
		c.Advance(time.Minute)
		first := c.Now()
		u := proved(t, d, "ann@example.org")
		if !u.Active || u.Email != "ann@example.org" || !u.LastLogin.Equal(first) {
			t.Errorf("the user is %+v", u)
		}
		c.Advance(time.Minute)
		proved(t, d, "ann@example.org")
		got := of(t, d, u.ID)[0]
		if got.ID != a.ID || !got.Active || !got.Activated.Equal(first) || !got.LastUsed.Equal(c.Now()) || got.CodeGeneration != 2 {
			t.Errorf("the account is %+v", got)
		}
		c.Advance(time.Minute)
	})
}

func TestLookupFindsByUsernameIDAndAddress(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		ann, ben := proved(t, d, "ann@example.org"), proved(t, d, "ben@example.org")
		lookup := func(text string) (u accounts.User, err error) {
			err = d.View(t.Context(), func(tx *db.Tx) (err error) { u, err = accounts.Lookup(tx, discovery, text); return err })
			return u, err
		}
		for _, text := range []string{ann.Username, strconv.FormatInt(int64(ann.ID), 10), "ann@example.org", " Ann@EXAMPLE.org. "} {
			if u, err := lookup(text); err != nil || u != ann {
				t.Errorf("%q is %+v, %v", text, u, err)
			}
		}
		for _, text := range []string{"", "nobody", "1", "-1", "99999999999999999999", "eve@example.org", "ann", "ann@", "' OR 1=1 --", "%", "\xff"} {
			if u, err := lookup(text); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%q is %+v, %v", text, u, err)
			}
		}
		if u, err := lookup("ben@example.org"); err != nil || u.ID != ben.ID {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

func TestListGoesThroughAllUsersInTheirOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		var want, got []accounts.UserID
		for i := range 7 {
			_, u := ensure(t, d, fmt.Sprintf("u%d@example.org", i))
			want = append(want, u.ID)
			c.Advance(time.Second)
		}
		for after := accounts.UserID(0); ; {
			var page []accounts.User
			update(t, d, func(tx *db.Tx) (err error) { page, err = accounts.List(tx, after, 3); return err })
			if len(page) == 0 {
				break
			}
			for _, u := range page {
				got, after = append(got, u.ID), u.ID
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestDeactivateHoldsUntilReactivate(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		u := proved(t, d, "ann@example.org")
		deactivate := func(id accounts.UserID) {
			update(t, d, func(tx *db.Tx) error { return accounts.Deactivate(tx, id) })
		}
		reactivate := func(id accounts.UserID) {
			update(t, d, func(tx *db.Tx) error { return accounts.Reactivate(tx, id) })
		}
		deactivate(u.ID)
		if got := user(t, d, u.ID); got.Active || !got.Deactivated.Equal(c.Now()) {
			t.Errorf("deactivated: %+v", got)
		}
		if got := proved(t, d, "ann@example.org"); got.Active || got.Deactivated.IsZero() {
			t.Errorf("a success revived who was deactivated: %+v", got)
		}
		reactivate(u.ID)
		if got := user(t, d, u.ID); !got.Active || !got.Deactivated.IsZero() {
			t.Errorf("reactivated: %+v", got)
		}
		_, never := ensure(t, d, "ben@example.org")
		deactivate(never.ID)
		reactivate(never.ID)
		if got := user(t, d, never.ID); got.Active || !got.Deactivated.IsZero() {
			t.Errorf("who never proved an account is active: %+v", got)
		}
	})
}

func TestChangingAUserWhoIsNotThereIsErrNotFound(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		for name, fn := range map[string]func(*db.Tx) error{
			"GetUser":      func(tx *db.Tx) error { _, err := accounts.GetUser(tx, 1); return err },
			"Get":          func(tx *db.Tx) error { _, _, err := accounts.Get(tx, 1); return err },
			"Find":         func(tx *db.Tx) error { _, _, err := accounts.Find(tx, address(t, "a@example.org")); return err },
			"SetSuperuser": func(tx *db.Tx) error { return accounts.SetSuperuser(tx, 1, true) },
			"Invite":       func(tx *db.Tx) error { return accounts.Invite(tx, 1) },
			"Deactivate":   func(tx *db.Tx) error { return accounts.Deactivate(tx, 1) },
			"Reactivate":   func(tx *db.Tx) error { return accounts.Reactivate(tx, 1) },
			"SetProfile":   func(tx *db.Tx) error { return accounts.SetProfile(tx, 1, "", "", "") },
			"Delete":       func(tx *db.Tx) error { return accounts.Delete(tx, 1) },
		} {
			if err := d.Update(t.Context(), fn); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDeleteRemovesAUserWithAllAccountsAndNobodyElse(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		ann, ben := proved(t, d, "ann@example.org"), proved(t, d, "ben@example.org")
		update(t, d, func(tx *db.Tx) error { return accounts.Delete(tx, ann.ID) })
		if got := names(t, d); !slices.Equal(got, []string{ben.Username}) || len(of(t, d, ann.ID)) != 0 || len(of(t, d, ben.ID)) != 1 {
			t.Errorf("left are %v", got)
		}
		if _, again := ensure(t, d, "ann@example.org"); again.ID == ann.ID {
			t.Error("the address leads to who was deleted")
		}
	})
}

func TestAProfileIsStoredAndMakesTheName(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		u := proved(t, d, "ann@example.org")
		if u.Name() != "" {
			t.Errorf("the name is %q", u.Name())
		}
		for _, c := range []struct{ first, last, name string }{{"Ann", "Bell", "Ann Bell"}, {"Ann", "", "Ann"}, {"", "Bell", "Bell"}, {"Żółć", "日本", "Żółć 日本"}, {"", "", ""}} {
			update(t, d, func(tx *db.Tx) error { return accounts.SetProfile(tx, u.ID, c.first, c.last, "de") })
			if got := user(t, d, u.ID); got.Name() != c.name || got.Language != "de" || got.Email != "ann@example.org" || !got.Active {
				t.Errorf("%+v: %+v", c, got)
			}
		}
	})
}
