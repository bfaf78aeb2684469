package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
)

// otherRow is a button on the code page: another account of the person, and what it does.
type otherRow struct{ ID, Text string }

// otherRows are the buttons of accounts whose way is still configured.
func (s *signIn) otherRows(b page.Base, all []accounts.Account) (rows []otherRow) {
	for _, a := range all {
		text := b.T("code.to_other", "Masked", a.Masked())
		if accounts.Redirects(a.Addr.Implementation) {
			text = b.T("login.with", "Provider", s.placeOf(s.wayTo(a.Addr)))
		}
		if s.configured(a.Addr) {
			rows = append(rows, otherRow{strconv.FormatInt(int64(a.ID), 10), text})
		}
	}
	return rows
}

// wayTo is the way to a provider's account.
func (s *signIn) wayTo(id accounts.ID) signin.Way {
	w := signin.Way{Candidate: accounts.Candidate{Found: accounts.Found{ID: id, Address: accounts.Address(id.Typed())}}}
	if id.Implementation == accounts.OAuth {
		w.Provider = strings.TrimSuffix(id.Typed(), ":")
		return w
	}
	if issuer, _, ok := strings.Cut(id.Identifier, " "); ok { // else a URL of OpenID 2.0, which leads there itself
		w.Issuer, w.Provider = issuer, s.signin.Federation.ProviderOf(issuer)
	}
	return w
}

// configured reports an account whose provider or channel is configured.
func (s *signIn) configured(id accounts.ID) bool {
	name := id.Implementation
	if accounts.Redirects(name) {
		name = cmp.Or(s.wayTo(id).Provider, name)
	}
	return slices.Contains(s.discovery.Implementations(), name)
}

// postOther signs in by another account of the person whom a trusted browser's attempt is for.
func (s *signIn) postOther(c *fiber.Ctx) error {
	id, _ := strconv.ParseInt(page.Form(c, "account"), 10, 64) // 0 is nobody's
	by := s.requester(c)
	req, ok, err := s.signin.Other(c.UserContext(), accounts.AccountID(id), by)
	if err != nil {
		return err
	}
	if !ok {
		return c.Redirect("/login/code", http.StatusSeeOther)
	}
	p := s.loginPage(c, "/login")
	p.Next = req.Next
	if accounts.Redirects(req.ID.Implementation) {
		w := s.wayTo(req.ID)
		req.Provider, req.Issuer = w.Provider, w.Issuer
		return s.leadFromForm(c, p, w, req)
	}
	return s.send(c, p, req, by)
}
