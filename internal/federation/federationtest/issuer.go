// Package federationtest is an OpenID provider for tests, which can misbehave in every way
// that a test asks for.
package federationtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is an OpenID provider at a loopback address. It signs in whoever comes as Person.
type Issuer struct {
	URL string
	// Person are claims of the person who signs in next.
	Person map[string]any
	// Metadata, Claims, Respond and Sign change what the provider says. nil: nothing.
	Metadata func(m map[string]any)
	Claims   func(c map[string]any)
	Respond  func(response url.Values)
	Sign     func(claims map[string]any) string
	// Return sends the person back with a code, in place of a redirect.
	Return func(w http.ResponseWriter, r *http.Request, code, state string)
	// Answer answers a request to a path in place of the provider, if it returns true.
	Answer func(w http.ResponseWriter, r *http.Request) bool
	// SecretFor is how long the secrets of clients last that register; 0: for ever.
	SecretFor time.Duration
	// Now is its clock.
	Now func() time.Time
	// WebFinger are the links of each account (RFC 7033).
	WebFinger map[string]string

	server *httptest.Server
	mu     sync.Mutex
	keys   []jose.JSONWebKey // the last one signs
	codes  map[string]url.Values
	hits   map[string]int
	made   int // registrations
	dead   map[string]bool
}

// key is made once: it takes a while.
var key = sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// New starts a provider.
func New(t testing.TB) *Issuer {
	t.Helper()
	return NewAt(t, "127.0.0.1")
}

// NewAt starts a provider at a loopback address.
func NewAt(t testing.TB, address string) *Issuer {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{Person: map[string]any{"sub": "1234"}, codes: map[string]url.Values{}, hits: map[string]int{}, WebFinger: map[string]string{}, Now: time.Now, dead: map[string]bool{}}
	i.keys = []jose.JSONWebKey{{Key: key(), KeyID: "first", Algorithm: "RS256", Use: "sig"}}
	i.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(i.serve), ReadHeaderTimeout: time.Minute}}
	i.server.Start()
	i.URL = i.server.URL
	t.Cleanup(i.server.Close)
	return i
}

// Stop ends the provider.
func (i *Issuer) Stop() { i.server.Close() }

// Hits is how often a path was requested.
func (i *Issuer) Hits(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hits[path]
}

// Rotate makes the provider sign with a new key. The old ones stay published, or not.
func (i *Issuer) Rotate(keep bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	next := jose.JSONWebKey{Key: newKey(), KeyID: rand.Text(), Algorithm: "RS256", Use: "sig"}
	if !keep {
		i.keys = nil
	}
	i.keys = append(i.keys, next)
}

// Key is the key that signs.
func (i *Issuer) Key() jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

// Forget makes the provider forget every client that has registered.
func (i *Issuer) Forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := range i.made {
		i.dead[fmt.Sprintf("client-%d", n+1)] = true
	}
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.hits[r.URL.Path]++
	i.mu.Unlock()
	if i.Answer != nil && i.Answer(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, http.StatusOK, i.metadata())
	case "/.well-known/webfinger":
		i.webFinger(w, r)
	case "/authorize":
		i.authorize(w, r)
	case "/token":
		i.token(w, r)
	case "/jwks":
		reply(w, http.StatusOK, i.public())
	case "/userinfo":
		reply(w, http.StatusOK, i.Person)
	case "/register":
		i.register(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) metadata() map[string]any {
	m := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/jwks",
		"userinfo_endpoint": i.URL + "/userinfo", "registration_endpoint": i.URL + "/register", "response_types_supported": []string{"code"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}
	if i.Metadata != nil {
		i.Metadata(m)
	}
	return m
}

func (i *Issuer) webFinger(w http.ResponseWriter, r *http.Request) {
	issuer, ok := i.WebFinger[r.FormValue("resource")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/jrd+json")
	reply(w, http.StatusOK, map[string]any{
		"subject": r.FormValue("resource"), "links": []map[string]string{{"rel": "http://openid.net/specs/connect/1.0/issuer", "href": issuer}},
	})
}

// authorize signs the person in at once and sends them back with a code.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	code := rand.Text()
	i.mu.Lock()
	i.codes[code] = r.URL.Query()
	i.mu.Unlock()
	if i.Return != nil {
		i.Return(w, r, code, r.FormValue("state"))
		return
	}
	response := url.Values{"code": {code}, "state": {r.FormValue("state")}}
	if i.Respond != nil {
		i.Respond(response)
	}
	to := r.FormValue("redirect_uri")
	if strings.Contains(to, "?") {
		to += "&" + response.Encode()
	} else {
		to += "?" + response.Encode()
	}
	http.Redirect(w, r, to, http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	asked, ok := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	i.mu.Unlock()
	id, _, _ := r.BasicAuth()
	if id == "" {
		id = r.PostFormValue("client_id")
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case i.dead[id]:
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	case !ok, asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]), asked.Get("redirect_uri") != r.PostFormValue("redirect_uri"):
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	now := i.Now()
	c := map[string]any{
		"iss": i.URL, "aud": id, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": asked.Get("nonce"),
	}
	for name, value := range i.Person {
		c[name] = value
	}
	if i.Claims != nil {
		i.Claims(c)
	}
	sign := i.Sign
	if sign == nil {
		sign = i.Signed
	}
	reply(w, http.StatusOK, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": sign(c)})
}

// Signed is a token of the provider with these claims.
func (i *Issuer) Signed(claims map[string]any) string {
	k := i.Key()
	return JWS(jose.SigningKey{Algorithm: jose.RS256, Key: k}, claims, nil)
}

// JWS signs claims with a key and adds headers.
func JWS(k jose.SigningKey, claims map[string]any, headers map[jose.HeaderKey]any) string {
	signer, err := jose.NewSigner(k, &jose.SignerOptions{ExtraHeaders: headers})
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	token, err := signer.Sign(text)
	if err != nil {
		panic(err)
	}
	compact, err := token.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

// public are the published keys.
func (i *Issuer) public() jose.JSONWebKeySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all jose.JSONWebKeySet
	for _, k := range i.keys {
		all.Keys = append(all.Keys, k.Public())
	}
	return all
}

func (i *Issuer) register(w http.ResponseWriter, r *http.Request) {
	var asked map[string]any
	if json.NewDecoder(r.Body).Decode(&asked) != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_client_metadata"})
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	asked["client_id"], asked["client_secret"], asked["client_secret_expires_at"] = fmt.Sprintf("client-%d", i.made), rand.Text(), 0
	if i.SecretFor > 0 {
		asked["client_secret_expires_at"] = i.Now().Add(i.SecretFor).Unix()
	}
	reply(w, http.StatusCreated, asked)
}

func reply(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Client reaches the provider at https://HOST, and everything else as it is.
func (i *Issuer) Client(host string) *http.Client {
	return &http.Client{Transport: named{host, strings.TrimPrefix(i.URL, "http://")}, Timeout: 5 * time.Second}
}

type named struct{ host, at string }

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == n.host {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", n.at
	}
	return http.DefaultTransport.RoundTrip(r)
}
