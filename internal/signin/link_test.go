package signin_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

func opens(t *testing.T, b *browser, link seal.Token) signin.Linked {
	t.Helper()
	l, err := b.House.Signin.Link(t.Context(), link, b.By)
	check(t, err)
	return l
}

func TestALinkSignsInInTheAskingBrowser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		b.Asks(t, signin.Request{ID: ann, Next: "/notes"})
		m := h.Mail(t)
		l := opens(t, b, m.Link)
		want(t, l.Verdict, signin.Accepted)
		want(t, l.Code, "")
		e := b.Clicks(t, m.Link)
		want(t, e.Verdict, signin.Accepted)
		want(t, e.Next, "/notes")
		want(t, b.IsIn(t), true)
		want(t, opens(t, b, m.Link).Verdict, signin.Used)
		want(t, b.Clicks(t, m.Link).Verdict, signin.Used)
		_, u := h.Account(t, ann)
		all := h.Events(t, u.ID)
		want(t, all[len(all)-1], audit.SignedInLink)
	})
}

func TestALinkShowsTheCodeInAnotherBrowser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, phone := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		m := b.Gets(t, ann)
		h.Clock.Advance(time.Second)
		for range 2 { // without any attempt, and with one of its own
			l := opens(t, phone, m.Link)
			want(t, l, signin.Linked{
				Verdict: signin.Foreign, Code: m.Code, Masked: "a***n@example.org", Client: b.By.Client,
				At: h.Clock.Now().Add(-time.Second), NotMe: m.NotMe,
			})
			want(t, phone.Clicks(t, m.Link).Verdict, signin.Foreign)
			phone.By.Attempt = seal.NewToken(b.By.Attempt.ID)
		}
		phone.Gets(t, ann)
		want(t, phone.Clicks(t, m.Link).Verdict, signin.Foreign)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		l := opens(t, phone, m.Link)
		want(t, l.Verdict, signin.Used)
		want(t, l.Code, "")
	})
}

func TestAnExpiredLinkShowsNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, phone := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		m := b.Gets(t, addr(t, "ann@example.org"))
		h.Clock.Advance(10 * time.Minute)
		for _, who := range []*browser{b, phone} {
			l := opens(t, who, m.Link)
			want(t, l.Verdict, signin.Expired)
			want(t, l.Code, "")
		}
		want(t, b.Clicks(t, m.Link).Verdict, signin.Expired)
	})
}

func TestOpeningALinkChangesNothingHoweverOften(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, scanner := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		m := b.Gets(t, addr(t, "ann@example.org"))
		before := h.Dump(t)
		for range 20 {
			opens(t, b, m.Link)
			opens(t, scanner, m.Link)
			_, err := h.Signin.NotMe(t.Context(), m.NotMe, false, scanner.By)
			check(t, err)
		}
		if after := h.Dump(t); !reflect.DeepEqual(before, after) {
			t.Errorf("rows changed from %v to %v", before, after)
		}
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestAScannerThatSubmitsFormsGetsNobodyIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, scanner := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		m := b.Gets(t, addr(t, "ann@example.org"))
		for range 10 {
			want(t, scanner.Clicks(t, m.Link).Verdict, signin.Foreign)
		}
		want(t, h.Count(t, `SELECT count(*) FROM sessions`), 0)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

func TestAGuessedLinkIsNone(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		for _, guess := range []seal.Token{seal.NewToken(m.Link.ID), seal.NewToken(m.Link.ID + 1), b.By.Attempt, m.NotMe} {
			want(t, opens(t, b, guess), signin.Linked{})
			want(t, b.Clicks(t, guess).Verdict, signin.Gone)
		}
		want(t, b.Clicks(t, m.Link).Verdict, signin.Accepted)
	})
}

// The link travels in a cookie of five minutes; a button pressed later comes
// without one.
func TestAMissingLinkIsNoTryAtTheCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		want(t, opens(t, b, seal.Token{}), signin.Linked{})
		want(t, b.Clicks(t, seal.Token{}).Verdict, signin.Gone)
		want(t, h.Count(t, `SELECT tries FROM attempts`), 0)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	})
}

// recovery makes a link as `users link` does.
func recovery(t *testing.T, h *house, user accounts.UserID) (link seal.Token) {
	t.Helper()
	link, err := h.Signin.MakeLink(t.Context(), user)
	check(t, err)
	return link
}

func TestAnAdministratorsLinkWorksOnceInAnyBrowser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		h.Browser("192.0.2.1").SignsIn(t, ann)
		_, u := h.Account(t, ann)
		h.Clock.Advance(time.Second)
		link := recovery(t, h, u.ID)
		b := h.Browser("198.51.100.7")
		l := opens(t, b, link)
		want(t, l.Verdict, signin.Accepted)
		want(t, l.Recovery, true)
		want(t, l.Code, "")
		want(t, b.Clicks(t, link).Verdict, signin.Accepted)
		want(t, b.IsIn(t), true)
		other := h.Browser("203.0.113.9")
		want(t, opens(t, other, link).Verdict, signin.Used)
		want(t, other.Clicks(t, link).Verdict, signin.Used)
	})
}

func TestAnAdministratorsLinkExpires(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		h.Browser("192.0.2.1").SignsIn(t, ann)
		_, u := h.Account(t, ann)
		h.Clock.Advance(time.Second)
		link := recovery(t, h, u.ID)
		h.Clock.Advance(10 * time.Minute)
		want(t, h.Browser("198.51.100.7").Clicks(t, link).Verdict, signin.Expired)
	})
}

func TestAnAdministratorsLinkLetsNoDeactivatedUserIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		h.Browser("192.0.2.1").SignsIn(t, ann)
		_, u := h.Account(t, ann)
		h.Clock.Advance(time.Second)
		link := recovery(t, h, u.ID)
		h.Update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
		want(t, h.Browser("198.51.100.7").Clicks(t, link).Verdict, signin.Expired)
	})
}

func TestALinkForAUserWithoutAddressIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		var u accounts.User
		h.Update(t, func(tx *db.Tx) (err error) {
			u, err = accounts.Named(tx, "ann", accounts.ID{})
			return err
		})
		_, err := h.Signin.MakeLink(t.Context(), u.ID)
		if err == nil {
			t.Fatal("a link was made")
		}
	})
}
