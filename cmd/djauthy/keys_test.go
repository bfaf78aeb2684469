package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

func TestKeysArePublishedForEverybodyWhoVerifies(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		for _, host := range []string{"", "10.0.0.1:8080"} { // an app beside it may not know its name
			own := map[string]string{}
			if host != "" {
				own["Host"] = host
			}
			a := s.browser(t).do(http.MethodGet, "/.well-known/jwks.json", "", "", own).want(t, http.StatusOK, "")
			for name, want := range map[string]string{"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=300", "Set-Cookie": ""} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s is %q", name, got)
				}
			}
			if n := strings.Count(a.body, `"kid"`); n != 2 {
				t.Errorf("%d keys: %s", n, a.body)
			}
		}
		token, err := s.house.signkeys.Sign(t.Context(), "JWT", map[string]string{"sub": "ann"})
		if err != nil {
			t.Fatal(err)
		}
		stranger := oidc.NewRemoteKeySet(t.Context(), s.public.String()+"/.well-known/jwks.json")
		if payload, err := stranger.VerifySignature(t.Context(), token); err != nil || string(payload) != `{"sub":"ann"}` {
			t.Errorf("a stranger's verifier says %q, %v", payload, err)
		}
	})
}
