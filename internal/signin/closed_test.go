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
		b := h.Browser("192.0.2.1")
		b.By.Words = h.Words.Get("de")
		b.Asks(t, signin.Request{ID: ann, Next: "/notes"})
		h.Mail(t)
		a, u := h.Account(t, ann)
		want(t, a, accounts.Account{ID: a.ID, User: u.ID, Addr: ann})
		want(t, u, accounts.User{ID: u.ID, Username: u.Username, Joined: h.Clock.Now()})
		if strings.Contains(u.Username, "ann") {
			t.Errorf("the username %q tells the address", u.Username)
		}
	})
}

// shut is a way in which an id gets no message.
var shut = map[string]func(t *testing.T, h *house, ann accounts.ID, b *browser){
	"sign-up is closed": func(_ *testing.T, h *house, _ accounts.ID, _ *browser) { h.Signin.Settings.OpenSignup = false },
	"never proved and sign-up is closed": func(t *testing.T, h *house, ann accounts.ID, _ *browser) {
		h.Update(t, func(tx *db.Tx) error { _, _, err := accounts.Ensure(tx, ann); return err })
		h.Signin.Settings.OpenSignup = false
	},
	"deactivated": func(t *testing.T, h *house, ann accounts.ID, _ *browser) {
		h.Browser("203.0.113.1").SignsIn(t, ann)
		_, u := h.Account(t, ann)
		h.Update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
	},
	"deactivated before any proof": func(t *testing.T, h *house, ann accounts.ID, _ *browser) {
		h.Update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, ann)
			if err != nil {
				return err
			}
			return accounts.Deactivate(tx, u.ID)
		})
	},
	"disowned": func(t *testing.T, h *house, ann accounts.ID, b *browser) {
		m := b.Gets(t, ann)
		h.Browser("203.0.113.1").Disowns(t, m.NotMe, true)
		b.By.Attempt = h.Browser("").By.Attempt
	},
}

func TestWhoIsShutOutIsAnsweredLikeAnybody(t *testing.T) {
	for name, shutOut := range shut {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.Freely()
				ann, eve := addr(t, "ann@example.org"), addr(t, "abn@example.org")
				b, free := h.Browser("192.0.2.1"), h.Browser("192.0.2.1")
				m := free.Gets(t, eve)
				free.By.Attempt = h.Browser("").By.Attempt // both begin anew
				shutOut(t, h, ann, b)
				h.Clock.Advance(time.Second)
				sent := h.Messages(t)
				for range 4 {
					asked := b.Asks(t, signin.Request{ID: ann})
					if asked.Attempt.ID == 0 || asked != (signin.Started{Attempt: asked.Attempt}) {
						t.Fatalf("asked: %+v", asked)
					}
					free.Asks(t, signin.Request{ID: eve})
					got, other := b.Waiting(t), free.Waiting(t)
					want(t, got.Typed, ann.Identifier)
					want(t, other.Typed, eve.Identifier)
					got.Typed = other.Typed
					if !reflect.DeepEqual(got, other) {
						t.Errorf("the page shows %+v, to others %+v", got, other)
					}
				}
				code := h.MuteCode(t)
				for _, text := range []string{wrong(code), code, code} {
					got, other := b.Types(t, text), free.Types(t, wrong(m.Code))
					want(t, got.Verdict, signin.Wrong)
					if !reflect.DeepEqual(got, other) {
						t.Errorf("answered with %+v, others with %+v", got, other)
					}
				}
				if h.Signin.Settings.OpenSignup {
					want(t, h.Messages(t), sent+4) // those of the free one
				} else {
					want(t, h.Messages(t), sent)
				}
				want(t, h.Count(t, `SELECT count(*) FROM sessions WHERE prefix = $1 AND last_seen_at = $2`, b.By.Client.Prefix, h.Clock.Now().UnixMilli()), 0)
			})
		})
	}
}

func TestWhoIsShutOutLeavesAsManyRows(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.OpenSignup = false
		known := addr(t, "ann@example.org")
		h.Update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, known)
			if err != nil {
				return err
			}
			return accounts.Invite(tx, u.ID)
		})
		sizes := func() map[string]int {
			n := map[string]int{}
			for table, rows := range h.Dump(t) {
				n[table] = len(rows)
			}
			return n
		}
		grown := func(id accounts.ID) map[string]int {
			before := sizes()
			h.Browser("192.0.2.1").Asks(t, signin.Request{ID: id})
			n := sizes()
			for table := range n {
				n[table] -= before[table]
			}
			return n
		}
		h.Browser("192.0.2.1").Gets(t, addr(t, known.Identifier)) // the budget of this address has its row
		if a, b := grown(known), grown(addr(t, "who@example.org")); a["attempts"] != b["attempts"] || a["outbox"] != b["outbox"] || a["audit"] != b["audit"] {
			t.Errorf("a known id adds %v, an unknown one %v", a, b)
		}
		h.Mail(t)
		want(t, h.Count(t, `SELECT count(*) FROM accounts`), 1)
	})
}

func TestASuccessNeverRevivesADeactivatedUser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		for range 2 { // deactivated before and after a first proof
			b := h.Browser("192.0.2.1")
			m := b.Gets(t, ann)
			_, u := h.Account(t, ann)
			h.Update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
			want(t, b.Types(t, m.Code).Verdict, signin.Wrong)
			want(t, b.Clicks(t, m.Link).Verdict, signin.Expired)
			if _, u := h.Account(t, ann); u.Active || u.Deactivated.IsZero() {
				t.Fatalf("revived: %+v", u)
			}
			want(t, h.Count(t, `SELECT count(*) FROM sessions`), 0)
			h.Update(t, func(tx *db.Tx) error { return accounts.Reactivate(tx, u.ID) })
			h.Clock.Advance(time.Second)
			check(t, h.SignsOut(t.Context(), signedIn(t, h, ann)))
			h.Clock.Advance(time.Second)
		}
	})
}

func signedIn(t *testing.T, h *house, id accounts.ID) signin.Requester {
	t.Helper()
	b := h.Browser("203.0.113.9")
	b.SignsIn(t, id)
	return b.By
}

func TestInvitedAndProvedIDsGetInWhenSignUpIsClosed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		proved, invited, named := addr(t, "ann@example.org"), addr(t, "bob@example.org"), addr(t, "cyd@example.org")
		h.Browser("192.0.2.1").SignsIn(t, proved)
		h.Update(t, func(tx *db.Tx) error {
			_, u, err := accounts.Ensure(tx, invited)
			if err != nil {
				return err
			}
			return accounts.Invite(tx, u.ID)
		})
		h.Signin.Settings.OpenSignup = false
		h.Signin.Settings.Admins[named] = true
		h.Clock.Advance(time.Second)
		for _, id := range []accounts.ID{proved, invited, named} {
			h.Browser("192.0.2.1").SignsIn(t, id)
		}
	})
}

func TestAdminsOfTheSettingsArePromotedAtTheirFirstSuccessOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		h.Browser("192.0.2.1").SignsIn(t, bob)
		h.Signin.Settings.Admins[ann], h.Signin.Settings.Admins[bob] = true, true
		h.Clock.Advance(time.Second)
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		if _, u := h.Account(t, ann); u.Superuser {
			t.Fatal("promoted without a proof")
		}
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		_, u := h.Account(t, ann)
		if !u.Superuser {
			t.Fatal("not promoted")
		}
		h.Browser("192.0.2.1").SignsIn(t, bob)
		if _, u := h.Account(t, bob); u.Superuser {
			t.Error("promoted at a later sign-in")
		}
		h.Update(t, func(tx *db.Tx) error { return accounts.SetSuperuser(tx, u.ID, false, accounts.Force) })
		h.Clock.Advance(time.Second)
		h.Browser("192.0.2.1").SignsIn(t, ann)
		if _, u := h.Account(t, ann); u.Superuser {
			t.Error("demoted, and promoted once more")
		}
	})
}
