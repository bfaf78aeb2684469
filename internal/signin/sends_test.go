package signin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/signin"
)

// refused requests a code from a fresh browser at a network and reports whether that was
// refused. It reads the message, if one is sent.
func refused(t *testing.T, h *house, network string, id accounts.ID) bool {
	t.Helper()
	asked := h.Browser(network).Asks(t, signin.Request{ID: id})
	if asked.Wait == 0 {
		h.Mail(t)
	}
	return asked.Wait > 0
}

// granted counts how often strangers, each at a network of their own, are
// granted a message before the first refusal.
func granted(t *testing.T, h *house, id accounts.ID, nets string) (n int) {
	t.Helper()
	for n < 100 && !refused(t, h, fmt.Sprintf("%s.%d", nets, n), id) {
		n++
	}
	return n
}

func TestOnePrefixTakesPartOfAnIDsMessagesOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.NothingKept()
		ann := addr(t, "ann@example.org")
		for range 3 {
			want(t, refused(t, h, "192.0.2.1", ann), false)
		}
		want(t, refused(t, h, "192.0.2.1", ann), true)
		want(t, h.Messages(t), 3)
		want(t, granted(t, h, ann, "198.51.100"), 2) // what the prefix was refused took nothing
	})
}

func TestAnIDGetsFiveMessagesFromStrangers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.NothingKept()
		ann := addr(t, "ann@example.org")
		want(t, granted(t, h, ann, "198.51.100"), 5)
		want(t, h.Messages(t), 5)
		asked := h.Browser("203.0.113.1").Asks(t, signin.Request{ID: ann})
		if asked.Wait <= 0 || asked.Wait > 15*time.Minute || asked.Soon || asked.Attempt.ID != 0 {
			t.Fatalf("the refusal says %+v", asked)
		}
		want(t, refused(t, h, "203.0.113.2", addr(t, "bob@example.org")), false)
		h.Clock.Advance(asked.Wait - time.Millisecond)
		want(t, refused(t, h, "203.0.113.3", ann), true)
		h.Clock.Advance(time.Millisecond)
		want(t, refused(t, h, "203.0.113.4", ann), false)
	})
}

func TestSpellingsOfOneMailboxShareItsMessages(t *testing.T) {
	for _, spellings := range [][]string{
		{"ann@example.org", "ann+1@example.org", "ANN+two@example.org", "ann+a+b@EXAMPLE.org", "ann+@example.org", "ann+6@example.org"},
		{"a.nn@gmail.com", "ann@gmail.com", "a.n.n+x@gmail.com", "ann@googlemail.com", "an.n+y@googlemail.com", "a.n.n@googlemail.com"},
	} {
		t.Run(spellings[0], func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.NothingKept()
				for i, text := range spellings {
					want(t, refused(t, h, fmt.Sprintf("198.51.100.%d", i), addr(t, text)), i == 5)
				}
				want(t, h.Messages(t), 5)
			})
		})
	}
}

func TestDotsElsewhereAreOtherMailboxes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.NothingKept()
		want(t, granted(t, h, addr(t, "ann@example.org"), "198.51.100"), 5)
		want(t, granted(t, h, addr(t, "a.nn@example.org"), "198.51.100"), 5)
	})
}

func TestOneAddressAsksThirtyTimes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for i := range 31 {
			want(t, refused(t, h, "192.0.2.1", addr(t, fmt.Sprintf("p%d@example.org", i))), i == 30)
		}
		want(t, refused(t, h, "192.0.2.2", addr(t, "p30@example.org")), false)
	})
}

func TestStrangersCannotLockTheOwnerOut(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.NothingKept()
		ann := addr(t, "ann@example.org")
		own := h.Browser("192.0.2.1")
		own.SignsIn(t, ann)
		h.Clock.Advance(time.Millisecond)
		want(t, granted(t, h, ann, "198.51.100"), 5)
		want(t, refused(t, h, "203.0.113.1", ann), true)
		own.SignsIn(t, ann)
		check(t, h.SignsOut(t.Context(), own.By)) // the browser cookie survives that
		h.Clock.Advance(time.Millisecond)
		own.SignsIn(t, ann)
	})
}

func TestAKnownBrowsersMessagesAreBoundedToo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.NothingKept()
		h.Signin.Settings.ResendEvery = 0
		ann := addr(t, "ann@example.org")
		own := h.Browser("192.0.2.1")
		own.SignsIn(t, ann)
		for range 5 {
			own.Gets(t, ann)
		}
		if asked := own.Asks(t, signin.Request{ID: ann}); asked.Wait <= 0 || asked.Soon {
			t.Fatalf("the sixth: %+v", asked)
		}
		// It is known for this id, not for others.
		want(t, granted(t, h, addr(t, "bob@example.org"), "198.51.100"), 5)
		if asked := own.Asks(t, signin.Request{ID: addr(t, "bob@example.org")}); asked.Wait <= 0 {
			t.Fatal("a browser that knows one id has a budget of its own for another")
		}
	})
}

func TestABrowserThatStrangersForgeIsUnknown(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		own := h.Browser("192.0.2.1")
		cookie := own.SignsIn(t, ann).Browser
		if _, isNew := h.Signin.ReadBrowser(cookie); isNew {
			t.Fatal("the server's own cookie is not good")
		}
		for _, forged := range []string{"", "x", cookie[1:], cookie[:len(cookie)-2], cookie + "AA", cookie[:20] + "zzzz" + cookie[24:], "AAAA" + cookie} {
			if b, isNew := h.Signin.ReadBrowser(forged); !isNew || b.ID == own.By.Browser.ID {
				t.Errorf("cookie %q is taken for a known browser", forged)
			}
		}
	})
}

func TestSendingAgainTakesItsTime(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		attempt := b.By.Attempt
		want(t, b.Waiting(t).ResendIn, 30*time.Second)
		h.Clock.Advance(29 * time.Second)
		for _, asked := range []signin.Started{b.Resends(t), b.Asks(t, signin.Request{ID: ann})} {
			if !asked.Soon || asked.Wait != time.Second {
				t.Fatalf("too soon, and it says %+v", asked)
			}
		}
		want(t, h.Messages(t), 1)
		h.Clock.Advance(time.Second)
		b.GetsAgain(t)
		want(t, b.By.Attempt, attempt)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestASuccessGivesBackTheMessagesOfItsOwnAttemptOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.NothingKept()
		h.Signin.Settings.ResendEvery = 0
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		b.Gets(t, ann)
		b.GetsAgain(t)
		m := b.GetsAgain(t)
		want(t, granted(t, h, ann, "198.51.100"), 2)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, granted(t, h, ann, "203.0.113"), 3)
		want(t, refused(t, h, "192.0.2.1", ann), true)
	})
}

func TestASuccessGivesBackWhereItWasTaken(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.SendPerIP = config.Rates{{N: 2, Per: 15 * time.Minute}}
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		for _, name := range []string{"p1@example.org", "p2@example.org"} {
			want(t, refused(t, h, "198.51.100.7", addr(t, name)), false)
		}
		b.By.Network = "198.51.100.7" // a phone that came home
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, refused(t, h, "198.51.100.7", addr(t, "p3@example.org")), true)
		want(t, refused(t, h, "192.0.2.1", addr(t, "p4@example.org")), false)
		want(t, refused(t, h, "192.0.2.1", addr(t, "p5@example.org")), false)
	})
}
