package web

import (
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestAnAccountLeadsToItsProvider(t *testing.T) {
	s := &signIn{signin: &signin.Service{Federation: &federation.Service{}}}
	for id, want := range map[accounts.ID]struct{ provider, issuer string }{
		{Implementation: accounts.OAuth, Identifier: "github:12"}:                  {provider: "github"},
		{Implementation: accounts.OpenID, Identifier: "https://op.example 1234"}:   {issuer: "https://op.example"},
		{Implementation: accounts.OpenID, Identifier: "https://op.example/a b c1"}: {issuer: "https://op.example/a"},
		{Implementation: accounts.OpenID, Identifier: "https://ann.example/me"}:    {}, // OpenID 2.0: the URL is asked
	} {
		if w := s.wayTo(id); w.ID != id || w.Address == "" || w.Provider != want.provider || w.Issuer != want.issuer {
			t.Errorf("%v: %+v", id, w)
		}
	}
}
