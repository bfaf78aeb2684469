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
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		for _, guess := range []seal.Token{{}, seal.NewToken(m.notMe.ID), {ID: m.notMe.ID + 1, Secret: m.notMe.Secret}, m.link, b.by.Attempt} {
			want(t, b.disowns(t, guess, true), signin.Disowned{})
		}
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestLookingAtNotMeChangesNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, owner := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		m := b.gets(t, addr(t, "ann@example.org"))
		asked := h.clock.Now()
		h.clock.Advance(time.Minute)
		want(t, owner.disowns(t, m.notMe, false), signin.Disowned{
			Found: true, Masked: "a***n@example.org", Client: b.by.Client, At: asked, Life: 10 * time.Minute,
		})
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestNotMeVoidsTheCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, owner := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		m := b.gets(t, ann)
		want(t, owner.disowns(t, m.notMe, true).Found, true)
		want(t, owner.disowns(t, m.notMe, true).Found, true) // a second click is no mistake
		want(t, b.types(t, m.code).Verdict, signin.Stopped)
		want(t, b.clicks(t, m.link).Verdict, signin.Stopped)
		want(t, owner.opens(t, m.link).Code, "")
		want(t, h.count(t, `SELECT count(*) FROM sessions`), 0)
		_, u := h.account(t, ann)
		if all := h.events(t, u.ID); !slices.Equal(all, []audit.Event{audit.CodeSent, audit.NotMe}) {
			t.Errorf("history is %v", all)
		}
	})
}

func TestNotMeEndsTheSessionThatCameOfIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, other := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		other.signsIn(t, ann)
		h.clock.Advance(time.Second)
		m := b.gets(t, ann)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		other.disowns(t, m.notMe, true)
		want(t, b.isIn(t), false)
		want(t, other.isIn(t), true)
		want(t, h.count(t, `SELECT count(*) FROM proofs`), 1)
	})
}

func TestNotMeBlocksThatBrowserForThatIDForAWhile(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		b, owner := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		m := b.gets(t, ann)
		owner.disowns(t, m.notMe, true)
		until := h.clock.Now().Add(10 * time.Minute)
		h.clock.Advance(time.Second)
		sent := h.messages(t)

		// The browser gets the usual response, and no message is sent.
		for _, asked := range []signin.Started{b.resends(t), b.asks(t, signin.Request{ID: ann})} {
			if asked.Wait != 0 || asked.Gone || asked.Attempt.ID == 0 {
				t.Errorf("the blocked browser is told %+v", asked)
			}
			want(t, b.waiting(t).Verdict, signin.Accepted)
			want(t, b.types(t, h.muteCode(t)).Verdict, signin.Wrong)
		}
		want(t, h.messages(t), sent)

		// Other browsers and other ids are free.
		owner.signsIn(t, ann)
		b.gets(t, bob)
		h.clock.Advance(until.Add(-time.Millisecond).Sub(h.clock.Now()))
		sent = h.messages(t)
		b.asks(t, signin.Request{ID: ann})
		want(t, h.messages(t), sent)
		h.clock.Advance(time.Millisecond)
		b.signsIn(t, ann)
	})
}

func TestASuccessOfTheBrowserLiftsItsBlock(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		b, owner := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		disowned := b.gets(t, ann)
		tab := b.at(h)
		tab.by.Attempt = seal.Token{} // the same browser once more, from another window
		open := tab.gets(t, ann)
		owner.disowns(t, disowned.notMe, true)
		want(t, tab.types(t, open.code).Verdict, signin.Accepted)
		h.clock.Advance(time.Second)
		b.signsIn(t, ann)
	})
}

func TestASuccessByAnAdministratorsLinkLiftsTheBrowsersBlock(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		m := b.gets(t, ann)
		b.disowns(t, m.notMe, true) // by mistake
		h.clock.Advance(time.Second)
		_, u := h.account(t, ann)
		want(t, b.clicks(t, h.recovery(t, u.ID)).Verdict, signin.Accepted)
		h.clock.Advance(time.Second)
		sent := h.messages(t)
		b.asks(t, signin.Request{ID: ann})
		want(t, h.messages(t), sent+1)
	})
}
