package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/signin"
)

// getsAs requests a code as the sign-in page does for what was typed, and reads the
// message.
func getsAs(t *testing.T, b *browser, text string) mail {
	t.Helper()
	found, refusal := accounts.Discovery{FoldLocalPart: true}.Resolve(text, "")
	want(t, refusal, "")
	want(t, b.Asks(t, signin.Request{ID: found.ID, Typed: found.Address}).Wait, 0)
	return b.House.Mail(t)
}

func TestEveryMessageOfAnAttemptGoesToTheAddressThatWasTyped(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		for text, to := range map[string]string{
			"Ann@Example.ORG": "Ann@example.org", "Straße@Müller.de": "Straße@xn--mller-kva.de", "σοφος@example.org": "σοφος@example.org",
		} {
			b := h.Browser("192.0.2.1")
			want(t, getsAs(t, b, text).To, to)
			want(t, b.Waiting(t).Typed, text)
			m := b.GetsAgain(t)
			want(t, m.To, to)
			want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		}
	})
}

// One account in two spellings: each message is sent to the spelling of its request.
func TestAskingAgainInAnotherSpellingGoesOnAndSendsThere(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		b := h.Browser("192.0.2.1")
		first := getsAs(t, b, "Ann@example.org")
		second := getsAs(t, b, "ann@EXAMPLE.org")
		want(t, h.Count(t, `SELECT count(*) FROM attempts`), 1)
		want(t, first.To, "Ann@example.org")
		want(t, second.To, "ann@example.org")
		want(t, b.Waiting(t).Typed, "ann@EXAMPLE.org")
		want(t, b.GetsAgain(t).To, "ann@example.org")
	})
}

func TestLettersThatFoldingOnceChangedAreTwoPeople(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		one, two := h.Browser("192.0.2.1"), h.Browser("192.0.2.2")
		sharp, double := getsAs(t, one, "straße@example.org"), getsAs(t, two, "strasse@example.org")
		want(t, sharp.To, "straße@example.org")
		want(t, double.To, "strasse@example.org")
		a, b := one.Types(t, sharp.Code), two.Types(t, double.Code)
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
			b := h.Browser("192.0.2.1")
			e := b.Types(t, getsAs(t, b, text).Code)
			want(t, e.Verdict, signin.Accepted)
			_, u := h.Account(t, addr(t, "ann@example.org"))
			want(t, u.ID, e.User)
			want(t, u.Email, "Ann@example.org")
			h.Clock.Advance(time.Minute)
		}
	})
}

// Attempts that were open when the column came have none.
func TestAnAttemptWithoutATypedAddressGoesToItsIdentifier(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		b := h.Browser("192.0.2.1")
		getsAs(t, b, "Ann@example.org")
		h.Exec(t, `UPDATE attempts SET typed = ''`)
		want(t, b.Waiting(t).Typed, "ann@example.org")
		m := b.GetsAgain(t)
		want(t, m.To, "ann@example.org")
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}
