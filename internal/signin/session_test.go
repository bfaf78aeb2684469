package signin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

func TestASessionEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, h *house, b *browser){
		"with a wrong secret":     func(_ *testing.T, _ *house, b *browser) { b.by.Session.Secret[31] ^= 1 },
		"with another id":         func(_ *testing.T, _ *house, b *browser) { b.by.Session.ID++ },
		"without a cookie":        func(_ *testing.T, _ *house, b *browser) { b.by.Session = seal.Token{} },
		"unused for 12 hours":     func(_ *testing.T, h *house, _ *browser) { h.clock.Advance(12 * time.Hour) },
		"by signing out":          func(t *testing.T, h *house, b *browser) { check(t, h.s.SignOut(t.Context(), b.by)) },
		"by its owner, elsewhere": endElsewhere,
		"with its user deactivated": func(t *testing.T, h *house, b *browser) {
			h.update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, h.user(t, b)) })
		},
		"with its user deleted": func(t *testing.T, h *house, b *browser) {
			check(t, h.deletes(t.Context(), h.user(t, b)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b := h.browser("192.0.2.1")
				b.signsIn(t, addr(t, "ann@example.org"))
				h.clock.Advance(12*time.Hour - time.Millisecond)
				want(t, b.isIn(t), true)
				h.clock.Advance(-12*time.Hour + time.Millisecond)
				end(t, h, b)
				if _, err := h.s.Sessions.Check(t.Context(), b.by.Session); !errors.Is(err, db.ErrNotFound) {
					t.Fatalf("Check says %v", err)
				}
				if err := h.dir.SaveSettings(t.Context(), b.owner(), "A", "B", "de"); !errors.Is(err, db.ErrNotFound) {
					t.Fatalf("a session that ended may change settings: %v", err)
				}
				if _, err := h.dir.DeleteOwn(t.Context(), b.owner()); !errors.Is(err, db.ErrNotFound) {
					t.Fatalf("a session that ended may delete: %v", err)
				}
				check(t, h.s.SignOut(t.Context(), b.by)) // no mistake
			})
		})
	}
}

func endElsewhere(t *testing.T, h *house, b *browser) {
	t.Helper()
	h.clock.Advance(time.Second)
	other := h.browser("198.51.100.7")
	other.signsIn(t, addr(t, "ann@example.org"))
	check(t, h.dir.EndSession(t.Context(), other.owner(), db.ID(b.by.Session.ID)))
	want(t, other.isIn(t), true)
}

func TestASessionInUseEndsAfterThirtyDays(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		b.signsIn(t, addr(t, "ann@example.org"))
		began := h.clock.Now()
		for h.clock.Now().Sub(began) < 720*time.Hour-11*time.Hour {
			h.clock.Advance(11 * time.Hour)
			want(t, b.isIn(t), true)
			h.writeSeen(t)
		}
		h.clock.Advance(began.Add(720*time.Hour - time.Millisecond).Sub(h.clock.Now()))
		want(t, b.isIn(t), true)
		h.clock.Advance(time.Millisecond)
		want(t, b.isIn(t), false)
	})
}

func TestASessionFoundOverStaysOverWhenTheClockJumpsBack(t *testing.T) {
	for name, late := range map[string]time.Duration{"unused": 12 * time.Hour, "too old": 720 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b, other := h.browser("192.0.2.1"), h.browser("192.0.2.2")
				b.signsIn(t, addr(t, "ann@example.org"))
				other.signsIn(t, addr(t, "bob@example.org"))
				h.clock.Advance(late)
				want(t, b.isIn(t), false)
				h.writeSeen(t)
				h.clock.Advance(-late)
				want(t, b.isIn(t), false)
				want(t, other.isIn(t), true) // nobody looked
			})
		})
	}
}

// writeSeen does what Run does each second.
func (h *house) writeSeen(t *testing.T) {
	t.Helper()
	check(t, h.s.Sessions.WriteSeen(t.Context()))
}

func TestRunWritesDownWhatWasSeen(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		b.signsIn(t, addr(t, "ann@example.org"))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.s.Sessions.Run(ctx) }()
		h.clock.Advance(time.Hour)
		want(t, b.isIn(t), true)
		for deadline := time.Now().Add(30 * time.Second); ; {
			s, err := h.s.Sessions.Check(t.Context(), b.by.Session)
			check(t, err)
			if s.LastSeen.Equal(h.clock.Now()) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("not written")
			}
		}
		stop()
		check(t, <-ended)
	})
}

func TestLastUseIsWrittenOncePerSixtiethOfTheIdleTime(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		b.signsIn(t, addr(t, "ann@example.org"))
		seen := func() time.Time {
			return db.Time(int64(h.count(t, `SELECT last_seen_at FROM sessions`)))
		}
		began := h.clock.Now()
		uses := func() {
			for range 5 {
				want(t, b.isIn(t), true)
			}
			h.writeSeen(t)
		}
		h.clock.Advance(12*time.Minute - time.Millisecond)
		uses()
		want(t, seen(), began)
		h.clock.Advance(time.Millisecond)
		uses()
		want(t, seen(), began.Add(12*time.Minute))
		h.clock.Advance(11 * time.Minute)
		uses()
		want(t, seen(), began.Add(12*time.Minute))
		h.clock.Advance(time.Minute)
		before := h.dump(t)["sessions"][0]
		want(t, b.isIn(t), true)
		want(t, h.dump(t)["sessions"][0], before) // reading is free of writing
		h.writeSeen(t)
		want(t, seen(), began.Add(24*time.Minute))
	})
}

func TestEachSignInOpensANewSessionAndEndsTheBrowsersOld(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		b.signsIn(t, ann)
		h.clock.Advance(time.Second)
		other.signsIn(t, ann)
		h.clock.Advance(time.Second)
		old := b.at(h)
		b.signsIn(t, ann)
		if old.by.Session == b.by.Session {
			t.Fatal("the session stayed the same")
		}
		want(t, old.isIn(t), false)
		want(t, b.isIn(t), true)
		want(t, other.isIn(t), true)
		want(t, h.count(t, `SELECT count(*) FROM proofs`), 2)
		h.clock.Advance(time.Second)

		// Another person in the same browser ends it as well.
		b.signsIn(t, addr(t, "bob@example.org"))
		want(t, h.count(t, `SELECT count(*) FROM sessions`), 2)
	})
}

func TestASessionThatABrowserChoseIsNotAdopted(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		b.by.Session = seal.NewToken(int64(db.FirstID(h.clock.Now())))
		chosen := b.by.Session
		e := b.signsIn(t, addr(t, "ann@example.org"))
		if e.Session == chosen || e.Session.ID == chosen.ID {
			t.Fatal("adopted")
		}
	})
}

func TestAForgedCookieEndsNobodysSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, eve := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		b.signsIn(t, addr(t, "ann@example.org"))
		eve.by.Session = seal.NewToken(b.by.Session.ID)
		check(t, h.s.SignOut(t.Context(), eve.by))
		eve.signsIn(t, addr(t, "eve@example.org"))
		want(t, b.isIn(t), true)
		check(t, h.dir.EndSession(t.Context(), eve.owner(), db.ID(b.by.Session.ID))) // somebody else's is not hers to end
		check(t, h.dir.EndOthers(t.Context(), eve.owner()))
		want(t, b.isIn(t), true)
	})
}

func TestEndOthersKeepsThisOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		var all []*browser
		for range 3 {
			b := h.browser("192.0.2.1")
			b.signsIn(t, ann)
			all = append(all, b)
			h.clock.Advance(time.Second)
		}
		check(t, h.dir.EndOthers(t.Context(), all[1].owner()))
		want(t, all[0].isIn(t), false)
		want(t, all[1].isIn(t), true)
		want(t, all[2].isIn(t), false)
		want(t, h.count(t, `SELECT count(*) FROM proofs`), 1)
	})
}

func TestFreshMeansAProofThatYoung(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		b.signsIn(t, addr(t, "ann@example.org"))
		fresh := func(age time.Duration) bool {
			ok, err := h.s.Fresh(t.Context(), db.ID(b.by.Session.ID), age)
			check(t, err)
			return ok
		}
		h.clock.Advance(5 * time.Minute)
		want(t, fresh(5*time.Minute), true)
		want(t, fresh(5*time.Minute-time.Millisecond), false)
		ok, err := h.s.Fresh(t.Context(), db.ID(b.by.Session.ID)+1, 24*time.Hour)
		check(t, err)
		want(t, ok, false)
	})
}
