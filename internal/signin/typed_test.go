package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/signin"
)

// getsAs requests a code as the sign-in page does for what was typed, and reads the
// message.
func (b *browser) getsAs(t *testing.T, text string) mail {
	t.Helper()
	found, refusal := accounts.Discovery{FoldLocalPart: true}.Resolve(text, "")
	want(t, refusal, "")
	want(t, b.asks(t, signin.Request{ID: found.ID, Typed: found.Address}).Wait, 0)
	return b.h.mail(t)
}

func TestEveryMessageOfAnAttemptGoesToTheAddressThatWasTyped(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		for text, to := range map[string]string{
			"Ann@Example.ORG": "Ann@example.org", "Straße@Müller.de": "Straße@xn--mller-kva.de", "σοφος@example.org": "σοφος@example.org",
		} {
			b := h.browser("192.0.2.1")
			want(t, b.getsAs(t, text).to, to)
			want(t, b.waiting(t).Typed, text)
			m := b.getsAgain(t)
			want(t, m.to, to)
			want(t, b.types(t, m.code).Verdict, signin.Accepted)
		}
	})
}

// One account in two spellings: each message is sent to the spelling of its request.
func TestAskingAgainInAnotherSpellingGoesOnAndSendsThere(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		b := h.browser("192.0.2.1")
		first := b.getsAs(t, "Ann@example.org")
		second := b.getsAs(t, "ann@EXAMPLE.org")
		want(t, h.count(t, `SELECT count(*) FROM attempts`), 1)
		want(t, first.to, "Ann@example.org")
		want(t, second.to, "ann@example.org")
		want(t, b.waiting(t).Typed, "ann@EXAMPLE.org")
		want(t, b.getsAgain(t).to, "ann@example.org")
	})
}

func TestLettersThatFoldingOnceChangedAreTwoPeople(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		one, two := h.browser("192.0.2.1"), h.browser("192.0.2.2")
		sharp, double := one.getsAs(t, "straße@example.org"), two.getsAs(t, "strasse@example.org")
		want(t, sharp.to, "straße@example.org")
		want(t, double.to, "strasse@example.org")
		a, b := one.types(t, sharp.code), two.types(t, double.code)
		want(t, a.Verdict, signin.Accepted)
		want(t, b.Verdict, signin.Accepted)
		if a.User == b.User {
			t.Error("ß and ss signed in as one person")
		}
	})
}

func TestTheFirstProvedAddressIsTheEmailAsItWasTyped(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, text := range []string{"Ann@Example.org", "ANN@example.org"} {
			b := h.browser("192.0.2.1")
			e := b.types(t, b.getsAs(t, text).code)
			want(t, e.Verdict, signin.Accepted)
			_, u := h.account(t, addr(t, "ann@example.org"))
			want(t, u.ID, e.User)
			want(t, u.Email, "Ann@example.org")
			h.clock.Advance(time.Minute)
		}
	})
}

// Attempts that were open when the column came have none.
func TestAnAttemptWithoutATypedAddressGoesToItsIdentifier(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.freely()
		b := h.browser("192.0.2.1")
		b.getsAs(t, "Ann@example.org")
		h.exec(t, `UPDATE attempts SET typed = ''`)
		want(t, b.waiting(t).Typed, "ann@example.org")
		m := b.getsAgain(t)
		want(t, m.to, "ann@example.org")
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}
