package federationtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// OAuth is a server of OAuth 2 as Gitea has it, and of OAuth 1.0a as Twitter had it, at a
// loopback address. It signs in whoever comes as Person.
type OAuth struct {
	URL string
	// Person is what the server says of the person who signs in next.
	Person map[string]any

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) bool
	codes  map[string]url.Values
	tokens map[string]string // request token to callback
}

// NewOAuth starts a server.
func NewOAuth(t testing.TB) *OAuth {
	t.Helper()
	o := &OAuth{codes: map[string]url.Values{}, tokens: map[string]string{}, Person: map[string]any{"id": 12, "login": "ann", "email": "ann@corp.example"}}
	s := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(s.Close)
	o.URL = s.URL
	return o
}

// Answers makes fn answer requests in place of the server, where it returns true.
func (o *OAuth) Answers(fn func(w http.ResponseWriter, r *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = fn
}

func (o *OAuth) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	answer := o.answer
	o.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r.URL.Path {
	case "/login/oauth/authorize":
		code := rand.Text()
		o.codes[code] = r.URL.Query()
		back(w, r, r.FormValue("redirect_uri"), "code", code, "state", r.FormValue("state"))
	case "/login/oauth/access_token":
		o.token(w, r)
	case "/api/v1/user", "/1.1/account/verify_credentials.json":
		reply(w, http.StatusOK, o.Person)
	case "/oauth/request_token", "/oauth/RequestToken":
		token := rand.Text()
		o.tokens[token] = oauthParam(r, "oauth_callback")
		_, _ = w.Write([]byte("oauth_token=" + token + "&oauth_token_secret=secret&oauth_callback_confirmed=true"))
	case "/oauth/authorize":
		back(w, r, o.tokens[r.FormValue("oauth_token")], "oauth_token", r.FormValue("oauth_token"), "oauth_verifier", "verified-"+r.FormValue("oauth_token"))
	case "/oauth/access_token":
		if oauthParam(r, "oauth_verifier") != "verified-"+oauthParam(r, "oauth_token") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("oauth_token=at&oauth_token_secret=secret"))
	default:
		http.NotFound(w, r)
	}
}

func (o *OAuth) token(w http.ResponseWriter, r *http.Request) {
	asked, ok := o.codes[r.PostFormValue("code")]
	delete(o.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	reply(w, http.StatusOK, map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 3600})
}

// oauthParam is a parameter of the Authorization header (RFC 5849 3.5.1), or of the form.
func oauthParam(r *http.Request, name string) string {
	for pair := range splitHeader(r.Header.Get("Authorization")) {
		if pair[0] == name {
			return pair[1]
		}
	}
	return r.FormValue(name)
}

func back(w http.ResponseWriter, r *http.Request, to string, pairs ...string) {
	u, err := url.Parse(to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q := u.Query()
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}

// splitHeader is the name and value of each parameter of an Authorization header.
func splitHeader(header string) func(yield func([2]string) bool) {
	return func(yield func([2]string) bool) {
		for part := range strings.SplitSeq(strings.TrimPrefix(header, "OAuth "), ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			value, err := url.QueryUnescape(strings.Trim(value, `"`))
			if err == nil && !yield([2]string{name, value}) {
				return
			}
		}
	}
}
