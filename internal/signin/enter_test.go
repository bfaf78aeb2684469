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
		b := h.browser("192.0.2.1")
		b.asks(t, signin.Request{ID: ann, Next: "/notes?page=2"})
		m := h.mail(t)
		want(t, m.to, "ann@example.org")
		w := b.waiting(t)
		want(t, w.Verdict, signin.Accepted)
		want(t, w.Masked, "a***n@example.org")
		e := b.types(t, " "+m.code[:3]+"-"+m.code[3:]+"\n")
		want(t, e.Verdict, signin.Accepted)
		want(t, e.Next, "/notes?page=2")
		want(t, e.Expires, h.clock.Now().Add(h.s.Sessions.Settings.Absolute))
		session, err := h.s.Sessions.Check(t.Context(), e.Session)
		check(t, err)
		a, u := h.account(t, ann)
		want(t, session.User.ID, u.ID)
		want(t, session.Account, a.ID)
		want(t, e.User, u.ID)
		want(t, u.Email, "ann@example.org")
		if got := h.events(t, u.ID); got[0] != audit.CodeSent || got[len(got)-1] != audit.SignedIn {
			t.Errorf("history is %v", got)
		}
	})
}

func TestSuccessActivatesThatAccountAndItsUserOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, second, bob := addr(t, "ann@example.org"), addr(t, "ann@work.example"), addr(t, "bob@example.org")
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		a, u := h.account(t, ann)
		if a.Active || u.Active {
			t.Fatal("active before any proof")
		}
		for _, id := range []accounts.ID{second, bob} {
			h.update(t, func(tx *db.Tx) error { _, _, err := accounts.Ensure(tx, id); return err })
		}
		h.exec(t, `UPDATE accounts SET user_id = $1 WHERE identifier = $2`, u.ID, second.Identifier)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		a, u = h.account(t, ann)
		if !a.Active || !u.Active || a.Activated != h.clock.Now() || u.LastLogin != h.clock.Now() {
			t.Errorf("not activated: %+v %+v", a, u)
		}
		if a, u := h.account(t, second); a.Active || !u.Active {
			t.Errorf("the user's other account: active is %v", a.Active)
		}
		if a, u := h.account(t, bob); a.Active || u.Active {
			t.Error("somebody else was activated")
		}
	})
}

func TestSuccessVoidsEveryOpenCodeOfTheAccount(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		here, there, bobs := h.browser("192.0.2.1"), h.browser("198.51.100.7"), h.browser("203.0.113.9")
		first, second := here.gets(t, ann), here.getsAgain(t)
		elsewhere, late := there.gets(t, ann), there.getsAgain(t)
		other := bobs.gets(t, bob)
		h.clock.Advance(time.Second)
		want(t, here.types(t, second.code).Verdict, signin.Accepted)
		h.clock.Advance(time.Second)
		want(t, here.types(t, first.code).Verdict, signin.Again) // harmless: a code of the attempt that signed in, in its own session
		want(t, there.types(t, elsewhere.code).Verdict, signin.Expired)
		want(t, there.types(t, late.code).Verdict, signin.Expired)
		want(t, there.clicks(t, late.link).Verdict, signin.Expired)
		want(t, bobs.types(t, other.code).Verdict, signin.Accepted)
	})
}

func TestThreeCodesOfOneAttemptLiveTogether(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		for i, name := range []string{"first@example.org", "second@example.org", "third@example.org"} {
			b := h.browser("192.0.2.1")
			codes := []string{b.gets(t, addr(t, name)).code, b.getsAgain(t).code, b.getsAgain(t).code}
			want(t, b.types(t, codes[i]).Verdict, signin.Accepted)
		}
	})
}

func TestTheFourthCodeReplacesTheOldest(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		for i, verdict := range []signin.Verdict{signin.Wrong, signin.Accepted, signin.Accepted, signin.Accepted} {
			b := h.browser("192.0.2.1")
			id := addr(t, string(rune('a'+i))+"@example.org")
			all := []mail{b.gets(t, id), b.getsAgain(t), b.getsAgain(t), b.getsAgain(t)}
			want(t, b.types(t, all[i].code).Verdict, verdict)
			if i == 0 {
				want(t, b.clicks(t, all[0].link).Verdict, signin.Gone)
				want(t, b.types(t, all[1].code).Verdict, signin.Accepted)
			}
		}
	})
}

func TestACodeEndsWithItsTime(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		h.clock.Advance(10 * time.Minute)
		want(t, b.waiting(t).Verdict, signin.Expired)
		want(t, b.types(t, m.code).Verdict, signin.Expired)
		want(t, b.clicks(t, m.link).Verdict, signin.Expired)
		again := b.getsAgain(t)
		want(t, b.types(t, m.code).Verdict, signin.Expired)
		h.clock.Advance(10*time.Minute - time.Millisecond)
		want(t, b.types(t, again.code).Verdict, signin.Accepted)
	})
}

func TestAUsedCodeIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		b.asks(t, signin.Request{ID: ann, Next: "/notes"})
		m := h.mail(t)
		twin := b.at(h) // the same cookies, no session yet
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, twin.types(t, m.code).Verdict, signin.Used)
		want(t, twin.clicks(t, m.link).Verdict, signin.Used)
		want(t, b.waiting(t).Verdict, signin.Used)
		want(t, h.count(t, `SELECT count(*) FROM sessions`), 1)

		// A double click of the one who got in is no mistake.
		again := b.types(t, m.code)
		want(t, again.Verdict, signin.Again)
		want(t, again.Next, "/notes")
		want(t, b.types(t, wrong(m.code)).Verdict, signin.Used)
		forged := b.at(h)
		forged.by.Session.Secret[0] ^= 1
		want(t, forged.types(t, m.code).Verdict, signin.Used)
		check(t, h.s.SignOut(t.Context(), b.by))
		want(t, b.types(t, m.code).Verdict, signin.Used)
	})
}

func TestACodeWorksInTheAskingBrowserOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other, forger := h.browser("192.0.2.1"), h.browser("198.51.100.7"), h.browser("203.0.113.9")
		m := b.gets(t, ann)
		want(t, other.types(t, m.code).Verdict, signin.Gone)
		theirs := other.gets(t, ann)
		want(t, other.types(t, m.code).Verdict, signin.Wrong)
		want(t, b.types(t, theirs.code).Verdict, signin.Wrong)
		forger.by.Attempt = seal.NewToken(b.by.Attempt.ID)
		want(t, forger.types(t, m.code).Verdict, signin.Gone)
		want(t, forger.waiting(t).Verdict, signin.Gone)
		want(t, forger.resends(t).Gone, true)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestACodeOfAnotherAccountIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, bob := h.browser("192.0.2.1"), h.browser("192.0.2.1")
		a, b := ann.gets(t, addr(t, "ann@example.org")), bob.gets(t, addr(t, "bob@example.org"))
		want(t, ann.types(t, b.code).Verdict, signin.Wrong)
		want(t, bob.types(t, a.code).Verdict, signin.Wrong)
		want(t, h.count(t, `SELECT count(*) FROM sessions`), 0)
	})
}

func TestAnAttemptGoesOnForItsOwnIDOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		b := h.browser("192.0.2.1")
		first := b.gets(t, addr(t, "ann@example.org"))
		attempt := b.by.Attempt
		second := b.gets(t, addr(t, "ann@example.org"))
		want(t, b.by.Attempt, attempt)
		third := b.gets(t, addr(t, "bob@example.org"))
		if b.by.Attempt == attempt {
			t.Fatal("another id went on with the attempt")
		}
		want(t, b.types(t, first.code).Verdict, signin.Wrong)
		want(t, b.types(t, second.code).Verdict, signin.Wrong)
		want(t, b.types(t, third.code).Verdict, signin.Accepted)
	})
}

func TestSendingAgainAfterTheEndBeginsANewAttempt(t *testing.T) {
	ends := map[string]func(t *testing.T, h *house, b *browser, m mail){
		"tries used up": func(t *testing.T, h *house, b *browser, m mail) {
			for range h.s.Settings.Tries {
				b.types(t, wrong(m.code))
			}
			want(t, b.waiting(t).Verdict, signin.Exhausted)
		},
		"an hour old": func(_ *testing.T, h *house, _ *browser, _ mail) { h.clock.Advance(time.Hour) },
		"used":        func(t *testing.T, _ *house, b *browser, m mail) { want(t, b.types(t, m.code).Verdict, signin.Accepted) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				b := h.browser("192.0.2.1")
				b.asks(t, signin.Request{ID: addr(t, "ann@example.org"), Next: "/notes"})
				m := h.mail(t)
				end(t, h, b, m)
				h.clock.Advance(time.Second)
				attempt := b.by.Attempt
				again := b.getsAgain(t)
				if b.by.Attempt == attempt {
					t.Fatal("the attempt went on")
				}
				if v := b.types(t, m.code).Verdict; v == signin.Accepted {
					t.Fatal("the old attempt's code was accepted")
				}
				e := b.types(t, again.code)
				want(t, e.Verdict, signin.Accepted)
				want(t, e.Next, "/notes")
			})
		})
	}
}
