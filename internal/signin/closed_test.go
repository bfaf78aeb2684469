package signin_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestAnUnknownIDLeavesNothingButItself(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		b.by.Words = h.words.Get("de")
		b.asks(t, signin.Request{ID: ann, Next: "/notes"})
		h.mail(t)
		a, u := h.account(t, ann)
		want(t, a, accounts.Account{ID: a.ID, User: u.ID, Addr: ann})
		want(t, u, accounts.User{ID: u.ID, Username: u.Username, Joined: h.clock.Now()})
		if strings.Contains(u.Username, "ann") {
			t.Errorf("the username %q tells the address", u.Username)
		}
	})
}

// shut is a way in which an id gets no message.
var shut = map[string]func(t *testing.T, h *house, ann accounts.ID, b *browser){
	"sign-up is closed": func(_ *testing.T, h *house, _ accounts.ID, _ *browser) { h.s.Settings.OpenSignup = false },
	"never proved and sign-up is closed": func(t *testing.T, h *house, ann accounts.ID, _ *browser) {
		h.update(t, func(tx *db.Tx) error { _, _, err := accounts.Ensure(tx, ann); return err })
		h.s.Settings.OpenSignup = false
	},
	"deactivated": func(t *testing.T, h *house, ann accounts.ID, _ *browser) {
		h.browser("203.0.113.1").signsIn(t, ann)
		_, u := h.account(t, ann)
		h.update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
	},
	"deactivated before any proof": func(t *testing.T, h *house, ann accounts.ID, _ *browser) {
		h.update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, ann)
			if err != nil {
				return err
			}
			return accounts.Deactivate(tx, u.ID)
		})
	},
	"disowned": func(t *testing.T, h *house, ann accounts.ID, b *browser) {
		m := b.gets(t, ann)
		h.browser("203.0.113.1").disowns(t, m.notMe, true)
		b.by.Attempt = h.browser("").by.Attempt
	},
}

func TestWhoIsShutOutIsAnsweredLikeAnybody(t *testing.T) {
	for name, shutOut := range shut {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.freely()
				ann, eve := addr(t, "ann@example.org"), addr(t, "abn@example.org")
				b, free := h.browser("192.0.2.1"), h.browser("192.0.2.1")
				m := free.gets(t, eve)
				free.by.Attempt = h.browser("").by.Attempt // both begin anew
				shutOut(t, h, ann, b)
				h.clock.Advance(time.Second)
				sent := h.messages(t)
				for range 4 {
					asked := b.asks(t, signin.Request{ID: ann})
					if asked.Attempt.ID == 0 || asked != (signin.Started{Attempt: asked.Attempt}) {
						t.Fatalf("asked: %+v", asked)
					}
					free.asks(t, signin.Request{ID: eve})
					got, other := b.waiting(t), free.waiting(t)
					want(t, got.Typed, ann.Identifier)
					want(t, other.Typed, eve.Identifier)
					got.Typed = other.Typed
					if got != other {
						t.Errorf("the page shows %+v, to others %+v", got, other)
					}
				}
				code := h.muteCode(t)
				for _, text := range []string{wrong(code), code, code} {
					got, other := b.types(t, text), free.types(t, wrong(m.code))
					want(t, got.Verdict, signin.Wrong)
					if !reflect.DeepEqual(got, other) {
						t.Errorf("answered with %+v, others with %+v", got, other)
					}
				}
				if h.s.Settings.OpenSignup {
					want(t, h.messages(t), sent+4) // those of the free one
				} else {
					want(t, h.messages(t), sent)
				}
				want(t, h.count(t, `SELECT count(*) FROM sessions WHERE prefix = $1 AND last_seen_at = $2`, b.by.Client.Prefix, h.clock.Now().UnixMilli()), 0)
			})
		})
	}
}

func TestWhoIsShutOutLeavesAsManyRows(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.OpenSignup = false
		known := addr(t, "ann@example.org")
		h.update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, known)
			if err != nil {
				return err
			}
			return accounts.Invite(tx, u.ID)
		})
		sizes := func() map[string]int {
			n := map[string]int{}
			for table, rows := range h.dump(t) {
				n[table] = len(rows)
			}
			return n
		}
		grown := func(id accounts.ID) map[string]int {
			before := sizes()
			h.browser("192.0.2.1").asks(t, signin.Request{ID: id})
			n := sizes()
			for table := range n {
				n[table] -= before[table]
			}
			return n
		}
		h.browser("192.0.2.1").gets(t, addr(t, known.Identifier)) // the budget of this address has its row
		if a, b := grown(known), grown(addr(t, "who@example.org")); a["attempts"] != b["attempts"] || a["outbox"] != b["outbox"] || a["audit"] != b["audit"] {
			t.Errorf("a known id adds %v, an unknown one %v", a, b)
		}
		h.mail(t)
		want(t, h.count(t, `SELECT count(*) FROM accounts`), 1)
	})
}

func TestASuccessNeverRevivesADeactivatedUser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		for range 2 { // deactivated before and after a first proof
			b := h.browser("192.0.2.1")
			m := b.gets(t, ann)
			_, u := h.account(t, ann)
			h.update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
			want(t, b.types(t, m.code).Verdict, signin.Wrong)
			want(t, b.clicks(t, m.link).Verdict, signin.Expired)
			if _, u := h.account(t, ann); u.Active || u.Deactivated.IsZero() {
				t.Fatalf("revived: %+v", u)
			}
			want(t, h.count(t, `SELECT count(*) FROM sessions`), 0)
			h.update(t, func(tx *db.Tx) error { return accounts.Reactivate(tx, u.ID) })
			h.clock.Advance(time.Second)
			check(t, h.s.SignOut(t.Context(), signedIn(t, h, ann)))
			h.clock.Advance(time.Second)
		}
	})
}

func signedIn(t *testing.T, h *house, id accounts.ID) signin.Requester {
	t.Helper()
	b := h.browser("203.0.113.9")
	b.signsIn(t, id)
	return b.by
}

func TestInvitedAndProvedIDsGetInWhenSignUpIsClosed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		proved, invited, named := addr(t, "ann@example.org"), addr(t, "bob@example.org"), addr(t, "cyd@example.org")
		h.browser("192.0.2.1").signsIn(t, proved)
		h.update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, invited)
			if err != nil {
				return err
			}
			return accounts.Invite(tx, u.ID)
		})
		h.s.Settings.OpenSignup = false
		h.s.Settings.Admins[named] = true
		h.clock.Advance(time.Second)
		for _, id := range []accounts.ID{proved, invited, named} {
			h.browser("192.0.2.1").signsIn(t, id)
		}
	})
}

func TestAdminsOfTheSettingsArePromotedAtTheirFirstSuccessOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		h.browser("192.0.2.1").signsIn(t, bob)
		h.s.Settings.Admins[ann], h.s.Settings.Admins[bob] = true, true
		h.clock.Advance(time.Second)
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		if _, u := h.account(t, ann); u.Superuser {
			t.Fatal("promoted without a proof")
		}
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		_, u := h.account(t, ann)
		if !u.Superuser || !u.Staff {
			t.Fatal("not promoted")
		}
		h.browser("192.0.2.1").signsIn(t, bob)
		if _, u := h.account(t, bob); u.Superuser {
			t.Error("promoted at a later sign-in")
		}
		h.update(t, func(tx *db.Tx) error { return accounts.SetSuperuser(tx, u.ID, false, accounts.Force) })
		h.clock.Advance(time.Second)
		h.browser("192.0.2.1").signsIn(t, ann)
		if _, u := h.account(t, ann); u.Superuser {
			t.Error("demoted, and promoted once more")
		}
	})
}
