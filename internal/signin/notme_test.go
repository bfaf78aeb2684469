package signin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestAGuessedNotMeTokenIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		for _, guess := range []seal.Token{{}, seal.NewToken(m.NotMe.ID), {ID: m.NotMe.ID + 1, Secret: m.NotMe.Secret}, m.Link, b.By.Attempt} {
			want(t, b.Disowns(t, guess, true), signin.Disowned{})
		}
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestLookingAtNotMeChangesNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, owner := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		m := b.Gets(t, addr(t, "ann@example.org"))
		asked := h.Clock.Now()
		h.Clock.Advance(time.Minute)
		want(t, owner.Disowns(t, m.NotMe, false), signin.Disowned{
			Found: true, Masked: "a***n@example.org", Client: b.By.Client, At: asked, Life: 10 * time.Minute,
		})
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestNotMeVoidsTheCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, owner := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		m := b.Gets(t, ann)
		want(t, owner.Disowns(t, m.NotMe, true).Found, true)
		want(t, owner.Disowns(t, m.NotMe, true).Found, true) // a second click is no mistake
		want(t, b.Types(t, m.Code).Verdict, signin.Stopped)
		want(t, b.Clicks(t, m.Link).Verdict, signin.Stopped)
		want(t, opens(t, owner, m.Link).Code, "")
		want(t, h.Count(t, `SELECT count(*) FROM sessions`), 0)
		_, u := h.Account(t, ann)
		if all := h.Events(t, u.ID); !slices.Equal(all, []audit.Event{audit.CodeSent, audit.NotMe}) {
			t.Errorf("history is %v", all)
		}
	})
}

func TestNotMeEndsTheSessionThatCameOfIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		other.SignsIn(t, ann)
		h.Clock.Advance(time.Second)
		m := b.Gets(t, ann)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		other.Disowns(t, m.NotMe, true)
		want(t, b.IsIn(t), false)
		want(t, other.IsIn(t), true)
		want(t, h.Count(t, `SELECT count(*) FROM proofs`), 1)
	})
}

func TestNotMeBlocksThatBrowserForThatIDForAWhile(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		b, owner := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		m := b.Gets(t, ann)
		owner.Disowns(t, m.NotMe, true)
		until := h.Clock.Now().Add(10 * time.Minute)
		h.Clock.Advance(time.Second)
		sent := h.Messages(t)

		// The browser gets the usual response, and no message is sent.
		for _, asked := range []signin.Started{b.Resends(t), b.Asks(t, signin.Request{ID: ann})} {
			if asked.Wait != 0 || asked.Gone || asked.Attempt.ID == 0 {
				t.Errorf("the blocked browser is told %+v", asked)
			}
			want(t, b.Waiting(t).Verdict, signin.Accepted)
			want(t, b.Types(t, h.MuteCode(t)).Verdict, signin.Wrong)
		}
		want(t, h.Messages(t), sent)

		// Other browsers and other ids are free.
		owner.SignsIn(t, ann)
		b.Gets(t, bob)
		h.Clock.Advance(until.Add(-time.Millisecond).Sub(h.Clock.Now()))
		sent = h.Messages(t)
		b.Asks(t, signin.Request{ID: ann})
		want(t, h.Messages(t), sent)
		h.Clock.Advance(time.Millisecond)
		b.SignsIn(t, ann)
	})
}

func TestASuccessOfTheBrowserLiftsItsBlock(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		b, owner := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		disowned := b.Gets(t, ann)
		tab := b.At(h)
		tab.By.Attempt = seal.Token{} // the same browser once more, from another window
		open := tab.Gets(t, ann)
		owner.Disowns(t, disowned.NotMe, true)
		want(t, tab.Types(t, open.Code).Verdict, signin.Accepted)
		h.Clock.Advance(time.Second)
		b.SignsIn(t, ann)
	})
}

func TestASuccessByAnAdministratorsLinkLiftsTheBrowsersBlock(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		b.Disowns(t, m.NotMe, true) // by mistake
		h.Clock.Advance(time.Second)
		_, u := h.Account(t, ann)
		want(t, b.Clicks(t, recovery(t, h, u.ID)).Verdict, signin.Accepted)
		h.Clock.Advance(time.Second)
		sent := h.Messages(t)
		b.Asks(t, signin.Request{ID: ann})
		want(t, h.Messages(t), sent+1)
	})
}
