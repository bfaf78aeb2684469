package accounts_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// removals are the ways by which a user stops being a superuser.
var removals = map[string]func(*db.Tx, accounts.UserID, ...accounts.Option) error{
	"demote": func(tx *db.Tx, id accounts.UserID, options ...accounts.Option) error {
		return accounts.SetSuperuser(tx, id, false, options...)
	},
	"deactivate": accounts.Deactivate,
	"delete":     accounts.Delete,
}

func promoted(t testing.TB, d *db.DB, text string) accounts.User {
	t.Helper()
	u := proved(t, d, text)
	update(t, d, func(tx *db.Tx) error { return accounts.SetSuperuser(tx, u.ID, true) })
	return u
}

func TestTheLastSuperuserWhoCanSignInStaysUnlessForced(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		last := promoted(t, d, "last@example.org")
		// None of these could take over.
		shut := promoted(t, d, "shut@example.org")
		update(t, d, func(tx *db.Tx) error { return accounts.Deactivate(tx, shut.ID) })
		_, stranger := ensure(t, d, "stranger@example.org") // neither invited nor proved
		update(t, d, func(tx *db.Tx) error {
			if _, err := accounts.Named(tx, "nowhere", accounts.ID{}); err != nil { // without an address
				return err
			}
			if err := accounts.SetSuperuser(tx, stranger.ID, true); err != nil {
				return err
			}
			u, err := accounts.Lookup(tx, discovery, "nowhere")
			return errors.Join(err, accounts.SetSuperuser(tx, u.ID, true))
		})
		for name, remove := range removals {
			if err := d.Update(t.Context(), func(tx *db.Tx) error { return remove(tx, last.ID) }); !errors.Is(err, accounts.ErrLastSuperuser) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if u := user(t, d, last.ID); !u.Active || len(of(t, d, last.ID)) != 1 {
			t.Errorf("a refused change left %+v", u)
		}
		update(t, d, func(tx *db.Tx) error { return accounts.Delete(tx, shut.ID) })
		for name, remove := range removals {
			if err := d.Update(t.Context(), func(tx *db.Tx) error {
				return errors.Join(remove(tx, last.ID, accounts.Force), errOops)
			}); errors.Is(err, accounts.ErrLastSuperuser) || !errors.Is(err, errOops) {
				t.Errorf("%s, forced: %v", name, err)
			}
		}
	})
}

// errOops rolls a transaction back.
var errOops = errors.New("oops")

func TestASuperuserMayGoWhileAnotherCanSignInIfOnlyForTheFirstTime(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		ann := promoted(t, d, "ann@example.org")
		update(t, d, func(tx *db.Tx) error {
			u, err := accounts.Named(tx, "root", address(t, "root@example.org"))
			return errors.Join(err, accounts.SetSuperuser(tx, u.ID, true))
		})
		update(t, d, func(tx *db.Tx) error { return accounts.Delete(tx, ann.ID) })
	})
}

func TestOfTwoSuperusersWhoRemoveEachOtherAtOnceOneStays(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		d.Rehearse = false
		for name, remove := range removals {
			for _, part := range []func(func(*db.Tx) error) db.Part{db.Serializable, db.ReadCommitted} {
				two := []accounts.User{promoted(t, d, "ann@example.org"), promoted(t, d, "ben@example.org")}
				refused := make([]bool, len(two))
				// Both have looked before either goes on, so far as the engine lets them.
				var looked, wg sync.WaitGroup
				looked.Add(len(two))
				for i, u := range two {
					wg.Go(func() {
						first := true
						err := d.Sequence(t.Context(), part(func(tx *db.Tx) error {
							if _, err := accounts.AnySuperuser(tx); err != nil {
								return err
							}
							if first && d.Engine() == "postgres" {
								first = false
								looked.Done()
								looked.Wait()
							}
							return remove(tx, u.ID)
						}))
						refused[i] = errors.Is(err, accounts.ErrLastSuperuser)
						if err != nil && !refused[i] {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if refused[0] == refused[1] {
					t.Errorf("%s: refused are %v, want one", name, refused)
				}
				for _, u := range two {
					update(t, d, func(tx *db.Tx) error {
						if err := accounts.Delete(tx, u.ID, accounts.Force); !errors.Is(err, db.ErrNotFound) {
							return err
						}
						return nil
					})
				}
			}
		}
	})
}
