package proxy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// verify checks the signed header as docs/sites.md has an app do it.
func (f *proxied) verify(t *testing.T, name string, header []string, want map[string]string) {
	t.Helper()
	if len(header) != 1 {
		t.Errorf("signed %d times", len(header))
		return
	}
	var keys jose.JSONWebKeySet
	must(t, json.Unmarshal([]byte(f.person(t).get("login", "/.well-known/jwks.json").body), &keys))
	token, err := jose.ParseSignedCompact(header[0], []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	claims, err := token.Verify(&keys)
	must(t, err)
	var said struct {
		Issuer   string   `json:"iss"`
		Audience string   `json:"aud"`
		Issued   int64    `json:"iat"`
		Expires  int64    `json:"exp"`
		Username string   `json:"preferred_username"`
		Email    string   `json:"email"`
		Groups   []string `json:"groups"`
	}
	must(t, json.Unmarshal(claims, &said))
	now := time.Now().Unix()
	if said.Issuer != "https://"+f.host("login") || said.Audience != "https://"+f.host(name) || said.Expires <= now || said.Issued > now || said.Expires-said.Issued != 60 {
		t.Errorf("%s", claims)
	}
	if said.Username != want["remote-user"] || said.Email != want["remote-email"] || !slices.Equal(said.Groups, strings.Split(want["remote-groups"], ",")) {
		t.Errorf("%s, want %v", claims, want)
	}
}
