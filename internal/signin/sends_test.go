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
func (h *house) refused(t *testing.T, network string, id accounts.ID) bool {
	t.Helper()
	asked := h.browser(network).asks(t, signin.Request{ID: id})
	if asked.Wait == 0 {
		h.mail(t)
	}
	return asked.Wait > 0
}

// granted counts how often strangers, each at a network of their own, are
// granted a message before the first refusal.
func (h *house) granted(t *testing.T, id accounts.ID, nets string) (n int) {
	t.Helper()
	for n < 100 && !h.refused(t, fmt.Sprintf("%s.%d", nets, n), id) {
		n++
	}
	return n
}

func TestOnePrefixTakesPartOfAnIDsMessagesOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.nothingKept()
		ann := addr(t, "ann@example.org")
		for range 3 {
			want(t, h.refused(t, "192.0.2.1", ann), false)
		}
		want(t, h.refused(t, "192.0.2.1", ann), true)
		want(t, h.messages(t), 3)
		want(t, h.granted(t, ann, "198.51.100"), 2) // what the prefix was refused took nothing
	})
}

func TestAnIDGetsFiveMessagesFromStrangers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.nothingKept()
		ann := addr(t, "ann@example.org")
		want(t, h.granted(t, ann, "198.51.100"), 5)
		want(t, h.messages(t), 5)
		asked := h.browser("203.0.113.1").asks(t, signin.Request{ID: ann})
		if asked.Wait <= 0 || asked.Wait > 15*time.Minute || asked.Soon || asked.Attempt.ID != 0 {
			t.Fatalf("the refusal says %+v", asked)
		}
		want(t, h.refused(t, "203.0.113.2", addr(t, "bob@example.org")), false)
		h.clock.Advance(asked.Wait - time.Millisecond)
		want(t, h.refused(t, "203.0.113.3", ann), true)
		h.clock.Advance(time.Millisecond)
		want(t, h.refused(t, "203.0.113.4", ann), false)
	})
}

func TestSpellingsOfOneMailboxShareItsMessages(t *testing.T) {
	for _, spellings := range [][]string{
		{"ann@example.org", "ann+1@example.org", "ANN+two@example.org", "ann+a+b@EXAMPLE.org", "ann+@example.org", "ann+6@example.org"},
		{"a.nn@gmail.com", "ann@gmail.com", "a.n.n+x@gmail.com", "ann@googlemail.com", "an.n+y@googlemail.com", "a.n.n@googlemail.com"},
	} {
		t.Run(spellings[0], func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.nothingKept()
				for i, text := range spellings {
					want(t, h.refused(t, fmt.Sprintf("198.51.100.%d", i), addr(t, text)), i == 5)
				}
				want(t, h.messages(t), 5)
			})
		})
	}
}

func TestDotsElsewhereAreOtherMailboxes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.nothingKept()
		want(t, h.granted(t, addr(t, "ann@example.org"), "198.51.100"), 5)
		want(t, h.granted(t, addr(t, "a.nn@example.org"), "198.51.100"), 5)
	})
}

func TestOneAddressAsksThirtyTimes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for i := range 31 {
			want(t, h.refused(t, "192.0.2.1", addr(t, fmt.Sprintf("p%d@example.org", i))), i == 30)
		}
		want(t, h.refused(t, "192.0.2.2", addr(t, "p30@example.org")), false)
	})
}

func TestStrangersCannotLockTheOwnerOut(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.nothingKept()
		ann := addr(t, "ann@example.org")
		own := h.browser("192.0.2.1")
		own.signsIn(t, ann)
		h.clock.Advance(time.Millisecond)
		want(t, h.granted(t, ann, "198.51.100"), 5)
		want(t, h.refused(t, "203.0.113.1", ann), true)
		own.signsIn(t, ann)
		check(t, h.s.SignOut(t.Context(), own.by)) // the browser cookie survives that
		h.clock.Advance(time.Millisecond)
		own.signsIn(t, ann)
	})
}

func TestAKnownBrowsersMessagesAreBoundedToo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.nothingKept()
		h.s.Settings.ResendEvery = 0
		ann := addr(t, "ann@example.org")
		own := h.browser("192.0.2.1")
		own.signsIn(t, ann)
		for range 5 {
			own.gets(t, ann)
		}
		if asked := own.asks(t, signin.Request{ID: ann}); asked.Wait <= 0 || asked.Soon {
			t.Fatalf("the sixth: %+v", asked)
		}
		// It is known for this id, not for others.
		want(t, h.granted(t, addr(t, "bob@example.org"), "198.51.100"), 5)
		if asked := own.asks(t, signin.Request{ID: addr(t, "bob@example.org")}); asked.Wait <= 0 {
			t.Fatal("a browser that knows one id has a budget of its own for another")
		}
	})
}

func TestABrowserThatStrangersForgeIsUnknown(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		own := h.browser("192.0.2.1")
		cookie := own.signsIn(t, ann).Browser
		if _, isNew := h.s.ReadBrowser(cookie); isNew {
			t.Fatal("the server's own cookie is not good")
		}
		for _, forged := range []string{"", "x", cookie[1:], cookie[:len(cookie)-2], cookie + "AA", cookie[:20] + "zzzz" + cookie[24:], "AAAA" + cookie} {
			if b, isNew := h.s.ReadBrowser(forged); !isNew || b.ID == own.by.Browser.ID {
				t.Errorf("cookie %q is taken for a known browser", forged)
			}
		}
	})
}

func TestSendingAgainTakesItsTime(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		attempt := b.by.Attempt
		want(t, b.waiting(t).ResendIn, 30*time.Second)
		h.clock.Advance(29 * time.Second)
		for _, asked := range []signin.Started{b.resends(t), b.asks(t, signin.Request{ID: ann})} {
			if !asked.Soon || asked.Wait != time.Second {
				t.Fatalf("too soon, and it says %+v", asked)
			}
		}
		want(t, h.messages(t), 1)
		h.clock.Advance(time.Second)
		b.getsAgain(t)
		want(t, b.by.Attempt, attempt)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestASuccessGivesBackTheMessagesOfItsOwnAttemptOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.nothingKept()
		h.s.Settings.ResendEvery = 0
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		b.gets(t, ann)
		b.getsAgain(t)
		m := b.getsAgain(t)
		want(t, h.granted(t, ann, "198.51.100"), 2)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, h.granted(t, ann, "203.0.113"), 3)
		want(t, h.refused(t, "192.0.2.1", ann), true)
	})
}

func TestASuccessGivesBackWhereItWasTaken(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.SendPerIP = config.Rates{{N: 2, Per: 15 * time.Minute}}
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		for _, name := range []string{"p1@example.org", "p2@example.org"} {
			want(t, h.refused(t, "198.51.100.7", addr(t, name)), false)
		}
		b.by.Network = "198.51.100.7" // a phone that came home
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, h.refused(t, "198.51.100.7", addr(t, "p3@example.org")), true)
		want(t, h.refused(t, "192.0.2.1", addr(t, "p4@example.org")), false)
		want(t, h.refused(t, "192.0.2.1", addr(t, "p5@example.org")), false)
	})
}
