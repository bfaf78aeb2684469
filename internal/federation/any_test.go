package federation_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/djauthy/djauthy/internal/fetch"
)

func always() bool { return true }

// toIssuer is the way of an id to its issuer and back.
func toIssuer(t *testing.T, s *federation.Service, typed string) (federation.Identity, error) {
	t.Helper()
	found, refusal := accounts.Discovery{AnyIssuer: true}.Resolve(typed, "")
	if refusal != "" {
		t.Fatalf("%s is refused: %s", typed, refusal)
	}
	target, err := s.Find(t.Context(), found.ID, always)
	if err != nil {
		return federation.Identity{}, err
	}
	return at(t, s, target)
}

func at(t *testing.T, s *federation.Service, target federation.Target) (federation.Identity, error) {
	t.Helper()
	address, pending, err := s.BeginAt(t.Context(), target, "state", "", false)
	if err != nil {
		return federation.Identity{}, err
	}
	return s.Finish(t.Context(), pending, visit(t, address))
}

// crowded is a transport without a free slot, at the paths for which full is true.
type crowded struct {
	http.RoundTripper
	full func(path string) bool
}

func (c crowded) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.full(r.URL.Path) {
		return nil, fetch.ErrBusy
	}
	return c.RoundTripper.RoundTrip(r)
}

// What others cause is not remembered of an issuer.
func TestALackOfSlotsIsOverAtOnce(t *testing.T) {
	i := federationtest.New(t)
	host := strings.TrimPrefix(i.URL, "http://")
	i.WebFinger["acct:ann@"+host] = i.URL
	for _, path := range []string{"/.well-known/webfinger", "/.well-known/openid-configuration", "/register", "/token", "/jwks"} {
		full := false
		strangers := fetch.Strangers(loopback)
		strangers.Transport = crowded{strangers.Transport, func(at string) bool { return full && at == path }}
		s := serviceBy(t, dbtest.Open(t, dbtest.Ready(t, "sqlite")), federation.Settings{Strangers: strangers, Allow: loopback})
		full = true
		if who, err := toIssuer(t, s, "acct:ann@"+host); err == nil {
			t.Errorf("%s: no slot is needed: %+v", path, who)
		}
		full = false
		if who, err := toIssuer(t, s, "acct:ann@"+host); err != nil || who.ID.Identifier != i.URL+" 1234" {
			t.Errorf("%s, then: %+v, %v", path, who, err)
		}
	}
}

func TestAnIDLeadsToItsIssuerWhichNobodyConfigured(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t)
	host := strings.TrimPrefix(i.URL, "http://")
	i.WebFinger["acct:ann@"+host] = i.URL
	i.WebFinger[i.URL+"/ann"] = i.URL
	for _, typed := range []string{"acct:ann@" + host, i.URL + "/ann", i.URL, i.URL + "/", host, host + "/"} {
		if who, err := toIssuer(t, s, typed); err != nil || who.ID.Identifier != i.URL+" 1234" || who.Provider != "" || who.Mailbox.Address != "" {
			t.Errorf("%s: %+v, %v", typed, who, err)
		}
	}
	if n := i.Hits("/register"); n != 1 {
		t.Errorf("registered %d times", n)
	}
	if target, err := s.FindMail(t.Context(), "ann@"+host, always); err != nil || target.Issuer != i.URL {
		t.Errorf("an email address: %v, %v", target, err)
	}
	for _, typed := range []string{"acct:bob@" + host, i.URL + "/nobody", "127.0.0.1:1"} {
		if who, err := toIssuer(t, s, typed); !errors.Is(err, federation.ErrNowhere) {
			t.Errorf("%s: %+v, %v", typed, who, err)
		}
	}
}

func TestARegistrationIsKeptAndRenewedWhenItDies(t *testing.T) {
	i := federationtest.New(t)
	s, c := service(t)
	i.Now = c.now
	i.Claims = func(c map[string]any) { c["exp"] = time.Now().Add(48 * time.Hour).Unix() }
	target := federation.Target{Issuer: i.URL}
	in := func(registered int) {
		t.Helper()
		if _, err := at(t, s, target); err != nil || i.Hits("/register") != registered {
			t.Fatalf("%v, registered %d times, want %d", err, i.Hits("/register"), registered)
		}
	}
	in(1)
	again := serviceOn(t, federation.DB(s), loopback)
	if _, err := at(t, again, target); err != nil || i.Hits("/register") != 1 {
		t.Errorf("after a restart: %v, registered %d times", err, i.Hits("/register"))
	}
	i.Forget()
	if _, err := at(t, s, target); !errors.Is(err, federation.ErrDead) {
		t.Errorf("forgotten: %v", err)
	}
	i.SecretFor = time.Hour
	in(2)
	c.ahead.Store(int64(2 * time.Hour))
	in(3)
}

func TestOfManyWhoRegisterAtOnceOneCounts(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := at(t, s, federation.Target{Issuer: i.URL}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestAnIssuerThatTakesNobodySaysSo(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t)
	i.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/register" {
			w.WriteHeader(http.StatusForbidden)
		}
		return r.URL.Path == "/register"
	}
	if _, err := at(t, s, federation.Target{Issuer: i.URL}); !errors.Is(err, federation.ErrClosed) {
		t.Error(err)
	}
	other := federationtest.New(t)
	other.Metadata = func(m map[string]any) { delete(m, "registration_endpoint") }
	if _, err := at(t, s, federation.Target{Issuer: other.URL}); !errors.Is(err, federation.ErrClosed) {
		t.Error(err)
	}
	for _, body := range []string{"", "<html>", "{}", `{"client_id":""}`, `{"client_id":7}`} {
		broken := federationtest.New(t)
		broken.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/register" {
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(body))
			}
			return r.URL.Path == "/register"
		}
		if _, err := at(t, s, federation.Target{Issuer: broken.URL}); !errors.Is(err, federation.ErrDown) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAnIssuerThatIsConfiguredIsNotRegisteredAt(t *testing.T) {
	i := federationtest.New(t)
	s, _ := service(t, corp(i))
	if who, err := at(t, s, federation.Target{Issuer: i.URL}); err != nil || who.Provider != "corp" || i.Hits("/register") != 0 {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestWhatAHostSaysIsRememberedForAWhile(t *testing.T) {
	i := federationtest.New(t)
	s, c := service(t)
	host := strings.TrimPrefix(i.URL, "http://")
	i.WebFinger["acct:ann@"+host] = i.URL
	paid := 0
	ask := func(user string) error {
		_, err := s.FindMail(t.Context(), user+"@"+host, func() bool { paid++; return true })
		return err
	}
	for range 3 {
		if err := ask("ann"); err != nil {
			t.Fatal(err)
		}
		if err := ask("bob"); !errors.Is(err, federation.ErrNowhere) {
			t.Fatal(err)
		}
	}
	if n := i.Hits("/.well-known/webfinger"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	c.ahead.Store(int64(61 * time.Second))
	before := paid
	if _ = ask("bob"); i.Hits("/.well-known/webfinger") != 3 || paid == before {
		t.Errorf("that there is none is remembered for a minute: asked %d times", i.Hits("/.well-known/webfinger"))
	}
	if _, err := s.FindMail(t.Context(), "eve@"+host, func() bool { return false }); !errors.Is(err, federation.ErrNowhere) || i.Hits("/.well-known/webfinger") != 3 {
		t.Errorf("who may not ask is answered without: %v", err)
	}
}

// A host that does not answer is not asked again for its other people.
func TestAHostThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	var hits atomic.Int32
	s, _ := service(t)
	for name, answer := range map[string]http.HandlerFunc{
		"drops":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"endless": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) },
	} {
		hits.Store(0)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hits.Add(1); answer(w, r) }))
		for _, user := range []string{"ann", "bob", "cat"} {
			if target, err := s.FindMail(t.Context(), user+"@"+strings.TrimPrefix(server.URL, "http://"), always); !errors.Is(err, federation.ErrNowhere) {
				t.Errorf("%s: %v, %v", name, target, err)
			}
		}
		if n := hits.Load(); n > 2 { // Go repeats a request once on a connection that was dropped
			t.Errorf("%s is asked %d times", name, n)
		}
		server.Close()
	}
}

// Whoever asks for a user that a host does not have must not hide the others.
func TestAnUnknownUserOfAHostHidesNobodyElse(t *testing.T) {
	for _, status := range []int{404, 500, 302, 403} {
		i := federationtest.New(t)
		s, _ := service(t)
		host := strings.TrimPrefix(i.URL, "http://")
		i.WebFinger["acct:ann@"+host] = i.URL
		i.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			unknown := strings.HasPrefix(r.FormValue("resource"), "acct:nobody")
			if unknown {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(status)
			}
			return unknown
		}
		if _, err := s.FindMail(t.Context(), "nobody@"+host, always); !errors.Is(err, federation.ErrNowhere) {
			t.Fatal(err)
		}
		if target, err := s.FindMail(t.Context(), "ann@"+host, always); err != nil || target.Issuer != i.URL {
			t.Errorf("after %d for somebody else: %v, %v", status, target, err)
		}
	}
}

// Row 65: what an issuer says fills no memory and no log.
func TestRow65_AnIssuerOfStrangersFillsNothing(t *testing.T) {
	i := federationtest.New(t)
	s, c := service(t)
	long := strings.Repeat("x", 100_000)
	for name, change := range map[string]func(m map[string]any){
		"issuer":   func(m map[string]any) { m["issuer"] = "https://a.example/" + long },
		"endpoint": func(m map[string]any) { m["token_endpoint"] = "https://a.example/" + long },
	} {
		i.Metadata = change
		c.ahead.Add(int64(time.Hour))
		_, _, err := s.BeginAt(t.Context(), federation.Target{Issuer: i.URL}, "state", "", false)
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", name, len(fmt.Sprint(err)))
		}
	}
	many := make([]string, 50_000)
	i.Metadata = func(m map[string]any) {
		m["id_token_signing_alg_values_supported"], m["token_endpoint_auth_methods_supported"] = append(many, "RS256"), append(many, "client_secret_basic")
	}
	c.ahead.Add(int64(time.Hour))
	if n := federation.Remembered(s, i.URL); n > 4 {
		t.Errorf("%d words are kept of its metadata", n)
	}
	i.Metadata = nil
	i.Person["preferred_username"] = long + "\x00\u202e\x1b[31m"
	i.Claims = func(c map[string]any) { c["exp"] = time.Now().Add(48 * time.Hour).Unix() }
	other, _ := service(t)
	who, err := at(t, other, federation.Target{Issuer: i.URL})
	if err != nil || len(who.Name) > 110 || strings.ContainsAny(who.Name, "\x00\u202e\x1b") {
		t.Errorf("a name of %d bytes, %v", len(who.Name), err)
	}
}

// Row 53: the response of one issuer does not come to another's callback (mix-up).
func TestRow53_EachIssuerThatNobodyConfiguredHasItsOwnCallback(t *testing.T) {
	honest, evil := federationtest.New(t), federationtest.New(t)
	s, _ := service(t)
	address, pending, err := s.BeginAt(t.Context(), federation.Target{Issuer: evil.URL}, "state", "", false)
	if err != nil {
		t.Fatal(err)
	}
	theirs := visit(t, address)
	address, _, err = s.BeginAt(t.Context(), federation.Target{Issuer: honest.URL}, "state", "", false)
	if err != nil {
		t.Fatal(err)
	}
	ours := visit(t, address)
	if ours.Get(federation.IssuerParam) == theirs.Get(federation.IssuerParam) {
		t.Fatal("two issuers have one callback")
	}
	if who, err := s.Finish(t.Context(), pending, ours); !errors.Is(err, federation.ErrRefused) || evil.Hits("/token") != 0 {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestNoHostIsAskedThatThePublicInternetHasNot(t *testing.T) {
	s := serviceFor(t, nil)
	for _, host := range []string{"example.org", "mail.example.com", "corp.test", "localhost", "printer.local", "x.invalid", "a.example"} {
		if target, err := s.FindMail(t.Context(), "ann@"+host, func() bool { t.Errorf("%s is asked", host); return true }); !errors.Is(err, federation.ErrNowhere) {
			t.Errorf("%s: %v, %v", host, target, err)
		}
	}
}

// Row 50: what an issuer names is fetched only where strangers' addresses may lead.
func TestRow50_AnIssuerOfStrangersLeadsToNoPrivateAddress(t *testing.T) {
	var canary atomic.Int32
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { canary.Add(1) })) // at 127.0.0.1
	defer secret.Close()
	i := federationtest.NewAt(t, "127.0.0.2")
	host := strings.TrimPrefix(i.URL, "http://")
	for _, endpoint := range []string{"token_endpoint", "jwks_uri", "userinfo_endpoint", "registration_endpoint"} {
		i.Metadata = func(m map[string]any) { m[endpoint] = secret.URL }
		s := serviceFor(t, []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")})
		if who, err := at(t, s, federation.Target{Issuer: i.URL}); err == nil && endpoint != "userinfo_endpoint" {
			t.Errorf("%s: %+v", endpoint, who)
		}
	}
	s := serviceFor(t, []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")})
	i.Metadata = nil
	for _, issuer := range []string{secret.URL, "http://127.0.0.1/", "http://[::1]", "http://169.254.169.254", "file:///etc/passwd", secret.URL + "?a=b", "http://user@127.0.0.2", "javascript:alert(1)"} {
		i.WebFinger["acct:ann@"+host] = issuer
		s := serviceFor(t, []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")})
		if who, err := toIssuer(t, s, "acct:ann@"+host); err == nil {
			t.Errorf("%s: %+v", issuer, who)
		}
	}
	for _, typed := range []string{secret.URL, strings.TrimPrefix(secret.URL, "http://"), "acct:ann@" + strings.TrimPrefix(secret.URL, "http://"), "http://localhost:" + port(secret.URL)} {
		if who, err := toIssuer(t, s, typed); !errors.Is(err, federation.ErrNowhere) {
			t.Errorf("%s: %+v, %v", typed, who, err)
		}
	}
	if n := canary.Load(); n != 0 {
		t.Fatalf("the canary was reached %d times", n)
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func TestThisServerIsNoIssuerForItself(t *testing.T) {
	s, _ := service(t)
	for _, typed := range []string{publicURL, publicURL + "/", "localhost:8080", "acct:ann@localhost:8080"} {
		if who, err := toIssuer(t, s, typed); !errors.Is(err, federation.ErrNowhere) {
			t.Errorf("%s: %+v, %v", typed, who, err)
		}
	}
}

func FuzzWebFinger(f *testing.F) {
	for _, body := range []string{`{"links":[{"rel":"http://openid.net/specs/connect/1.0/issuer","href":"https://a.example"}]}`, `{"links":{}}`, `[]`, `{"links":[{"rel":1}]}`} {
		f.Add(body, "application/jrd+json", 200)
	}
	s := serviceFor(f, loopback)
	f.Fuzz(func(t *testing.T, body, kind string, status int) {
		if status < 200 || status > 599 {
			return
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return -1
				}
				return r
			}, kind))
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		defer server.Close()
		target, err := s.FindMail(t.Context(), "ann@"+strings.TrimPrefix(server.URL, "http://"), always)
		if err != nil {
			if !errors.Is(err, federation.ErrNowhere) {
				t.Fatal(err)
			}
			return
		}
		if u, err := url.Parse(target.Issuer); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
			t.Fatalf("the issuer is %q", target.Issuer)
		}
	})
}
