package federation_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/go-jose/go-jose/v4"
)

// Row 51.
func TestRow51_NoTokenIsTakenThatTheIssuerHasNotSigned(t *testing.T) {
	i := federationtest.New(t)
	var jku atomic.Int32
	i.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/evil" {
			jku.Add(1)
		}
		return false
	}
	s, _ := service(t, corp(i))
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signing := i.Key()
	public, err := json.Marshal(signing.Public())
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(secret []byte) func(map[string]any) string {
		return func(c map[string]any) string {
			return federationtest.JWS(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: "first"}}, c, nil)
		}
	}
	by := func(alg jose.SignatureAlgorithm, kid string, headers map[jose.HeaderKey]any) func(map[string]any) string {
		return func(c map[string]any) string {
			return federationtest.JWS(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: foreign, KeyID: kid}}, c, headers)
		}
	}
	unsigned := func(alg string) func(map[string]any) string {
		return func(c map[string]any) string {
			text, _ := json.Marshal(c)
			enc := base64.RawURLEncoding.EncodeToString
			return enc([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + enc(text) + "."
		}
	}
	cut := func(change func(parts []string)) func(map[string]any) string {
		return func(c map[string]any) string {
			parts := strings.Split(i.Signed(c), ".")
			change(parts)
			return strings.Join(parts, ".")
		}
	}
	for name, sign := range map[string]func(map[string]any) string{
		"alg none":                     unsigned("none"),
		"alg nOnE":                     unsigned("nOnE"),
		"alg empty":                    unsigned(""),
		"HS256 with the public key":    hs256(public),
		"HS256 with the client secret": hs256([]byte("hunter2hunter2hunter2hunter2hunter2")),
		"another key":                  by(jose.RS256, "other", nil),
		"another key with the kid":     by(jose.RS256, "first", nil),
		"another key without kid":      by(jose.RS256, "", nil),
		"an algorithm it has not":      by(jose.PS256, "first", nil),
		"jku":                          by(jose.RS256, "evil", map[jose.HeaderKey]any{"jku": i.URL + "/evil"}),
		"x5u":                          by(jose.RS256, "evil", map[jose.HeaderKey]any{"x5u": i.URL + "/evil"}),
		"its own key inside": by(jose.RS256, "", map[jose.HeaderKey]any{
			"jwk": jose.JSONWebKey{Key: &foreign.PublicKey, Algorithm: "RS256"},
		}),
		"crit":           by(jose.RS256, "first", map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}),
		"no signature":   cut(func(p []string) { p[2] = "" }),
		"cut signature":  cut(func(p []string) { p[2] = p[2][:20] }),
		"two parts":      func(c map[string]any) string { return strings.Join(strings.Split(i.Signed(c), ".")[:2], ".") },
		"nothing":        func(map[string]any) string { return "" },
		"no token":       func(map[string]any) string { return "a.b.c" },
		"changed claims": cut(func(p []string) { p[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root"}`)) }),
	} {
		i.Sign = sign
		if who, err := signIn(t, s); !errors.Is(err, federation.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if jku.Load() != 0 {
		t.Error("an address from the token was fetched")
	}
	i.Sign = nil
	if _, err := signIn(t, s); err != nil {
		t.Fatalf("and the issuer's own: %v", err)
	}
}

// Row 52.
func TestRow52_NoTokenIsTakenThatIsNotForThisSignIn(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t, corp(i))
	now := time.Now()
	for name, change := range map[string]func(c map[string]any){
		"iss of another":         func(c map[string]any) { c["iss"] = "https://evil.example" },
		"iss with a slash":       func(c map[string]any) { c["iss"] = i.URL + "/" },
		"no iss":                 func(c map[string]any) { delete(c, "iss") },
		"aud of another":         func(c map[string]any) { c["aud"] = "other" },
		"no aud":                 func(c map[string]any) { delete(c, "aud") },
		"empty aud":              func(c map[string]any) { c["aud"] = []string{} },
		"two aud without azp":    func(c map[string]any) { c["aud"] = []string{"djauthy", "other"} },
		"azp of another":         func(c map[string]any) { c["azp"] = "other" },
		"no sub":                 func(c map[string]any) { delete(c, "sub") },
		"empty sub":              func(c map[string]any) { c["sub"] = "" },
		"sub a number":           func(c map[string]any) { c["sub"] = 7 },
		"sub an object":          func(c map[string]any) { c["sub"] = map[string]any{"a": 1} },
		"sub null":               func(c map[string]any) { c["sub"] = nil },
		"long sub":               func(c map[string]any) { c["sub"] = strings.Repeat("a", 256) },
		"sub with a line":        func(c map[string]any) { c["sub"] = "a\nb" },
		"expired":                func(c map[string]any) { c["exp"] = now.Add(-time.Minute).Unix() },
		"no exp":                 func(c map[string]any) { delete(c, "exp") },
		"exp a text":             func(c map[string]any) { c["exp"] = "tomorrow" },
		"exp null":               func(c map[string]any) { c["exp"] = nil },
		"no iat":                 func(c map[string]any) { delete(c, "iat") },
		"iat tomorrow":           func(c map[string]any) { c["iat"] = now.Add(24 * time.Hour).Unix() },
		"nbf tomorrow":           func(c map[string]any) { c["nbf"] = now.Add(24 * time.Hour).Unix() },
		"another nonce":          func(c map[string]any) { c["nonce"] = "other" },
		"no nonce":               func(c map[string]any) { delete(c, "nonce") },
		"at_hash of another":     func(c map[string]any) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
		"claims of another kind": func(c map[string]any) { c["email"] = map[string]any{} },
	} {
		i.Claims = change
		if who, err := signIn(t, s); !errors.Is(err, federation.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	for name, change := range map[string]func(c map[string]any){
		"two aud with azp": func(c map[string]any) { c["aud"], c["azp"] = []string{"djauthy", "other"}, "djauthy" },
		"a list of one":    func(c map[string]any) { c["aud"] = []string{"djauthy"} },
		"at_hash":          func(c map[string]any) { c["at_hash"] = "" },
		"amr a text":       func(c map[string]any) { c["amr"] = "pwd" },
		"amr an object":    func(c map[string]any) { c["amr"] = map[string]any{} },
		"a clock ahead":    func(c map[string]any) { c["iat"] = now.Add(time.Minute).Unix() },
	} {
		i.Claims = change
		if _, err := signIn(t, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRow52_UserinfoOfSomebodyElseIsNotUsed(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t, corp(i))
	var said string
	i.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/userinfo" {
			return false
		}
		if r.Header.Get("Authorization") != "Bearer at" {
			t.Errorf("userinfo is asked with %q", r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(said))
		return true
	}
	for _, said = range []string{`{"sub":"root","email":"root@corp.example","email_verified":true}`, `{"email":"root@corp.example"}`, `{}`} {
		if who, err := signIn(t, s); !errors.Is(err, federation.ErrRefused) {
			t.Errorf("%s: %+v, %v", said, who, err)
		}
	}
	for _, said = range []string{`{"sub":"1234","email":"ann@corp.example","email_verified":true}`, `no JSON`, ``} {
		if who, err := signIn(t, s); err != nil || (who.Email != "") != strings.HasPrefix(said, "{") {
			t.Errorf("%s: %+v, %v", said, who, err)
		}
	}
}

// Row 53.
func TestRow53_AResponseOfAnotherIssuerIsNotRedeemed(t *testing.T) {
	i := federationtest.New(t)
	s, c := service(t, corp(i))
	refuse := func(name string, change func(url.Values)) {
		t.Helper()
		i.Respond = change
		before := i.Hits("/token")
		if who, err := signIn(t, s); !errors.Is(err, federation.ErrRefused) || i.Hits("/token") != before {
			t.Errorf("%s: %+v, %v, %d requests", name, who, err, i.Hits("/token")-before)
		}
	}
	refuse("iss of another", func(r url.Values) { r.Set("iss", "https://evil.example") })
	refuse("two iss", func(r url.Values) { r["iss"] = []string{i.URL, "https://evil.example"} })
	refuse("two codes", func(r url.Values) { r.Add("code", "x") })
	refuse("no code", func(r url.Values) { r.Del("code") })
	refuse("an error", func(r url.Values) { r.Set("error", "access_denied") })
	i.Respond = func(r url.Values) { r.Set("iss", i.URL) }
	if _, err := signIn(t, s); err != nil {
		t.Errorf("its own iss: %v", err)
	}
	i.Metadata = func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true }
	c.ahead.Store(int64(time.Hour))
	i.Claims = func(c map[string]any) { c["exp"] = time.Now().Add(2 * time.Hour).Unix() }
	refuse("no iss, though it is promised", nil)
}

// Row 54.
func TestRow54_ATokenEndpointThatMisbehavesEndsTheSignIn(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t, corp(i))
	var secrets atomic.Int32
	elsewhere := federationtest.New(t)
	elsewhere.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if _, secret, ok := r.BasicAuth(); ok || secret != "" || r.FormValue("code") != "" {
			secrets.Add(1)
		}
		return false
	}
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   error
	}{
		"500":         {func(w http.ResponseWriter) { w.WriteHeader(500) }, federation.ErrDown},
		"HTML":        {func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }, federation.ErrDown},
		"empty":       {func(http.ResponseWriter) {}, federation.ErrDown},
		"64 MB":       {func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 64<<20)) }, federation.ErrDown},
		"redirects":   {func(w http.ResponseWriter) { w.Header().Set("Location", elsewhere.URL+"/token"); w.WriteHeader(307) }, federation.ErrDown},
		"refuses":     {func(w http.ResponseWriter) { w.WriteHeader(400); _, _ = w.Write([]byte(`{"error":"invalid_grant"}`)) }, federation.ErrRefused},
		"no client":   {func(w http.ResponseWriter) { w.WriteHeader(401); _, _ = w.Write([]byte(`{"error":"invalid_client"}`)) }, federation.ErrDown},
		"no ID token": {func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"access_token":"a","token_type":"Bearer"}`)) }, federation.ErrRefused},
	} {
		i.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				w.Header().Set("Content-Type", "application/json")
				c.answer(w)
			}
			return r.URL.Path == "/token"
		}
		_, err := signIn(t, s)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 1000) {
			t.Errorf("%s: the error is %.2000s", name, err)
		}
	}
	if secrets.Load() != 0 {
		t.Error("the secret was sent to where a redirect leads")
	}
}

// Nobody gets in by a response that no provider has made, whatever its query.
func FuzzCallback(f *testing.F) {
	i, o := federationtest.New(f), federationtest.NewOAuth(f)
	git := gitea(o)
	git.Name = "git"
	s, _ := service(f, corp(i), git)
	trips := []federation.Pending{
		{Provider: "corp", Nonce: "n", Verifier: "v"},
		{Provider: "git", Session: "{}", Verifier: "v"},
		{Provider: "git"},
		{Issuer: i.URL, ClientID: "c", Nonce: "n"},
		{Claim: &federation.Claim{Claimed: o.URL + "/ann", Endpoint: o.URL + "/op"}},
		{Provider: "nobody"},
		{},
	}
	for _, query := range []string{"", "code=a&state=b", "error=access_denied&error_description=x", "oauth_token=a&oauth_verifier=b", "openid.mode=id_res&openid.ns=http://specs.openid.net/auth/2.0", "code=a&code=b&iss=" + i.URL} {
		f.Add(query, uint8(len(query)))
	}
	f.Fuzz(func(t *testing.T, query string, n uint8) {
		response, err := url.ParseQuery(query)
		if err != nil || len(query) > 4000 {
			return
		}
		if who, err := s.Finish(t.Context(), trips[int(n)%len(trips)], response); err == nil {
			t.Fatalf("%+v gets in by %q", who, query)
		}
	})
}
