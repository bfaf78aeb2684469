package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
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
			owner.signsIn(t, addr(t, ann))
		},
		"signs in by the link": func(t *testing.T, h *house, owner *browser) {
			want(t, owner.clicks(t, owner.gets(t, addr(t, ann)).link).Verdict, signin.Accepted)
		},
		"deletes": func(t *testing.T, h *house, owner *browser) {
			owner.signsIn(t, addr(t, ann))
			ok, err := h.dir.DeleteOwn(t.Context(), owner.owner())
			check(t, err)
			want(t, ok, true)
		},
		"is deactivated": func(t *testing.T, h *house, _ *browser) {
			_, u := h.account(t, addr(t, ann))
			h.update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
		},
		"is gone": func(t *testing.T, h *house, _ *browser) {
			h.exec(t, `DELETE FROM accounts`)
			h.exec(t, `DELETE FROM users`)
		},
		"gets a recovery link": func(t *testing.T, h *house, _ *browser) {
			_, u := h.account(t, addr(t, ann))
			h.recovery(t, u.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.freely()
				owner := h.browser("198.51.100.1")
				owner.signsIn(t, addr(t, ann))
				h.clock.Advance(time.Minute)
				stranger := h.browser("192.0.2.1")
				stranger.gets(t, addr(t, ann))
				tell := func(left int) {
					t.Helper()
					e := stranger.types(t, "000000")
					want(t, e.Verdict, signin.Wrong)
					want(t, e.TriesLeft, left)
					w := stranger.waiting(t)
					want(t, w.Verdict, signin.Accepted)
					want(t, w.Long, false)
				}
				tell(4)
				act(t, h, owner)
				tell(3)
				if asked := stranger.resends(t); asked.Wait > 0 || asked.Gone {
					t.Errorf("sending again is answered with %+v", asked)
				}
				tell(2)
			})
		})
	}
}

func TestACodeOfBeforeASuccessElsewhereIsOverForWhoHasIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		phone, desk := h.browser("192.0.2.1"), h.browser("192.0.2.2")
		old := phone.gets(t, ann)
		desk.signsIn(t, ann) // at the same moment, by the clock
		want(t, phone.types(t, old.code).Verdict, signin.Expired)
		want(t, phone.clicks(t, old.link).Verdict, signin.Expired)
		want(t, phone.types(t, phone.getsAgain(t).code).Verdict, signin.Accepted)
	})
}

// The clock goes a day ahead, somebody signs in, and it comes back.
func TestASuccessOfAClockThatWasAheadVoidsNoLaterCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		h.clock.Advance(24 * time.Hour)
		b.signsIn(t, ann)
		h.clock.Advance(-24 * time.Hour)
		h.browser("192.0.2.2").signsIn(t, ann)
		var link seal.Token
		_, u := h.account(t, ann)
		link = h.recovery(t, u.ID)
		want(t, h.browser("192.0.2.4").clicks(t, link).Verdict, signin.Accepted)
	})
}

func TestACodeOfAClockThatWasAheadLivesNoLonger(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		h.clock.Advance(time.Hour)
		m := b.gets(t, addr(t, "ann@example.org"))
		h.clock.Advance(-time.Hour)
		want(t, b.types(t, m.code).Verdict, signin.Expired)
		want(t, b.types(t, b.getsAgain(t).code).Verdict, signin.Accepted)
	})
}

// Else who finds a browser signed in could delete the account for as long as the clock
// was ahead.
func TestAProofOfAClockThatWasAheadIsNotFresh(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		h.clock.Advance(24 * time.Hour)
		b.signsIn(t, addr(t, "ann@example.org"))
		h.clock.Advance(-23 * time.Hour)
		want(t, b.isIn(t), true)
		fresh, err := h.s.Fresh(t.Context(), db.ID(b.by.Session.ID), directory.FreshFor)
		check(t, err)
		want(t, fresh, false)
		ok, err := h.dir.DeleteOwn(t.Context(), b.owner())
		check(t, err)
		want(t, ok, false)
		b.signsIn(t, addr(t, "ann@example.org"))
		ok, err = h.dir.DeleteOwn(t.Context(), b.owner())
		check(t, err)
		want(t, ok, true)
	})
}

func TestASessionOfAClockThatWasAheadEndsByIdleTimeAllTheSame(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		h.clock.Advance(7 * 24 * time.Hour)
		b.signsIn(t, addr(t, "ann@example.org"))
		h.clock.Advance(-7 * 24 * time.Hour)
		want(t, b.isIn(t), true)
		check(t, h.s.Sessions.WriteSeen(t.Context()))
		h.clock.Advance(h.s.Sessions.Settings.Idle - time.Minute)
		want(t, b.isIn(t), true)
		h.clock.Advance(time.Minute)
		want(t, b.isIn(t), false)
	})
}
