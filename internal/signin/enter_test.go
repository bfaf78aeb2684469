package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestTheRightCodeSignsIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "Ann@Example.org")
		b := h.Browser("192.0.2.1")
		b.Asks(t, signin.Request{ID: ann, Next: "/notes?page=2"})
		m := h.Mail(t)
		want(t, m.To, "ann@example.org")
		w := b.Waiting(t)
		want(t, w.Verdict, signin.Accepted)
		want(t, w.Masked, "a***n@example.org")
		e := b.Types(t, " "+m.Code[:3]+"-"+m.Code[3:]+"\n")
		want(t, e.Verdict, signin.Accepted)
		want(t, e.Next, "/notes?page=2")
		want(t, e.Expires, h.Clock.Now().Add(h.Signin.Sessions.Settings.Absolute))
		session, err := h.Signin.Sessions.Check(t.Context(), e.Session)
		check(t, err)
		a, u := h.Account(t, ann)
		want(t, session.User.ID, u.ID)
		want(t, session.Account, a.ID)
		want(t, e.User, u.ID)
		want(t, u.Email, "ann@example.org")
		if got := h.Events(t, u.ID); got[0] != audit.CodeSent || got[len(got)-1] != audit.SignedIn {
			t.Errorf("history is %v", got)
		}
	})
}

func TestSuccessActivatesThatAccountAndItsUserOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, second, bob := addr(t, "ann@example.org"), addr(t, "ann@work.example"), addr(t, "bob@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		a, u := h.Account(t, ann)
		if a.Active || u.Active {
			t.Fatal("active before any proof")
		}
		for _, id := range []accounts.ID{second, bob} {
			h.Update(t, func(tx *db.Tx) error { _, _, err := accounts.Ensure(tx, id); return err })
		}
		h.Exec(t, `UPDATE accounts SET user_id = $1 WHERE identifier = $2`, u.ID, second.Identifier)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		a, u = h.Account(t, ann)
		if !a.Active || !u.Active || a.Activated != h.Clock.Now() || u.LastLogin != h.Clock.Now() {
			t.Errorf("not activated: %+v %+v", a, u)
		}
		if a, u := h.Account(t, second); a.Active || !u.Active {
			t.Errorf("the user's other account: active is %v", a.Active)
		}
		if a, u := h.Account(t, bob); a.Active || u.Active {
			t.Error("somebody else was activated")
		}
	})
}

func TestSuccessVoidsEveryOpenCodeOfTheAccount(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		here, there, bobs := h.Browser("192.0.2.1"), h.Browser("198.51.100.7"), h.Browser("203.0.113.9")
		first, second := here.Gets(t, ann), here.GetsAgain(t)
		elsewhere, late := there.Gets(t, ann), there.GetsAgain(t)
		other := bobs.Gets(t, bob)
		h.Clock.Advance(time.Second)
		want(t, here.Types(t, second.Code).Verdict, signin.Accepted)
		h.Clock.Advance(time.Second)
		want(t, here.Types(t, first.Code).Verdict, signin.Again) // harmless: a code of the attempt that signed in, in its own session
		want(t, there.Types(t, elsewhere.Code).Verdict, signin.Expired)
		want(t, there.Types(t, late.Code).Verdict, signin.Expired)
		want(t, there.Clicks(t, late.Link).Verdict, signin.Expired)
		want(t, bobs.Types(t, other.Code).Verdict, signin.Accepted)
	})
}

func TestThreeCodesOfOneAttemptLiveTogether(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		for i, name := range []string{"first@example.org", "second@example.org", "third@example.org"} {
			b := h.Browser("192.0.2.1")
			codes := []string{b.Gets(t, addr(t, name)).Code, b.GetsAgain(t).Code, b.GetsAgain(t).Code}
			want(t, b.Types(t, codes[i]).Verdict, signin.Accepted)
		}
	})
}

func TestTheFourthCodeReplacesTheOldest(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		for i, verdict := range []signin.Verdict{signin.Wrong, signin.Accepted, signin.Accepted, signin.Accepted} {
			b := h.Browser("192.0.2.1")
			id := addr(t, string(rune('a'+i))+"@example.org")
			all := []mail{b.Gets(t, id), b.GetsAgain(t), b.GetsAgain(t), b.GetsAgain(t)}
			want(t, b.Types(t, all[i].Code).Verdict, verdict)
			if i == 0 {
				want(t, b.Clicks(t, all[0].Link).Verdict, signin.Gone)
				want(t, b.Types(t, all[1].Code).Verdict, signin.Accepted)
			}
		}
	})
}

func TestACodeEndsWithItsTime(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		h.Clock.Advance(10 * time.Minute)
		want(t, b.Waiting(t).Verdict, signin.Expired)
		want(t, b.Types(t, m.Code).Verdict, signin.Expired)
		want(t, b.Clicks(t, m.Link).Verdict, signin.Expired)
		again := b.GetsAgain(t)
		want(t, b.Types(t, m.Code).Verdict, signin.Expired)
		h.Clock.Advance(10*time.Minute - time.Millisecond)
		want(t, b.Types(t, again.Code).Verdict, signin.Accepted)
	})
}

func TestAUsedCodeIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		b.Asks(t, signin.Request{ID: ann, Next: "/notes"})
		m := h.Mail(t)
		twin := b.At(h) // the same cookies, no session yet
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, twin.Types(t, m.Code).Verdict, signin.Used)
		want(t, twin.Clicks(t, m.Link).Verdict, signin.Used)
		want(t, b.Waiting(t).Verdict, signin.Used)
		want(t, h.Count(t, `SELECT count(*) FROM sessions`), 1)

		// A double click of the one who got in is no mistake.
		again := b.Types(t, m.Code)
		want(t, again.Verdict, signin.Again)
		want(t, again.Next, "/notes")
		want(t, b.Types(t, wrong(m.Code)).Verdict, signin.Used)
		forged := b.At(h)
		forged.By.Session.Secret[0] ^= 1
		want(t, forged.Types(t, m.Code).Verdict, signin.Used)
		check(t, h.SignsOut(t.Context(), b.By))
		want(t, b.Types(t, m.Code).Verdict, signin.Used)
	})
}

func TestACodeWorksInTheAskingBrowserOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other, forger := h.Browser("192.0.2.1"), h.Browser("198.51.100.7"), h.Browser("203.0.113.9")
		m := b.Gets(t, ann)
		want(t, other.Types(t, m.Code).Verdict, signin.Gone)
		theirs := other.Gets(t, ann)
		want(t, other.Types(t, m.Code).Verdict, signin.Wrong)
		want(t, b.Types(t, theirs.Code).Verdict, signin.Wrong)
		forger.By.Attempt = seal.NewToken(b.By.Attempt.ID)
		want(t, forger.Types(t, m.Code).Verdict, signin.Gone)
		want(t, forger.Waiting(t).Verdict, signin.Gone)
		want(t, forger.Resends(t).Gone, true)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestACodeOfAnotherAccountIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob := h.Browser("192.0.2.1"), h.Browser("192.0.2.1")
		a, b := ann.Gets(t, addr(t, "ann@example.org")), bob.Gets(t, addr(t, "bob@example.org"))
		want(t, ann.Types(t, b.Code).Verdict, signin.Wrong)
		want(t, bob.Types(t, a.Code).Verdict, signin.Wrong)
		want(t, h.Count(t, `SELECT count(*) FROM sessions`), 0)
	})
}

func TestAnAttemptGoesOnForItsOwnIDOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		b := h.Browser("192.0.2.1")
		first := b.Gets(t, addr(t, "ann@example.org"))
		attempt := b.By.Attempt
		second := b.Gets(t, addr(t, "ann@example.org"))
		want(t, b.By.Attempt, attempt)
		third := b.Gets(t, addr(t, "bob@example.org"))
		if b.By.Attempt == attempt {
			t.Fatal("another id went on with the attempt")
		}
		want(t, b.Types(t, first.Code).Verdict, signin.Wrong)
		want(t, b.Types(t, second.Code).Verdict, signin.Wrong)
		want(t, b.Types(t, third.Code).Verdict, signin.Accepted)
	})
}

func TestSendingAgainAfterTheEndBeginsANewAttempt(t *testing.T) {
	ends := map[string]func(t *testing.T, h *house, b *browser, m mail){
		"tries used up": func(t *testing.T, h *house, b *browser, m mail) {
			for range h.Signin.Settings.Tries {
				b.Types(t, wrong(m.Code))
			}
			want(t, b.Waiting(t).Verdict, signin.Exhausted)
		},
		"an hour old": func(_ *testing.T, h *house, _ *browser, _ mail) { h.Clock.Advance(time.Hour) },
		"used":        func(t *testing.T, _ *house, b *browser, m mail) { want(t, b.Types(t, m.Code).Verdict, signin.Accepted) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b := h.Browser("192.0.2.1")
				b.Asks(t, signin.Request{ID: addr(t, "ann@example.org"), Next: "/notes"})
				m := h.Mail(t)
				end(t, h, b, m)
				h.Clock.Advance(time.Second)
				attempt := b.By.Attempt
				again := b.GetsAgain(t)
				if b.By.Attempt == attempt {
					t.Fatal("the attempt went on")
				}
				if v := b.Types(t, m.Code).Verdict; v == signin.Accepted {
					t.Fatal("the old attempt's code was accepted")
				}
				e := b.Types(t, again.Code)
				want(t, e.Verdict, signin.Accepted)
				want(t, e.Next, "/notes")
			})
		})
	}
}
