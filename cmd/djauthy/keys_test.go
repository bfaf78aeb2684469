package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/djauthy/djauthy/internal/signkeys"
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

// key is a key as `keys list` prints it.
type key struct {
	KID, Alg, State             string
	Created, Activated, Retired *time.Time
}

func (s *site) keys(t *testing.T) (all []key) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.must(t, "keys", "list", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKeysAreListedAndRotatedBesideARunningServer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		if all := s.keys(t); len(all) != 0 {
			t.Errorf("%v before somebody needs one", all)
		}
		s.browser(t).get("/.well-known/jwks.json")
		before := s.keys(t)
		if len(before) != 2 || before[0].State != "active" || before[0].Activated == nil || before[1].State != "next" || before[1].Activated != nil || before[1].Created == nil {
			t.Fatalf("%+v", before)
		}
		var made key
		if err := json.Unmarshal([]byte(s.must(t, "keys", "rotate", "--json")), &made); err != nil || made.KID != before[1].KID {
			t.Errorf("%+v signs, %v; %s was next", made, err, before[1].KID)
		}
		s.clock.advance(2 * time.Second) // the server sees it
		token, err := s.house.signkeys.Sign(t.Context(), "JWT", struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		stranger := oidc.NewRemoteKeySet(t.Context(), s.public.String()+"/.well-known/jwks.json")
		if _, err := stranger.VerifySignature(t.Context(), token); err != nil {
			t.Errorf("the running server signs with another key than it publishes: %v", err)
		}
		after := s.keys(t)
		if len(after) != 3 || after[0].KID != made.KID || after[2].KID != before[0].KID || after[2].Retired == nil {
			t.Errorf("%+v", after)
		}
		if out := s.must(t, "keys", "list"); !strings.HasPrefix(out, "KID ") || !strings.Contains(out, made.KID+"  ES256  active  20") {
			t.Errorf("keys list prints no table:\n%s", out)
		}
		out, errs, code := s.command("keys", "rotate")
		if code != exitOK || out != after[1].KID+" (ES256) signs\n" || !strings.Contains(errs, "refuses what it signs") {
			t.Errorf("a rotation right after another: exit %d, %s%s", code, out, errs)
		}
	})
}

func TestKeysAreWithdrawnBesideARunningServer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		token, err := s.house.signkeys.Sign(t.Context(), "JWT", struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		before := s.keys(t)
		out, errs, code := s.command("keys", "rotate", "--withdraw")
		after := s.keys(t)
		if len(before) != 2 || len(after) != 2 {
			t.Fatalf("%+v, then %+v", before, after)
		}
		if code != exitOK || out != after[0].KID+" (ES256) signs; withdrawn: "+before[0].KID+", "+before[1].KID+"\n" || !strings.Contains(errs, "until they fetch them again") {
			t.Errorf("exit %d, %s%s", code, out, errs)
		}
		s.clock.advance(2 * time.Second) // the server sees it
		if _, err := s.house.signkeys.Verify(t.Context(), "JWT", token); !errors.Is(err, signkeys.ErrNotOurs) {
			t.Errorf("what was signed before: %v", err)
		}
		set := s.browser(t).get("/.well-known/jwks.json").body
		for _, k := range before {
			if strings.Contains(set, k.KID) {
				t.Errorf("a withdrawn key is published: %s", set)
			}
		}
		var said struct {
			key
			Withdrawn []string
		}
		if err := json.Unmarshal([]byte(s.must(t, "keys", "rotate", "--withdraw", "--json")), &said); err != nil || said.State != "active" || len(said.Withdrawn) != 2 || said.Withdrawn[0] != after[0].KID {
			t.Errorf("%+v, %v", said, err)
		}
	})
}
