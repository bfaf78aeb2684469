package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

// A browser that is known asks in the Jabber client, too: a "yes" there signs it in, without
// a further click where script is on.
func TestPeopleSignInByJabberAndThenByAnAnswer(t *testing.T) {
	p := deliverytest.OpenProsody(t, "login", "ann")
	j := p.AsComponent()
	s := newPlace(t, "LIMITS_RESEND_EVERY=0", "JABBER_DOMAINS=localhost", "JABBER_JID="+j.ID, "JABBER_PASSWORD="+j.Secret, "JABBER_SERVER="+j.Server)
	b := s.open()
	asks := func(arrived <-chan deliverytest.Chat, typed string) deliverytest.Chat {
		t.Helper()
		b.visit("/login")
		b.fill("id", typed)
		b.leave(chromedp.KeyEvent(kb.Enter))
		return deliverytest.Next(t, arrived)
	}
	signsOut := func() {
		t.Helper()
		b.visit("/account")
		b.press("Sign out")
	}

	arrived := p.Listen(t)
	deliverytest.Next(t, arrived)
	first := asks(arrived, "xmpp:ann@localhost/phone")
	if first.Confirm != "" {
		t.Errorf("a fresh browser asks: %+v", first)
	}
	code, _, _ := strings.Cut(first.Body, "\n")
	b.enter(code)
	b.at("/account", 200)
	signsOut()

	m := asks(arrived, "Ann@localhost")
	b.says("Or answer yes in your Jabber client, if it shows the same letters: " + m.Confirm)
	b.arrive("code-question")
	b.press("I have answered yes")
	b.at("/login/code/answer", 422)
	b.says("We have no answer yet.")
	b.arrive("code-unanswered")

	answering := p.ListenAs(t, "ann@localhost/yes")
	deliverytest.Next(t, answering)
	for _, script := range []bool{true, false} {
		b.scripts(script)
		asks(answering, "xmpp:ann@localhost")
		for !script && b.path() != "/account" { // until the answer is there
			b.press("I have answered yes")
		}
		b.awaitPath("/account")
		signsOut()
	}
}
