package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/signin"
)

func TestAClockThatJumpsLetsNobodyIn(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.freely()
				used, out, open, tried := h.browser("192.0.2.1"), h.browser("192.0.2.2"), h.browser("192.0.2.3"), h.browser("192.0.2.4")
				usedMail := used.gets(t, addr(t, "ann@example.org"))
				want(t, used.types(t, usedMail.code).Verdict, signin.Accepted)
				voidMail := out.gets(t, addr(t, "bob@example.org"))
				h.clock.Advance(time.Second)
				h.browser("192.0.2.5").signsIn(t, addr(t, "bob@example.org"))
				openMail := open.gets(t, addr(t, "cyd@example.org"))
				triedMail := tried.gets(t, addr(t, "dan@example.org"))
				for range 5 {
					tried.types(t, wrong(triedMail.code))
				}
				ended := used.at(h)
				check(t, h.s.SignOut(t.Context(), used.by))

				h.clock.Advance(jump)
				want(t, used.types(t, usedMail.code).Verdict, signin.Used)
				want(t, out.types(t, voidMail.code).Verdict, signin.Expired)
				want(t, tried.types(t, triedMail.code).Verdict, signin.Exhausted)
				want(t, ended.isIn(t), false)
				for range 4 {
					if v := open.types(t, wrong(openMail.code)).Verdict; v != signin.Wrong && v != signin.Expired {
						t.Fatalf("a wrong code is answered with %v", v)
					}
				}
			})
		})
	}
}

func TestAnExpiredCodeStaysDeadWhenTheClockJumpsBack(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		h.clock.Advance(15 * time.Minute)
		want(t, b.types(t, m.code).Verdict, signin.Expired)
		h.clock.Advance(-time.Hour)
		for _, v := range []signin.Verdict{b.types(t, m.code).Verdict, b.clicks(t, m.link).Verdict} {
			if v == signin.Accepted {
				t.Error("a code that was expired opened a session")
			}
		}
	})
}

func TestAClockThatJumpsBackLocksNobodyOutForLonger(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		b.signsIn(t, ann)
		h.clock.Advance(time.Minute)
		for range 3 {
			other.asks(t, signin.Request{ID: ann})
			h.clock.Advance(30 * time.Second)
		}
		h.clock.Advance(-time.Hour)
		want(t, b.isIn(t), true)
		h.clock.Advance(time.Hour)
		for range 3 {
			h.mail(t)
		}
		other.by.Attempt = h.browser("").by.Attempt
		h.browser("203.0.113.9").signsIn(t, ann)
	})
}

func TestAClockThatJumpsForwardLocksNobodyOut(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		b.signsIn(t, ann)
		h.clock.Advance(time.Hour)
		want(t, b.isIn(t), true)
		h.browser("198.51.100.7").signsIn(t, ann)
		h.clock.Advance(-time.Hour) // and it is set right again
		want(t, b.isIn(t), true)
		h.clock.Advance(time.Hour + time.Millisecond)
		h.browser("203.0.113.9").signsIn(t, ann)
	})
}
