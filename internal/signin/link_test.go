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

func (b *browser) opens(t *testing.T, link seal.Token) signin.Linked {
	t.Helper()
	l, err := b.h.s.Link(t.Context(), link, b.by)
	check(t, err)
	return l
}

func TestALinkSignsInInTheAskingBrowser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.browser("192.0.2.1")
		b.asks(t, signin.Request{ID: ann, Next: "/notes"})
		m := h.mail(t)
		l := b.opens(t, m.link)
		want(t, l.Verdict, signin.Accepted)
		want(t, l.Code, "")
		e := b.clicks(t, m.link)
		want(t, e.Verdict, signin.Accepted)
		want(t, e.Next, "/notes")
		want(t, b.isIn(t), true)
		want(t, b.opens(t, m.link).Verdict, signin.Used)
		want(t, b.clicks(t, m.link).Verdict, signin.Used)
		_, u := h.account(t, ann)
		all := h.events(t, u.ID)
		want(t, all[len(all)-1], audit.SignedInLink)
	})
}

func TestALinkShowsTheCodeInAnotherBrowser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b, phone := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		m := b.gets(t, ann)
		h.clock.Advance(time.Second)
		for range 2 { // without any attempt, and with one of its own
			l := phone.opens(t, m.link)
			want(t, l, signin.Linked{
				Verdict: signin.Foreign, Code: m.code, Masked: "a***n@example.org", Client: b.by.Client,
				At: h.clock.Now().Add(-time.Second), NotMe: m.notMe,
			})
			want(t, phone.clicks(t, m.link).Verdict, signin.Foreign)
			phone.by.Attempt = seal.NewToken(b.by.Attempt.ID)
		}
		phone.gets(t, ann)
		want(t, phone.clicks(t, m.link).Verdict, signin.Foreign)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		l := phone.opens(t, m.link)
		want(t, l.Verdict, signin.Used)
		want(t, l.Code, "")
	})
}

func TestAnExpiredLinkShowsNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, phone := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		m := b.gets(t, addr(t, "ann@example.org"))
		h.clock.Advance(10 * time.Minute)
		for _, who := range []*browser{b, phone} {
			l := who.opens(t, m.link)
			want(t, l.Verdict, signin.Expired)
			want(t, l.Code, "")
		}
		want(t, b.clicks(t, m.link).Verdict, signin.Expired)
	})
}

func TestOpeningALinkChangesNothingHoweverOften(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, scanner := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		m := b.gets(t, addr(t, "ann@example.org"))
		before := h.dump(t)
		for range 20 {
			b.opens(t, m.link)
			scanner.opens(t, m.link)
			_, err := h.s.NotMe(t.Context(), m.notMe, false, scanner.by)
			check(t, err)
		}
		if after := h.dump(t); !reflect.DeepEqual(before, after) {
			t.Errorf("rows changed from %v to %v", before, after)
		}
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestAScannerThatSubmitsFormsGetsNobodyIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b, scanner := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		m := b.gets(t, addr(t, "ann@example.org"))
		for range 10 {
			want(t, scanner.clicks(t, m.link).Verdict, signin.Foreign)
		}
		want(t, h.count(t, `SELECT count(*) FROM sessions`), 0)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

func TestAGuessedLinkIsNone(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		for _, guess := range []seal.Token{seal.NewToken(m.link.ID), seal.NewToken(m.link.ID + 1), b.by.Attempt, m.notMe} {
			want(t, b.opens(t, guess), signin.Linked{})
			want(t, b.clicks(t, guess).Verdict, signin.Gone)
		}
		want(t, b.clicks(t, m.link).Verdict, signin.Accepted)
	})
}

// The link travels in a cookie of five minutes; a button pressed later comes
// without one.
func TestAMissingLinkIsNoTryAtTheCode(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.browser("192.0.2.1")
		m := b.gets(t, addr(t, "ann@example.org"))
		want(t, b.opens(t, seal.Token{}), signin.Linked{})
		want(t, b.clicks(t, seal.Token{}).Verdict, signin.Gone)
		want(t, h.count(t, `SELECT tries FROM attempts`), 0)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
	})
}

// recovery makes a link as `users link` does.
func (h *house) recovery(t *testing.T, user accounts.UserID) (link seal.Token) {
	t.Helper()
	link, err := h.s.MakeLink(t.Context(), user)
	check(t, err)
	return link
}

func TestAnAdministratorsLinkWorksOnceInAnyBrowser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		h.browser("192.0.2.1").signsIn(t, ann)
		_, u := h.account(t, ann)
		h.clock.Advance(time.Second)
		link := h.recovery(t, u.ID)
		b := h.browser("198.51.100.7")
		l := b.opens(t, link)
		want(t, l.Verdict, signin.Accepted)
		want(t, l.Recovery, true)
		want(t, l.Code, "")
		want(t, b.clicks(t, link).Verdict, signin.Accepted)
		want(t, b.isIn(t), true)
		other := h.browser("203.0.113.9")
		want(t, other.opens(t, link).Verdict, signin.Used)
		want(t, other.clicks(t, link).Verdict, signin.Used)
	})
}

func TestAnAdministratorsLinkExpires(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		h.browser("192.0.2.1").signsIn(t, ann)
		_, u := h.account(t, ann)
		h.clock.Advance(time.Second)
		link := h.recovery(t, u.ID)
		h.clock.Advance(10 * time.Minute)
		want(t, h.browser("198.51.100.7").clicks(t, link).Verdict, signin.Expired)
	})
}

func TestAnAdministratorsLinkLetsNoDeactivatedUserIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		h.browser("192.0.2.1").signsIn(t, ann)
		_, u := h.account(t, ann)
		h.clock.Advance(time.Second)
		link := h.recovery(t, u.ID)
		h.update(t, func(tx *db.Tx) error { return accounts.Deactivate(tx, u.ID) })
		want(t, h.browser("198.51.100.7").clicks(t, link).Verdict, signin.Expired)
	})
}

func TestALinkForAUserWithoutAddressIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		var u accounts.User
		h.update(t, func(tx *db.Tx) (err error) {
			u, err = accounts.Named(tx, "ann", accounts.ID{})
			return err
		})
		_, err := h.s.MakeLink(t.Context(), u.ID)
		if err == nil {
			t.Fatal("a link was made")
		}
	})
}
