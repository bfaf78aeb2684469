package multifactor_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/multifactor"
)

func TestAnAccountIsAtTheProviderThatItNamesAndAtNoOther(t *testing.T) {
	s := multifactor.Server{Providers: []accounts.ProviderIDs{
		{Name: "corp", Kind: accounts.OpenID, Issuer: "https://corp.example"}, {Name: "forge", Kind: accounts.OAuth},
	}}
	for _, c := range []struct{ implementation, identifier, want string }{
		{accounts.OpenID, "https://corp.example 1", "corp"},
		{accounts.OpenID, "https://corp.example.evil.example 1", ""},
		{accounts.OpenID, "https://corp.example/evil 1", ""},
		{accounts.OAuth, "forge:1", "forge"},
		{accounts.OAuth, "forge2:1", ""},
		{accounts.OAuth, "https://corp.example 1", ""},
		{accounts.OpenID, "forge:1", ""},
	} {
		if got := s.Provider(accounts.ID{Implementation: c.implementation, Identifier: c.identifier}); got != c.want {
			t.Errorf("%s %s is at %q, want %q", c.implementation, c.identifier, got, c.want)
		}
	}
}
