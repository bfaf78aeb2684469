package signin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

func (h *house) isFirst(t *testing.T, token string) bool {
	t.Helper()
	ok, err := h.s.IsAdminToken(t.Context(), token)
	check(t, err)
	return ok
}

func (h *house) superusers(t *testing.T) int {
	t.Helper()
	return h.count(t, `SELECT count(*) FROM users WHERE is_superuser = 1`)
}

// asksFirst requests a code with the token and reads it.
func (b *browser) asksFirst(t *testing.T, id accounts.ID, token string) mail {
	t.Helper()
	want(t, b.asks(t, signin.Request{ID: id, AdminToken: token}).Wait, 0)
	return b.h.mail(t)
}

func TestTheFirstAdministratorsTokenPromotesOnce(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.makesFirst(t)
		want(t, h.isFirst(t, token), true)
		want(t, h.isFirst(t, seal.NewToken(1).String()), false)
		want(t, h.isFirst(t, "nonsense"), false)
		for table, rows := range h.dump(t) {
			if strings.Contains(strings.Join(rows, "\n"), token[14:]) {
				t.Errorf("the token stands in %s", table)
			}
		}
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		a, b := h.browser("192.0.2.1"), h.browser("198.51.100.7")
		first, second := a.asksFirst(t, ann, token), b.asksFirst(t, bob, token)
		want(t, h.superusers(t), 0)
		want(t, h.isFirst(t, token), true) // asking uses nothing up
		want(t, a.types(t, first.code).Verdict, signin.Accepted)
		want(t, h.superusers(t), 1)
		_, u := h.account(t, ann)
		want(t, u.Superuser, true)
		want(t, h.isFirst(t, token), false)
		want(t, b.types(t, second.code).Verdict, signin.Accepted)
		want(t, h.superusers(t), 1)
		_, needed, err := h.s.MakeAdminToken(t.Context())
		check(t, err)
		want(t, needed, false)
	})
}

func TestTwoOpenersOfTheFirstTokenMakeOneSuperuser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.makesFirst(t)
		all := []*browser{h.browser("192.0.2.1"), h.browser("198.51.100.7"), h.browser("203.0.113.1"), h.browser("203.0.113.2")}
		var codes []string
		for i, b := range all {
			codes = append(codes, b.asksFirst(t, addr(t, string(rune('a'+i))+"@example.org"), token).code)
		}
		out, err := h.atOnce(len(all), func(i int) (signin.Entered, error) { return h.s.SubmitCode(t.Context(), codes[i], all[i].by) })
		check(t, err)
		for _, e := range out {
			want(t, e.Verdict, signin.Accepted)
		}
		want(t, h.superusers(t), 1)
	})
}

func TestTheFirstTokenLivesForOneHour(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.makesFirst(t)
		h.clock.Advance(time.Hour - time.Millisecond)
		want(t, h.isFirst(t, token), true)
		b := h.browser("192.0.2.1")
		m := b.asksFirst(t, addr(t, "ann@example.org"), token)
		h.clock.Advance(time.Millisecond)
		want(t, h.isFirst(t, token), false)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, h.superusers(t), 0)
	})
}

func TestARestartVoidsTheFirstToken(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		old := h.makesFirst(t)
		b := h.browser("192.0.2.1")
		m := b.asksFirst(t, addr(t, "ann@example.org"), old)
		fresh := h.makesFirst(t)
		want(t, h.isFirst(t, old), false)
		want(t, h.isFirst(t, fresh), true)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, h.superusers(t), 0)
		want(t, h.isFirst(t, fresh), true)
	})
}

func TestNoFirstTokenWhereAdministratorsAreNamed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.makesFirst(t)
		h.s.Settings.Admins[addr(t, "ann@example.org")] = true
		_, needed, err := h.s.MakeAdminToken(t.Context())
		check(t, err)
		want(t, needed, false)
		want(t, h.isFirst(t, token), false)
	})
}

func TestTheFirstTokenPromotesNobodyBesideASuperuser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.makesFirst(t)
		h.update(t, func(tx *db.Tx) error { // createsuperuser, meanwhile
			u, err := accounts.Named(tx, "root", accounts.ID{})
			if err != nil {
				return err
			}
			return accounts.SetSuperuser(tx, u.ID, true)
		})
		b := h.browser("192.0.2.1")
		m := b.asksFirst(t, addr(t, "ann@example.org"), token)
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, h.superusers(t), 1)
	})
}

func TestTheFirstAdministratorGetsInWhenSignUpIsClosed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.OpenSignup = false
		b := h.browser("192.0.2.1")
		m := b.asksFirst(t, addr(t, "ann@example.org"), h.makesFirst(t))
		want(t, b.types(t, m.code).Verdict, signin.Accepted)
		want(t, h.superusers(t), 1)
	})
}

func TestTheFirstAdministratorCanHaveTheCodeSentAgainWhenSignUpIsClosed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.OpenSignup = false
		b := h.browser("192.0.2.1")
		b.asksFirst(t, addr(t, "ann@example.org"), h.makesFirst(t))
		h.clock.Advance(time.Minute)
		want(t, b.resends(t).Wait, 0)
		want(t, h.messages(t), 2)
		want(t, b.types(t, h.mail(t).code).Verdict, signin.Accepted)
		want(t, h.superusers(t), 1)
	})
}

func TestAWrongFirstTokenOpensNoClosedSignUp(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.OpenSignup = false
		h.makesFirst(t)
		for _, token := range []string{"nonsense", seal.NewToken(1).String(), seal.Token{}.String()} {
			b := h.browser("192.0.2.1")
			b.asks(t, signin.Request{ID: addr(t, "eve@example.org"), AdminToken: token})
			want(t, h.messages(t), 0)
			want(t, b.types(t, h.muteCode(t)).Verdict, signin.Wrong)
		}
	})
}
