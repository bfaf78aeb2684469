package signin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

func TestASessionEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, h *house, b *browser){
		"with a wrong secret":     func(_ *testing.T, _ *house, b *browser) { b.By.Session.Secret[31] ^= 1 },
		"with another id":         func(_ *testing.T, _ *house, b *browser) { b.By.Session.ID++ },
		"without a cookie":        func(_ *testing.T, _ *house, b *browser) { b.By.Session = seal.Token{} },
		"unused for 12 hours":     func(_ *testing.T, h *house, _ *browser) { h.Clock.Advance(12 * time.Hour) },
		"by signing out":          func(t *testing.T, h *house, b *browser) { check(t, h.SignsOut(t.Context(), b.By)) },
		"by its owner, elsewhere": endElsewhere,
		"with its user deactivated": func(t *testing.T, h *house, b *browser) {
			h.Update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, h.User(t, b)) })
		},
		"with its user deleted": func(t *testing.T, h *house, b *browser) {
			check(t, h.Deletes(t.Context(), h.User(t, b)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b := h.Browser("192.0.2.1")
				b.SignsIn(t, addr(t, "ann@example.org"))
				h.Clock.Advance(12*time.Hour - time.Millisecond)
				want(t, b.IsIn(t), true)
				h.Clock.Advance(-12*time.Hour + time.Millisecond)
				end(t, h, b)
				if _, err := h.Signin.Sessions.Check(t.Context(), b.By.Session); !errors.Is(err, db.ErrNotFound) {
					t.Fatalf("Check says %v", err)
				}
				if err := h.Directory.SaveSettings(t.Context(), b.Owner(), "A", "B", "de"); !errors.Is(err, db.ErrNotFound) {
					t.Fatalf("a session that ended may change settings: %v", err)
				}
				if _, err := h.Directory.DeleteOwn(t.Context(), b.Owner()); !errors.Is(err, db.ErrNotFound) {
					t.Fatalf("a session that ended may delete: %v", err)
				}
				check(t, h.SignsOut(t.Context(), b.By)) // no mistake
			})
		})
	}
}

func endElsewhere(t *testing.T, h *house, b *browser) {
	t.Helper()
	h.Clock.Advance(time.Second)
	other := h.Browser("198.51.100.7")
	other.SignsIn(t, addr(t, "ann@example.org"))
	check(t, h.Directory.EndSession(t.Context(), other.Owner(), db.ID(b.By.Session.ID)))
	want(t, other.IsIn(t), true)
}

func TestASessionInUseEndsAfterThirtyDays(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		began := h.Clock.Now()
		for h.Clock.Now().Sub(began) < 720*time.Hour-11*time.Hour {
			h.Clock.Advance(11 * time.Hour)
			want(t, b.IsIn(t), true)
			writeSeen(t, h)
		}
		h.Clock.Advance(began.Add(720*time.Hour - time.Millisecond).Sub(h.Clock.Now()))
		want(t, b.IsIn(t), true)
		h.Clock.Advance(time.Millisecond)
		want(t, b.IsIn(t), false)
	})
}

func TestASessionFoundOverStaysOverWhenTheClockJumpsBack(t *testing.T) {
	for name, late := range map[string]time.Duration{"unused": 12 * time.Hour, "too old": 720 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b, other := h.Browser("192.0.2.1"), h.Browser("192.0.2.2")
				b.SignsIn(t, addr(t, "ann@example.org"))
				other.SignsIn(t, addr(t, "bob@example.org"))
				h.Clock.Advance(late)
				want(t, b.IsIn(t), false)
				writeSeen(t, h)
				h.Clock.Advance(-late)
				want(t, b.IsIn(t), false)
				want(t, other.IsIn(t), true) // nobody looked
			})
		})
	}
}

// writeSeen does what Run does each second.
func writeSeen(t *testing.T, h *house) {
	t.Helper()
	check(t, h.Signin.Sessions.WriteSeen(t.Context()))
}

func TestRunWritesDownWhatWasSeen(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Signin.Sessions.Run(ctx) }()
		h.Clock.Advance(time.Hour)
		want(t, b.IsIn(t), true)
		for deadline := time.Now().Add(30 * time.Second); ; {
			s, err := h.Signin.Sessions.Check(t.Context(), b.By.Session)
			check(t, err)
			if s.LastSeen.Equal(h.Clock.Now()) {
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
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		seen := func() time.Time {
			return db.Time(int64(h.Count(t, `SELECT last_seen_at FROM sessions`)))
		}
		began := h.Clock.Now()
		uses := func() {
			for range 5 {
				want(t, b.IsIn(t), true)
			}
			writeSeen(t, h)
		}
		h.Clock.Advance(12*time.Minute - time.Millisecond)
		uses()
		want(t, seen(), began)
		h.Clock.Advance(time.Millisecond)
		uses()
		want(t, seen(), began.Add(12*time.Minute))
		h.Clock.Advance(11 * time.Minute)
		uses()
		want(t, seen(), began.Add(12*time.Minute))
		h.Clock.Advance(time.Minute)
		before := h.Dump(t)["sessions"][0]
		want(t, b.IsIn(t), true)
		want(t, h.Dump(t)["sessions"][0], before) // reading is free of writing
		writeSeen(t, h)
		want(t, seen(), began.Add(24*time.Minute))
	})
}

func TestEachSignInOpensANewSessionAndEndsTheBrowsersOld(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		b.SignsIn(t, ann)
		h.Clock.Advance(time.Second)
		other.SignsIn(t, ann)
		h.Clock.Advance(time.Second)
		old := b.At(h)
		b.SignsIn(t, ann)
		if old.By.Session == b.By.Session {
			t.Fatal("the session stayed the same")
		}
		want(t, old.IsIn(t), false)
		want(t, b.IsIn(t), true)
		want(t, other.IsIn(t), true)
		want(t, h.Count(t, `SELECT count(*) FROM proofs`), 2)
		h.Clock.Advance(time.Second)

		// Another person in the same browser ends it as well.
		b.SignsIn(t, addr(t, "bob@example.org"))
		want(t, h.Count(t, `SELECT count(*) FROM sessions`), 2)
	})
}

func TestASessionThatABrowserChoseIsNotAdopted(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		b.By.Session = seal.NewToken(int64(db.FirstID(h.Clock.Now())))
		chosen := b.By.Session
		e := b.SignsIn(t, addr(t, "ann@example.org"))
		if e.Session == chosen || e.Session.ID == chosen.ID {
			t.Fatal("adopted")
		}
	})
}

func TestAForgedCookieEndsNobodysSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, eve := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		b.SignsIn(t, addr(t, "ann@example.org"))
		eve.By.Session = seal.NewToken(b.By.Session.ID)
		check(t, h.SignsOut(t.Context(), eve.By))
		eve.SignsIn(t, addr(t, "eve@example.org"))
		want(t, b.IsIn(t), true)
		check(t, h.Directory.EndSession(t.Context(), eve.Owner(), db.ID(b.By.Session.ID))) // somebody else's is not hers to end
		check(t, h.Directory.EndOthers(t.Context(), eve.Owner()))
		want(t, b.IsIn(t), true)
	})
}

func TestEndOthersKeepsThisOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		var all []*browser
		for range 3 {
			b := h.Browser("192.0.2.1")
			b.SignsIn(t, ann)
			all = append(all, b)
			h.Clock.Advance(time.Second)
		}
		check(t, h.Directory.EndOthers(t.Context(), all[1].Owner()))
		want(t, all[0].IsIn(t), false)
		want(t, all[1].IsIn(t), true)
		want(t, all[2].IsIn(t), false)
		want(t, h.Count(t, `SELECT count(*) FROM proofs`), 1)
	})
}

func TestFreshMeansAProofThatYoung(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, addr(t, "ann@example.org"))
		h.Clock.Advance(session.FreshFor)
		want(t, may(t, h, b, access.Anew), true)
		h.Clock.Advance(time.Millisecond)
		want(t, may(t, h, b, access.Anew), false)
		want(t, may(t, h, b, multifactor.EndSessions), true) // for which none is needed
		want(t, may(t, h, h.Browser("192.0.2.1"), multifactor.EndSessions), false)
	})
}

// may reports whether a browser's session may do an action.
func may(t testing.TB, h *house, b *browser, action string) bool {
	t.Helper()
	a, err := h.Access.Access(t.Context(), b.By.Session, multifactor.Thing{Kind: multifactor.Action, Name: action})
	check(t, err)
	return a.Session.ID != 0 && a.Decision.Allowed
}
