package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

// A stranger has an attempt open for somebody's id, and types what is not the code.
// The response is the same whatever the owner does meanwhile, and the same as for an
// unknown id.
func TestAnOpenAttemptDoesNotTellWhatTheOwnerDid(t *testing.T) {
	ann := "ann@example.org"
	for name, act := range map[string]func(t *testing.T, h *house, owner *browser){
		"nothing": func(*testing.T, *house, *browser) {},
		"signs in": func(t *testing.T, h *house, owner *browser) {
			owner.SignsIn(t, addr(t, ann))
		},
		"signs in by the link": func(t *testing.T, h *house, owner *browser) {
			want(t, owner.Clicks(t, owner.Gets(t, addr(t, ann)).Link).Verdict, signin.Accepted)
		},
		"deletes": func(t *testing.T, h *house, owner *browser) {
			owner.SignsIn(t, addr(t, ann))
			ok, err := h.Directory.DeleteOwn(t.Context(), owner.Owner())
			check(t, err)
			want(t, ok, true)
		},
		"is deactivated": func(t *testing.T, h *house, _ *browser) {
			_, u := h.Account(t, addr(t, ann))
			h.Update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
		},
		"is gone": func(t *testing.T, h *house, _ *browser) {
			h.Exec(t, `DELETE FROM accounts`)
			h.Exec(t, `DELETE FROM users`)
		},
		"gets a recovery link": func(t *testing.T, h *house, _ *browser) {
			_, u := h.Account(t, addr(t, ann))
			recovery(t, h, u.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.Freely()
				owner := h.Browser("198.51.100.1")
				owner.SignsIn(t, addr(t, ann))
				h.Clock.Advance(time.Minute)
				stranger := h.Browser("192.0.2.1")
				stranger.Gets(t, addr(t, ann))
				tell := func(left int) {
					t.Helper()
					e := stranger.Types(t, "000000")
					want(t, e.Verdict, signin.Wrong)
					want(t, e.TriesLeft, left)
					w := stranger.Waiting(t)
					want(t, w.Verdict, signin.Accepted)
					want(t, w.Long, false)
				}
				tell(4)
				act(t, h, owner)
				tell(3)
				if asked := stranger.Resends(t); asked.Wait > 0 || asked.Gone {
					t.Errorf("sending again is answered with %+v", asked)
				}
				tell(2)
			})
		})
	}
}

func TestACodeOfBeforeASuccessElsewhereIsOverForWhoHasIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		phone, desk := h.Browser("192.0.2.1"), h.Browser("192.0.2.2")
		old := phone.Gets(t, ann)
		desk.SignsIn(t, ann) // at the same moment, by the clock
		want(t, phone.Types(t, old.Code).Verdict, signin.Expired)
		want(t, phone.Clicks(t, old.Link).Verdict, signin.Expired)
		want(t, phone.Types(t, phone.GetsAgain(t).Code).Verdict, signin.Accepted)
	})
}

// The clock goes a day ahead, somebody signs in, and it comes back.
func TestASuccessOfAClockThatWasAheadVoidsNoLaterCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		h.Clock.Advance(24 * time.Hour)
		b.SignsIn(t, ann)
		h.Clock.Advance(-24 * time.Hour)
		h.Browser("192.0.2.2").SignsIn(t, ann)
		var link seal.Token
		_, u := h.Account(t, ann)
		link = recovery(t, h, u.ID)
		want(t, h.Browser("192.0.2.4").Clicks(t, link).Verdict, signin.Accepted)
	})
}

func TestACodeOfAClockThatWasAheadLivesNoLonger(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		h.Clock.Advance(time.Hour)
		m := b.Gets(t, addr(t, "ann@example.org"))
		h.Clock.Advance(-time.Hour)
		want(t, b.Types(t, m.Code).Verdict, signin.Expired)
		want(t, b.Types(t, b.GetsAgain(t).Code).Verdict, signin.Accepted)
	})
}

// Else who finds a browser signed in could delete the account for as long as the clock
// was ahead.
func TestAProofOfAClockThatWasAheadIsNotFresh(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		h.Clock.Advance(24 * time.Hour)
		b.SignsIn(t, addr(t, "ann@example.org"))
		h.Clock.Advance(-23 * time.Hour)
		want(t, b.IsIn(t), true)
		want(t, may(t, h, b, access.Anew), false)
		ok, err := h.Directory.DeleteOwn(t.Context(), b.Owner())
		check(t, err)
		want(t, ok, false)
		b.SignsIn(t, addr(t, "ann@example.org"))
		ok, err = h.Directory.DeleteOwn(t.Context(), b.Owner())
		check(t, err)
		want(t, ok, true)
	})
}

func TestASessionOfAClockThatWasAheadEndsByIdleTimeAllTheSame(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		h.Clock.Advance(7 * 24 * time.Hour)
		b.SignsIn(t, addr(t, "ann@example.org"))
		h.Clock.Advance(-7 * 24 * time.Hour)
		want(t, b.IsIn(t), true)
		check(t, h.Signin.Sessions.WriteSeen(t.Context()))
		h.Clock.Advance(h.Signin.Sessions.Settings.Idle - time.Minute)
		want(t, b.IsIn(t), true)
		h.Clock.Advance(time.Minute)
		want(t, b.IsIn(t), false)
	})
}
