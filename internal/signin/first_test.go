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

func isFirst(t *testing.T, h *house, token string) bool {
	t.Helper()
	ok, err := h.Signin.IsAdminToken(t.Context(), token)
	check(t, err)
	return ok
}

func superusers(t *testing.T, h *house) int {
	t.Helper()
	return h.Count(t, `SELECT count(*) FROM users WHERE is_superuser = 1`)
}

// asksFirst requests a code with the token and reads it.
func asksFirst(t *testing.T, b *browser, id accounts.ID, token string) mail {
	t.Helper()
	want(t, b.Asks(t, signin.Request{ID: id, AdminToken: token}).Wait, 0)
	return b.House.Mail(t)
}

func TestTheFirstAdministratorsTokenPromotesOnce(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.MakesFirst(t)
		want(t, isFirst(t, h, token), true)
		want(t, isFirst(t, h, seal.NewToken(1).String()), false)
		want(t, isFirst(t, h, "nonsense"), false)
		for table, rows := range h.Dump(t) {
			if strings.Contains(strings.Join(rows, "\n"), token[14:]) {
				t.Errorf("the token stands in %s", table)
			}
		}
		ann, bob := addr(t, "ann@example.org"), addr(t, "bob@example.org")
		a, b := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		first, second := asksFirst(t, a, ann, token), asksFirst(t, b, bob, token)
		want(t, superusers(t, h), 0)
		want(t, isFirst(t, h, token), true) // asking uses nothing up
		want(t, a.Types(t, first.Code).Verdict, signin.Accepted)
		want(t, superusers(t, h), 1)
		_, u := h.Account(t, ann)
		want(t, u.Superuser, true)
		want(t, isFirst(t, h, token), false)
		want(t, b.Types(t, second.Code).Verdict, signin.Accepted)
		want(t, superusers(t, h), 1)
		_, needed, err := h.Signin.MakeAdminToken(t.Context())
		check(t, err)
		want(t, needed, false)
	})
}

func TestTwoOpenersOfTheFirstTokenMakeOneSuperuser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.MakesFirst(t)
		all := []*browser{h.Browser("192.0.2.1"), h.Browser("198.51.100.7"), h.Browser("203.0.113.1"), h.Browser("203.0.113.2")}
		var codes []string
		for i, b := range all {
			codes = append(codes, asksFirst(t, b, addr(t, string(rune('a'+i))+"@example.org"), token).Code)
		}
		out, err := atOnce(h, len(all), func(i int) (signin.Entered, error) { return h.Signin.SubmitCode(t.Context(), codes[i], all[i].By) })
		check(t, err)
		for _, e := range out {
			want(t, e.Verdict, signin.Accepted)
		}
		want(t, superusers(t, h), 1)
	})
}

func TestTheFirstTokenLivesForOneHour(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.MakesFirst(t)
		h.Clock.Advance(time.Hour - time.Millisecond)
		want(t, isFirst(t, h, token), true)
		b := h.Browser("192.0.2.1")
		m := asksFirst(t, b, addr(t, "ann@example.org"), token)
		h.Clock.Advance(time.Millisecond)
		want(t, isFirst(t, h, token), false)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, superusers(t, h), 0)
	})
}

func TestARestartVoidsTheFirstToken(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		old := h.MakesFirst(t)
		b := h.Browser("192.0.2.1")
		m := asksFirst(t, b, addr(t, "ann@example.org"), old)
		fresh := h.MakesFirst(t)
		want(t, isFirst(t, h, old), false)
		want(t, isFirst(t, h, fresh), true)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, superusers(t, h), 0)
		want(t, isFirst(t, h, fresh), true)
	})
}

func TestNoFirstTokenWhereAdministratorsAreNamed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.MakesFirst(t)
		h.Signin.Settings.Admins[addr(t, "ann@example.org")] = true
		_, needed, err := h.Signin.MakeAdminToken(t.Context())
		check(t, err)
		want(t, needed, false)
		want(t, isFirst(t, h, token), false)
	})
}

func TestTheFirstTokenPromotesNobodyBesideASuperuser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		token := h.MakesFirst(t)
		h.Update(t, func(tx *db.Tx) error { // createsuperuser, meanwhile
			u, err := accounts.Named(tx, "root", accounts.ID{})
			if err != nil {
				return err
			}
			return accounts.SetSuperuser(tx, u.ID, true)
		})
		b := h.Browser("192.0.2.1")
		m := asksFirst(t, b, addr(t, "ann@example.org"), token)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, superusers(t, h), 1)
	})
}

func TestTheFirstAdministratorGetsInWhenSignUpIsClosed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.OpenSignup = false
		b := h.Browser("192.0.2.1")
		m := asksFirst(t, b, addr(t, "ann@example.org"), h.MakesFirst(t))
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		want(t, superusers(t, h), 1)
	})
}

func TestTheFirstAdministratorCanHaveTheCodeSentAgainWhenSignUpIsClosed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.OpenSignup = false
		b := h.Browser("192.0.2.1")
		asksFirst(t, b, addr(t, "ann@example.org"), h.MakesFirst(t))
		h.Clock.Advance(time.Minute)
		want(t, b.Resends(t).Wait, 0)
		want(t, h.Messages(t), 2)
		want(t, b.Types(t, h.Mail(t).Code).Verdict, signin.Accepted)
		want(t, superusers(t, h), 1)
	})
}

func TestAWrongFirstTokenOpensNoClosedSignUp(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Signin.Settings.OpenSignup = false
		h.MakesFirst(t)
		for _, token := range []string{"nonsense", seal.NewToken(1).String(), seal.Token{}.String()} {
			b := h.Browser("192.0.2.1")
			b.Asks(t, signin.Request{ID: addr(t, "eve@example.org"), AdminToken: token})
			want(t, h.Messages(t), 0)
			want(t, b.Types(t, h.MuteCode(t)).Verdict, signin.Wrong)
		}
	})
}
