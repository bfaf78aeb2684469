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
				h.Freely()
				used, out, open, tried := h.Browser("192.0.2.1"), h.Browser("192.0.2.2"), h.Browser("192.0.2.3"), h.Browser("192.0.2.4")
				usedMail := used.Gets(t, addr(t, "ann@example.org"))
				want(t, used.Types(t, usedMail.Code).Verdict, signin.Accepted)
				voidMail := out.Gets(t, addr(t, "bob@example.org"))
				h.Clock.Advance(time.Second)
				h.Browser("192.0.2.5").SignsIn(t, addr(t, "bob@example.org"))
				openMail := open.Gets(t, addr(t, "cyd@example.org"))
				triedMail := tried.Gets(t, addr(t, "dan@example.org"))
				for range 5 {
					tried.Types(t, wrong(triedMail.Code))
				}
				ended := used.At(h)
				check(t, h.SignsOut(t.Context(), used.By))

				h.Clock.Advance(jump)
				want(t, used.Types(t, usedMail.Code).Verdict, signin.Used)
				want(t, out.Types(t, voidMail.Code).Verdict, signin.Expired)
				want(t, tried.Types(t, triedMail.Code).Verdict, signin.Exhausted)
				want(t, ended.IsIn(t), false)
				for range 4 {
					if v := open.Types(t, wrong(openMail.Code)).Verdict; v != signin.Wrong && v != signin.Expired {
						t.Fatalf("a wrong code is answered with %v", v)
					}
				}
			})
		})
	}
}

func TestAnExpiredCodeStaysDeadWhenTheClockJumpsBack(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		h.Clock.Advance(15 * time.Minute)
		want(t, b.Types(t, m.Code).Verdict, signin.Expired)
		h.Clock.Advance(-time.Hour)
		for _, v := range []signin.Verdict{b.Types(t, m.Code).Verdict, b.Clicks(t, m.Link).Verdict} {
			if v == signin.Accepted {
				t.Error("a code that was expired opened a session")
			}
		}
	})
}

func TestAClockThatJumpsBackLocksNobodyOutForLonger(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		b.SignsIn(t, ann)
		h.Clock.Advance(time.Minute)
		for range 3 {
			other.Asks(t, signin.Request{ID: ann})
			h.Clock.Advance(30 * time.Second)
		}
		h.Clock.Advance(-time.Hour)
		want(t, b.IsIn(t), true)
		h.Clock.Advance(time.Hour)
		for range 3 {
			h.Mail(t)
		}
		other.By.Attempt = h.Browser("").By.Attempt
		h.Browser("203.0.113.9").SignsIn(t, ann)
	})
}

func TestAClockThatJumpsForwardLocksNobodyOut(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, ann)
		h.Clock.Advance(time.Hour)
		want(t, b.IsIn(t), true)
		h.Browser("198.51.100.7").SignsIn(t, ann)
		h.Clock.Advance(-time.Hour) // and it is set right again
		want(t, b.IsIn(t), true)
		h.Clock.Advance(time.Hour + time.Millisecond)
		h.Browser("203.0.113.9").SignsIn(t, ann)
	})
}
