package federation_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/djauthy/djauthy/internal/fetch"
	"github.com/djauthy/djauthy/internal/seal"
)

func gitea(o *federationtest.OAuth) federation.Provider {
	return federation.Provider{Name: "corp", Kind: federation.OAuth, Driver: "gitea", Issuer: o.URL, ClientID: "djauthy", ClientSecret: "hunter2hunter2"}
}

func TestAPersonIsWhoTheirOAuthProviderSays(t *testing.T) {
	o := federationtest.NewOAuth(t)
	s, _ := service(t, gitea(o))
	if origins := s.Origins(); len(origins) != 1 || origins[0] != o.URL {
		t.Errorf("the origins are %v", origins)
	}
	address, pending, err := s.Begin(t.Context(), "corp", "the-state", "", false)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("state") != "the-state" || q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != publicURL+"/login/corp/callback" {
		t.Errorf("the request is %s", address)
	}
	who, err := s.Finish(t.Context(), pending, visit(t, address))
	if err != nil {
		t.Fatal(err)
	}
	if want := (accounts.ID{Implementation: accounts.OAuth, Identifier: "corp:12"}); who.ID != want || who.Name != "ann" || who.Verified || who.Mailbox.Address != "" {
		t.Errorf("%+v", who)
	}
}

// The name is not the person: who takes over a name that was given up is somebody else.
func TestTheIDAtTheProviderCountsAndNotTheName(t *testing.T) {
	o := federationtest.NewOAuth(t)
	s, _ := service(t, gitea(o))
	o.Person = map[string]any{"id": 13, "login": "ann"}
	if who, err := signIn(t, s); err != nil || who.ID.Identifier != "corp:13" {
		t.Errorf("%+v, %v", who, err)
	}
	for _, id := range []any{nil, "", strings.Repeat("1", 300)} {
		o.Person["id"] = id
		if who, err := signIn(t, s); err == nil && who.ID.Identifier != "corp:0" {
			t.Errorf("the id %v gives %+v", id, who)
		}
	}
}

func TestAnOAuthProviderThatMisbehavesEndsTheSignIn(t *testing.T) {
	o := federationtest.NewOAuth(t)
	s, _ := service(t, gitea(o))
	for name, c := range map[string]struct {
		path   string
		answer func(w http.ResponseWriter)
		want   error
	}{
		"500":           {"/login/oauth/access_token", func(w http.ResponseWriter) { w.WriteHeader(500) }, federation.ErrDown},
		"HTML":          {"/login/oauth/access_token", func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }, federation.ErrRefused},
		"refuses":       {"/login/oauth/access_token", func(w http.ResponseWriter) { w.WriteHeader(400); _, _ = w.Write([]byte(`{"error":"invalid_grant"}`)) }, federation.ErrRefused},
		"64 MB":         {"/login/oauth/access_token", func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 64<<20)) }, federation.ErrRefused},
		"drops":         {"/login/oauth/access_token", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, federation.ErrDown},
		"user 500":      {"/api/v1/user", func(w http.ResponseWriter) { w.WriteHeader(500) }, federation.ErrDown},
		"user of words": {"/api/v1/user", func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"id":"x","login":[]}`)) }, federation.ErrDown},
		"user HTML":     {"/api/v1/user", func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }, federation.ErrDown},
	} {
		o.Answers(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == c.path {
				w.Header().Set("Content-Type", "application/json")
				c.answer(w)
			}
			return r.URL.Path == c.path
		})
		_, err := signIn(t, s)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "at\"") || len(err.Error()) > 500) {
			t.Errorf("%s: the error is %s", name, err)
		}
	}
	o.Answers(nil)
	address, pending, err := s.Begin(t.Context(), "corp", "state", "", false)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(url.Values){
		"denied":    func(v url.Values) { v.Set("error", "access_denied") },
		"two codes": func(v url.Values) { v.Add("code", "x") },
		"no code":   func(v url.Values) { v.Del("code") },
	} {
		response := visit(t, address)
		change(response)
		if _, err := s.Finish(t.Context(), pending, response); !errors.Is(err, federation.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	response := visit(t, address)
	pending.Verifier = strings.Repeat("x", 43)
	if _, err := s.Finish(t.Context(), pending, response); !errors.Is(err, federation.ErrRefused) {
		t.Errorf("another verifier: %v", err)
	}
}

// rerouted sends what a driver sends to fixed addresses to a server of the test.
type rerouted struct {
	http.RoundTripper
	to string
}

func (t rerouted) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", t.to
	return t.RoundTripper.RoundTrip(r)
}

// rerouting is a service that sends everything to url.
func rerouting(t *testing.T, url string, p federation.Provider) *federation.Service {
	t.Helper()
	c := fetch.Configured()
	c.Transport = rerouted{c.Transport, strings.TrimPrefix(url, "http://")}
	return serviceBy(t, dbtest.Open(t, dbtest.Ready(t, "sqlite")), federation.Settings{Own: c, Providers: []federation.Provider{p}})
}

// A driver of OAuth 1.0a has a client of its own, without bounds, if nobody gives it one.
func TestAStalledProviderOfOAuth1HoldsNoConnection(t *testing.T) {
	gone := make(chan struct{})
	stalled := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // the connection is closed
		close(gone)
	}))
	defer stalled.Close()
	s := rerouting(t, stalled.URL, federation.Provider{Name: "bird", Kind: federation.OAuth, Driver: "twitter", ClientID: "k", ClientSecret: "hunter2hunter2"})
	if _, _, err := s.Begin(t.Context(), "bird", "the-state", "", false); !errors.Is(err, federation.ErrDown) {
		t.Errorf("%v", err)
	}
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the connection stays")
	}
}

func TestOAuth1BindsTheResponseByItsAddress(t *testing.T) {
	o := federationtest.NewOAuth(t)
	o.Person = map[string]any{"id_str": "99", "screen_name": "ann", "name": "Ann", "description": "", "profile_image_url": "", "location": ""}
	s := rerouting(t, o.URL, federation.Provider{Name: "bird", Kind: federation.OAuth, Driver: "twitter", ClientID: "k", ClientSecret: "hunter2hunter2"})
	begin := func() (url.Values, federation.Pending) {
		address, pending, err := s.Begin(t.Context(), "bird", "the-state", "", false)
		if err != nil {
			t.Fatal(err)
		}
		return visit(t, strings.Replace(address, "https://api.twitter.com", o.URL, 1)), pending
	}
	response, pending := begin()
	if response.Get("state") != "the-state" {
		t.Errorf("the response is %v", response)
	}
	if who, err := s.Finish(t.Context(), pending, response); err != nil || who.ID.Identifier != "bird:99" {
		t.Errorf("%+v, %v", who, err)
	}
	other, _ := begin()
	if who, err := s.Finish(t.Context(), pending, other); !errors.Is(err, federation.ErrRefused) {
		t.Errorf("a response for another request token: %+v, %v", who, err)
	}
	response.Set("oauth_verifier", "made up")
	if who, err := s.Finish(t.Context(), pending, response); err == nil {
		t.Errorf("a verifier that is made up: %+v", who)
	}
	o.Person = map[string]any{"name": 1} // at which the driver panics
	response, pending = begin()
	if who, err := s.Finish(t.Context(), pending, response); !errors.Is(err, federation.ErrDown) {
		t.Errorf("a panic of the driver: %+v, %v", who, err)
	}
}

// Every driver begins, so that a name of goth that cannot work is found before people find it.
func TestEveryDriverOfGothCanBeNamed(t *testing.T) {
	o := federationtest.NewOAuth(t)
	for name := range federation.Drivers {
		p := federation.Provider{Name: "corp", Kind: federation.OAuth, Driver: name, ClientID: "id", ClientSecret: "secret", Issuer: "https://own.example"}
		s := rerouting(t, o.URL, p)
		address, pending, err := s.Begin(t.Context(), "corp", "the-state", "", false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" && name != "lastfm" {
			t.Errorf("%s leads to %s", name, address)
			continue
		}
		if q := u.Query(); q.Get("state") != "the-state" && !strings.Contains(address+pending.Callback, "state%3Dthe-state") && !strings.Contains(pending.Callback, "state=the-state") {
			t.Errorf("%s is bound by nothing: %s", name, address)
		}
	}
	if len(federation.Drivers) < 72 {
		t.Errorf("there are %d drivers", len(federation.Drivers))
	}
}

func TestADriverThatStallsIsLeft(t *testing.T) {
	start := time.Now()
	_, err := federation.Guarded(t.Context(), func() (int, error) { panic("x") })
	if !errors.Is(err, federation.ErrDown) {
		t.Error(err)
	}
	if time.Since(start) > time.Second {
		t.Error("a panic waits")
	}
}

func TestAnUnknownDriverStopsTheStart(t *testing.T) {
	for _, p := range []federation.Provider{
		{Name: "a", Kind: federation.OAuth, Driver: "nobody"}, {Name: "a", Kind: federation.OAuth, Driver: "openidConnect"}, {Name: "a", Kind: federation.OAuth, Driver: "nextcloud"},
	} {
		keys, err := seal.New(make([]byte, seal.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := federation.New(federation.Settings{Providers: []federation.Provider{p}}, nil, keys, nil); err == nil || !strings.Contains(err.Error(), "driver") {
			t.Errorf("%s: %v", p.Driver, err)
		}
	}
}
