package multifactor_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/multifactor/passkeytest"
)

// fails is the error of a transaction.
func (h *house) fails(fn func(tx *db.Tx) error) error {
	h.t.Helper()
	return h.db.Update(h.t.Context(), fn)
}

func TestNobodyTouchesTheAuthenticatorsOfAnother(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		_, a := h.app(ann)
		k := h.passkey(ann, passkeytest.New(t))
		_, set, _ := h.recovery(ann)
		h.remove(ann, k.ID)
		before := h.rows()
		for _, id := range []db.ID{a.ID, k.ID, set.ID, 1, 0, -1} {
			for name, fn := range map[string]func(tx *db.Tx) error{
				"remove":  func(tx *db.Tx) error { _, err := multifactor.Remove(tx, bob.ID, id); return err },
				"restore": func(tx *db.Tx) error { return multifactor.Restore(tx, bob.ID, id) },
				"rename":  func(tx *db.Tx) error { return multifactor.Rename(tx, bob.ID, id, "Mine") },
				"get":     func(tx *db.Tx) error { _, err := multifactor.GetAuthenticator(tx, bob.ID, id); return err },
			} {
				if err := h.fails(fn); !errors.Is(err, db.ErrNotFound) {
					t.Errorf("%s %d: %v", name, id, err)
				}
			}
		}
		want(t, h.rows(), before)
	})
}

func TestWhatWasRemovedCountsAgainWhenItIsRestored(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		_, a := h.app(ann)
		before := h.rows()
		h.do(func(tx *db.Tx) error {
			removed, err := multifactor.Remove(tx, ann.ID, a.ID)
			want(t, removed.ID, a.ID)
			want(t, removed.Name, "Phone")
			return err
		})
		want(t, len(h.all(ann)), 0)
		h.do(func(tx *db.Tx) error {
			got, err := multifactor.GetAuthenticator(tx, ann.ID, a.ID)
			want(t, got.Removed, h.clock.Now())
			return err
		})
		for name, fn := range map[string]func(tx *db.Tx) error{
			"remove": func(tx *db.Tx) error { _, err := multifactor.Remove(tx, ann.ID, a.ID); return err },
			"rename": func(tx *db.Tx) error { return multifactor.Rename(tx, ann.ID, a.ID, "Old") },
		} {
			if err := h.fails(fn); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%s what is removed: %v", name, err)
			}
		}
		h.restore(ann, a.ID)
		want(t, h.rows(), before)
		h.restore(ann, a.ID)
		want(t, h.rows(), before)
	})
}

func TestOnlyWhatWasRemovedLongAgoIsSwept(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		var removed []db.ID
		for range 4 {
			_, a := h.app(ann)
			removed = append(removed, a.ID)
		}
		for _, id := range removed[:3] {
			h.remove(ann, id)
			h.clock.Advance(time.Hour)
		}
		sweep := func(limit int) (n int64) {
			h.do(func(tx *db.Tx) (err error) {
				n, err = multifactor.SweepAuthenticators(tx, tx.Now.Add(-accounts.UndoFor), limit)
				return err
			})
			return n
		}
		h.clock.Advance(accounts.UndoFor - 3*time.Hour) // the first was removed a day ago
		want(t, sweep(100), 0)
		h.clock.Advance(time.Hour + time.Millisecond)
		want(t, sweep(1), 1)
		want(t, sweep(100), 1)
		h.restore(ann, removed[2])
		if err := h.fails(func(tx *db.Tx) error { return multifactor.Restore(tx, ann.ID, removed[0]) }); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("restored after it was swept: %v", err)
		}
		h.clock.Advance(1000 * time.Hour)
		want(t, sweep(100), 0)
		want(t, len(h.all(ann)), 2)
	})
}

func TestWithAUserTheirAuthenticatorsGo(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann, bob := h.user("ann"), h.user("bob")
		h.app(bob)
		bobs := h.rows()
		h.app(ann)
		h.recovery(ann)
		a := h.passkey(ann, passkeytest.New(t))
		h.remove(ann, a.ID)
		h.do(func(tx *db.Tx) error { return accounts.Delete(tx, ann.ID) })
		want(t, h.rows(), bobs)
	})
}

func TestANameIsOneToSixtyCharactersThatPrint(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		_, a := h.app(ann)
		for _, name := range []string{"a", "Ann's phone", "Müller <b>&amp;", "名前", "مفتاح", "🔑", "👩\u200d💻", strings.Repeat("ü", 60), strings.Repeat("🔑", 60)} {
			h.do(func(tx *db.Tx) error { return multifactor.Rename(tx, ann.ID, a.ID, name) })
			want(t, h.one(ann).Name, name)
		}
		before := h.rows()
		for _, name := range []string{
			"", strings.Repeat("ü", 61), "\x00", "a\x00", "a\nb", "a\rb", "\ta", "a\x1b[31m", "a\x7f", "a\u0085b", "a\u009b31m", "a\u2028b", "a\u2029b", "a\xff", "\xed\xa0\x80",
		} {
			if err := h.fails(func(tx *db.Tx) error { return multifactor.Rename(tx, ann.ID, a.ID, name) }); !errors.Is(err, multifactor.ErrName) {
				t.Errorf("%q: %v", name, err)
			}
		}
		want(t, h.rows(), before)
	})
}

func TestANameIsCheckedWhereSomethingIsEnrolled(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		app, passkey, before := h.beginApp(), h.beginPasskey(ann), h.rows()
		response := passkeytest.New(t).Create(site.Origin, passkey.Options)
		enrollApp := func(name string) error {
			return h.fails(func(tx *db.Tx) error {
				_, _, err := h.EnrollApp(tx, ann.ID, session, app.Kept, name, h.code(app, 0))
				return err
			})
		}
		enrollPasskey := func(name string) error {
			return h.fails(func(tx *db.Tx) error {
				_, _, err := h.EnrollPasskey(tx, anns, ann, passkey.Kept, response, name)
				return err
			})
		}
		for _, name := range []string{strings.Repeat("ü", 61), "a\nb", "a\x00", "a\u0085", "a\xff"} {
			for what, err := range map[string]error{"app": enrollApp(name), "passkey": enrollPasskey(name)} {
				if !errors.Is(err, multifactor.ErrName) {
					t.Errorf("%s %q: %v", what, name, err)
				}
			}
		}
		want(t, h.rows(), before)
		check(t, enrollApp(strings.Repeat("ü", 60)))
		check(t, enrollPasskey("")) // it has none
		want(t, len(h.all(ann)), 2)
	})
}

func TestAPersonHasThirtyAuthenticatorsAtMost(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		_, first := h.app(ann)
		for range 28 {
			h.app(ann)
		}
		h.recovery(ann)
		app, passkey, before := h.beginApp(), h.beginPasskey(ann), h.rows()
		response := passkeytest.New(t).Create(site.Origin, passkey.Options)
		enrollPasskey := func(tx *db.Tx) error {
			_, v, err := h.EnrollPasskey(tx, anns, ann, passkey.Kept, response, "")
			if err == nil {
				want(t, v, multifactor.Right)
			}
			return err
		}
		for name, fn := range map[string]func(tx *db.Tx) error{
			"app": func(tx *db.Tx) error {
				_, _, err := h.EnrollApp(tx, ann.ID, session, app.Kept, "", h.code(app, 0))
				return err
			},
			"passkey": enrollPasskey,
		} {
			if err := h.fails(fn); !errors.Is(err, multifactor.ErrTooMany) {
				t.Errorf("%s: %v", name, err)
			}
		}
		want(t, h.rows(), before)
		h.recovery(ann) // in place of the others
		h.app(h.user("bob"))
		h.remove(ann, first.ID)
		h.do(enrollPasskey) // of the same ceremony
		want(t, len(h.all(ann)), 30)
		if err := h.fails(func(tx *db.Tx) error { _, _, _, err := h.MakeRecovery(tx, ann.ID); return err }); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsEnrolledIsAWayWhileItCanProveSomething(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		server := multifactor.Server{Has: map[multifactor.Factor]bool{"email": true, multifactor.TOTP: true, multifactor.Passkey: true, multifactor.Recovery: true}}
		var account multifactor.Way
		ways := func() (all []multifactor.Way) {
			h.do(func(tx *db.Tx) (err error) {
				all, err = server.Ways(tx, ann.ID)
				return err
			})
			return all
		}
		expect := func(wanted ...multifactor.Way) {
			t.Helper()
			if got := ways(); !reflect.DeepEqual(got, append([]multifactor.Way{account}, wanted...)) {
				t.Errorf("the ways are %+v, want %+v", got, wanted)
			}
		}
		account = ways()[0]
		expect()
		way := func(a multifactor.Authenticator, factors ...multifactor.Factor) multifactor.Way {
			return multifactor.Way{Factors: factors, Key: multifactor.Key{Authenticator: a.ID}}
		}
		noPIN := passkeytest.New(t)
		noPIN.Verifies = false
		_, app := h.app(ann)
		plain, verified := h.passkey(ann, noPIN), h.passkey(ann, passkeytest.New(t))
		codes, set, _ := h.recovery(ann)
		second := []multifactor.Way{way(app, multifactor.TOTP), way(plain, multifactor.Passkey), way(verified, multifactor.Passkey, multifactor.VerifiedPasskey)}
		expect(append(second, way(set, multifactor.Recovery))...)
		for i, code := range codes {
			want(t, h.recovers(ann, code), multifactor.Right)
			if i == 8 {
				expect(append(second, way(set, multifactor.Recovery))...)
			}
		}
		expect(second...)
		_, set, _ = h.recovery(ann)
		server.Has[multifactor.Passkey] = false
		expect(way(app, multifactor.TOTP), way(set, multifactor.Recovery))
		h.remove(ann, app.ID)
		expect(way(set, multifactor.Recovery))
		h.remove(ann, set.ID)
		expect()
		server.Has[multifactor.Passkey] = true
		h.restore(ann, app.ID)
		expect(second...)
	})
}

func TestOnlyAnAppOrAPasskeyIsASecondFactor(t *testing.T) {
	for kind, is := range map[multifactor.Factor]bool{multifactor.TOTP: true, multifactor.Passkey: true, multifactor.Recovery: false} {
		want(t, multifactor.HasSecond([]multifactor.Authenticator{{Kind: multifactor.Recovery}, {Kind: kind}}), is)
	}
	want(t, multifactor.HasSecond(nil), false)
}

func TestACodeOfOneKindIsNoneOfAnother(t *testing.T) {
	enrolled(t, func(t *testing.T, h *house) {
		ann := h.user("ann")
		h.passkey(ann, passkeytest.New(t))
		codes, set, _ := h.recovery(ann)
		begun, app := h.app(ann)
		want(t, h.recovers(ann, h.code(begun, 0)), multifactor.Wrong)
		_, v := h.checked(ann, multifactor.TOTP, codes[0])
		want(t, v, multifactor.Wrong)
		a, v := h.checked(ann, multifactor.TOTP, h.code(begun, 0))
		want(t, v, multifactor.Right)
		want(t, a.ID, app.ID)
		a, v = h.checked(ann, multifactor.Recovery, codes[0])
		want(t, v, multifactor.Right)
		want(t, a.ID, set.ID)
	})
}
