package federation_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/djauthy/djauthy/internal/seal"
)

const publicURL = "http://localhost:8080"

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// clock is the time of a service.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func service(t testing.TB, providers ...federation.Provider) (*federation.Service, *clock) {
	t.Helper()
	c := &clock{}
	d := dbtest.Open(t, dbtest.Ready(t, "sqlite"))
	d.Now = c.now
	return serviceOn(t, d, loopback, providers...), c
}

// serviceFor is a service whose strangers lead to some networks.
func serviceFor(t testing.TB, allow []netip.Prefix) *federation.Service {
	t.Helper()
	return serviceOn(t, dbtest.Open(t, dbtest.Ready(t, "sqlite")), allow)
}

func serviceOn(t testing.TB, d *db.DB, allow []netip.Prefix, providers ...federation.Provider) *federation.Service {
	t.Helper()
	return serviceBy(t, d, federation.Settings{Providers: providers, Allow: allow})
}

// serviceBy is a service with the test's name and URL.
func serviceBy(t testing.TB, d *db.DB, settings federation.Settings) *federation.Service {
	t.Helper()
	keys, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	settings.PublicURL, settings.Client, settings.Discovery = publicURL, "djauthy", accounts.Discovery{FoldLocalPart: true}
	s, err := federation.New(settings, d, keys, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func corp(i *federationtest.Issuer) federation.Provider {
	return federation.Provider{Name: "corp", Kind: federation.OpenID, Issuer: i.URL, ClientID: "djauthy", ClientSecret: "hunter2hunter2"}
}

// visit follows an address to the provider as a browser does, and returns the response that
// the provider sends the browser back with.
func visit(t *testing.T, address string) url.Values {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(back.String(), publicURL+"/login/") {
		t.Fatalf("the provider sends back to %q, %v", back, err)
	}
	return back.Query()
}

// signIn goes to the provider and back.
func signIn(t *testing.T, s *federation.Service) (federation.Identity, error) {
	t.Helper()
	address, pending, err := s.Begin(t.Context(), "corp", "state", "", false)
	if err != nil {
		return federation.Identity{}, err
	}
	return s.Finish(t.Context(), pending, visit(t, address))
}

func TestAPersonIsWhoTheirIssuerSays(t *testing.T) {
	i := federationtest.New(t)
	i.Person = map[string]any{
		"sub": "ann-1", "email": "Ann@Corp.example", "email_verified": true, "amr": []string{"pwd", "otp"}, "acr": "strong", "auth_time": 1700000000, "name": "Ann",
	}
	p := corp(i)
	p.TrustEmail = []string{"corp.example"}
	s, _ := service(t, p)
	who, err := signIn(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if want := (accounts.ID{Implementation: accounts.OpenID, Identifier: i.URL + " ann-1"}); who.ID != want || who.Provider != "corp" {
		t.Errorf("%+v, want %v", who, want)
	}
	if who.Email != "Ann@Corp.example" || !who.Verified || who.Mailbox.ID.Identifier != "ann@corp.example" || who.ACR != "strong" || !slices.Equal(who.AMR, []string{"pwd", "otp"}) || who.AuthTime.Unix() != 1700000000 {
		t.Errorf("%+v", who)
	}
}

func TestTheRequestIsThatOfTheCodeFlow(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t, corp(i))
	address, pending, err := s.Begin(t.Context(), "corp", "the state", "ann@corp.example", false)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "djauthy", "redirect_uri": publicURL + "/login/corp/callback", "scope": "openid profile email",
		"state": "the state", "nonce": pending.Nonce, "code_challenge_method": "S256", "login_hint": "ann@corp.example",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if strings.Contains(address, pending.Verifier) || strings.Contains(address, "hunter2") || len(pending.Nonce) < 22 || len(pending.Verifier) < 43 {
		t.Errorf("%s, %+v", address, pending)
	}
}

func TestAFreshSignInDoesNotRestOnAnEarlierOne(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t, corp(i))
	for _, c := range []struct {
		fresh   bool
		maxAge  string
		ago     time.Duration
		refused bool
	}{
		{fresh: false, maxAge: "2592000", ago: 8 * time.Hour},
		{fresh: true, maxAge: "300", ago: 8 * time.Hour, refused: true},
		{fresh: true, maxAge: "300", ago: time.Minute},
	} {
		address, pending, err := s.Begin(t.Context(), "corp", "state", "", c.fresh)
		if err != nil {
			t.Fatal(err)
		}
		if want := "max_age=" + c.maxAge; !strings.Contains(address, want+"&") {
			t.Errorf("fresh %v: %s has no %s", c.fresh, address, want)
		}
		i.Claims = func(claims map[string]any) { claims["auth_time"] = time.Now().Add(-c.ago).Unix() }
		if _, err = s.Finish(t.Context(), pending, visit(t, address)); errors.Is(err, federation.ErrRefused) != c.refused || err != nil && !c.refused {
			t.Errorf("fresh %v, a sign-in of %s ago: %v", c.fresh, c.ago, err)
		}
	}
}

func TestAnAddressIsTrustedForItsDomainOnly(t *testing.T) {
	i := federationtest.New(t)
	p := corp(i)
	p.TrustEmail = []string{"corp.example"}
	s, _ := service(t, p)
	for _, c := range []struct {
		email    any
		verified any
		trusted  bool
	}{
		{"ann@corp.example", true, true},
		{"ann@corp.example", "true", true},
		{"ann@corp.example", false, false},
		{"ann@corp.example", "false", false},
		{"ann@corp.example", nil, false},
		{"ann@corp.example", 1, false},
		{"ann@gmail.com", true, false},
		{"ann@corp.example@gmail.com", true, false},
		{"corp.example", true, false},
		{"ann@notcorp.example", true, false},
		{"", true, false},
	} {
		i.Person = map[string]any{"sub": "1", "email": c.email, "email_verified": c.verified}
		if who, err := signIn(t, s); err != nil || (who.Mailbox.ID.Identifier != "") != c.trusted {
			t.Errorf("%v, verified %v: %+v, %v", c.email, c.verified, who, err)
		}
	}
}

func TestAProviderThatIsDownSaysSoAndIsTriedAgain(t *testing.T) {
	i := federationtest.New(t)
	s, c := service(t, corp(i))
	var status int
	i.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		if status != 0 {
			w.WriteHeader(status)
		}
		return status != 0
	}
	status = http.StatusServiceUnavailable
	for range 3 {
		if _, _, err := s.Begin(t.Context(), "corp", "state", "", false); !errors.Is(err, federation.ErrDown) {
			t.Fatal(err)
		}
	}
	if n := i.Hits("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("it was asked %d times within seconds", n)
	}
	status = 0
	c.ahead.Store(int64(11 * time.Second))
	if _, err := signIn(t, s); err != nil {
		t.Fatal(err)
	}
	status = http.StatusServiceUnavailable
	c.ahead.Store(int64(time.Hour))
	if _, _, err := s.Begin(t.Context(), "corp", "state", "", false); err != nil {
		t.Errorf("what it said before is used meanwhile: %v", err)
	}
}

func TestMetadataThatDoesNotFitIsNotUsed(t *testing.T) {
	i := federationtest.New(t)
	for name, change := range map[string]func(m map[string]any){
		"another issuer":  func(m map[string]any) { m["issuer"] = "https://evil.example" },
		"no issuer":       func(m map[string]any) { delete(m, "issuer") },
		"no endpoint":     func(m map[string]any) { delete(m, "authorization_endpoint") },
		"a script":        func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" },
		"a file":          func(m map[string]any) { m["jwks_uri"] = "file:///etc/passwd" },
		"no keys":         func(m map[string]any) { delete(m, "jwks_uri") },
		"a token as user": func(m map[string]any) { m["token_endpoint"] = "http://user@127.0.0.1/token" },
	} {
		i.Metadata = change
		s, _ := service(t, corp(i))
		if address, _, err := s.Begin(t.Context(), "corp", "state", "", false); !errors.Is(err, federation.ErrDown) {
			t.Errorf("%s: %s, %v", name, address, err)
		}
	}
}

func TestKeysAreFetchedAgainForAnUnknownKidOnceAMinute(t *testing.T) {
	i := federationtest.New(t)
	i.Claims = func(c map[string]any) { c["exp"] = time.Now().Add(time.Hour).Unix() }
	s, c := service(t, corp(i))
	in := func() error { t.Helper(); _, err := signIn(t, s); return err }
	if err := in(); err != nil || i.Hits("/jwks") != 1 {
		t.Fatalf("%v, %d fetches", err, i.Hits("/jwks"))
	}
	i.Rotate(false)
	if err := in(); err != nil || i.Hits("/jwks") != 2 {
		t.Fatalf("a rotated key: %v, %d fetches", err, i.Hits("/jwks"))
	}
	i.Rotate(true)
	for range 3 {
		if err := in(); !errors.Is(err, federation.ErrRefused) || i.Hits("/jwks") != 2 {
			t.Fatalf("another one at once: %v, %d fetches", err, i.Hits("/jwks"))
		}
	}
	c.ahead.Store(int64(61 * time.Second))
	if err := in(); err != nil || i.Hits("/jwks") != 3 {
		t.Fatalf("after a minute: %v, %d fetches", err, i.Hits("/jwks"))
	}
}

func TestTheClientShowsItsSecretInTheWayTheProviderTakes(t *testing.T) {
	for _, c := range []struct {
		methods any
		secret  string
		basic   bool
	}{
		{nil, "hunter2hunter2", true},
		{[]string{"client_secret_basic", "client_secret_post"}, "hunter2hunter2", true},
		{[]string{"client_secret_post"}, "hunter2hunter2", false},
		{nil, "", false},
	} {
		i := federationtest.New(t)
		i.Metadata = func(m map[string]any) {
			if c.methods != nil {
				m["token_endpoint_auth_methods_supported"] = c.methods
			}
		}
		i.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				_, secret, basic := r.BasicAuth()
				if posted := r.PostFormValue("client_secret"); basic != c.basic || basic && secret != c.secret || !basic && posted != c.secret {
					t.Errorf("%v: basic %v, posted %q", c.methods, basic, posted)
				}
			}
			return false
		}
		p := corp(i)
		p.ClientSecret = c.secret
		s, _ := service(t, p)
		if _, err := signIn(t, s); err != nil {
			t.Error(err)
		}
	}
}

func TestAProviderThatIsNotConfiguredIsUnknown(t *testing.T) {
	s, _ := service(t)
	if _, _, err := s.Begin(t.Context(), "corp", "state", "", false); !errors.Is(err, federation.ErrUnknown) {
		t.Error(err)
	}
	if _, err := s.Finish(t.Context(), federation.Pending{Provider: "corp"}, url.Values{}); !errors.Is(err, federation.ErrUnknown) {
		t.Error(err)
	}
}
