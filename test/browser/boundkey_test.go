package browser_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/seal"
)

// boundSite is the least that binds a session to a browser's key: every page offers it to a
// browser without one, and /forget takes the short-lived cookie away.
type boundSite struct {
	*httptest.Server
	t      *testing.T
	binder *boundkey.Binder

	mu      sync.Mutex
	key     *boundkey.Key
	last    time.Time
	proofs  int
	arrived chan struct{} // a key was registered
}

const (
	boundSession = "s1"
	boundCookie  = "__Host-bound"
	boundForm    = "Path=/; Secure; HttpOnly; SameSite=Lax"
)

// newBoundSite starts one over HTTPS; Chromium binds nothing over http, not even on loopback.
func newBoundSite(t *testing.T) *boundSite {
	t.Helper()
	keys, err := seal.New(seal.Random(seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &boundSite{t: t, binder: boundkey.New(keys.MAC("bound session")), arrived: make(chan struct{}, 8)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /register", s.register)
	mux.HandleFunc("POST /refresh", s.refresh)
	mux.HandleFunc("/", s.page)
	s.Server = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// binding starts a Chromium that binds sessions, with keys in software, and believes the
// certificate of a server. With --ignore-certificate-errors it would load pages, but bind
// nothing.
func binding(t *testing.T, s *httptest.Server, more string) *chromiumProcess {
	t.Helper()
	sum := sha256.Sum256(s.Certificate().RawSubjectPublicKeyInfo)
	own := &chromiumProcess{programs: browsers, more: []chromedp.ExecAllocatorOption{
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(sum[:])),
		chromedp.Flag("enable-features", "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"+more),
	}}
	t.Cleanup(own.stop)
	return own
}

func (s *boundSite) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/start" {
		w.Header().Set(boundkey.HeaderRegistration, s.binder.Offer(boundSession, "/register", time.Now()))
	}
	if r.URL.Path == "/forget" {
		w.Header().Set("Set-Cookie", boundCookie+"=; Max-Age=0; "+boundForm)
	}
	held := false
	if c, err := r.Cookie(boundCookie); err == nil {
		held = s.binder.Holds(boundSession, c.Value, time.Now())
	}
	fmt.Fprintf(w, "held %t after %d proofs", held, s.proofs)
}

func (s *boundSite) register(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, key, err := s.binder.Register(r.Header.Get(boundkey.HeaderProof), s.URL+r.URL.Path, time.Now())
	if err != nil || session != boundSession || s.key != nil {
		s.t.Errorf("%q registers: %v, %v", session, r.Header, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.key = &key
	s.give(w)
	s.arrived <- struct{}{}
}

func (s *boundSite) refresh(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := boundkey.ReadSession(r.Header.Get(boundkey.HeaderSession))
	if !ok || session != boundSession || s.key == nil {
		s.t.Errorf("a refresh of another session: %v", r.Header)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	made, err := s.binder.Refresh(r.Header.Get(boundkey.HeaderProof), s.URL+r.URL.Path, session, *s.key, s.last, time.Now())
	if err != nil {
		w.Header().Set(boundkey.HeaderChallenge, s.binder.Challenge(session, s.last, time.Now()))
		w.WriteHeader(http.StatusForbidden)
		return
	}
	s.last = made
	s.proofs++
	s.give(w)
}

func (s *boundSite) give(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Set-Cookie", fmt.Sprintf("%s=%s; Max-Age=%d; %s", boundCookie, s.binder.Cookie(boundSession, time.Now()), int(boundkey.CookieLife.Seconds()), boundForm))
	_, _ = w.Write(boundkey.Instructions{
		Session: boundSession, Refresh: "/refresh", Cookie: boundCookie, Attributes: boundForm,
		Except: []string{"/static"}, Initiators: []string{"*"},
	}.JSON())
}

// Chromium makes keys in software on Linux only with a flag, which is why no other test sees
// this feature.
func TestChromiumBindsASessionToItsKeyAndProvesIt(t *testing.T) {
	t.Parallel()
	for name, aud := range map[string]string{"as it is": "", "with the audience": ",DeviceBoundSessionsIncludeAudienceClaim"} {
		t.Run(name, func(t *testing.T) {
			s := newBoundSite(t)
			ctx, cancel := context.WithTimeout(binding(t, s.Server, aud).start(t), stepLimit)
			defer cancel()
			see := func(path string) string {
				t.Helper()
				if err := chromedp.Do(ctx, chromedp.Navigate(s.URL+path)); err != nil {
					t.Fatal(err)
				}
				text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
				if err != nil {
					t.Fatal(err)
				}
				return strings.TrimSpace(text)
			}
			if got := see("/start"); got != "held false after 0 proofs" {
				t.Fatalf("at first: %s", got)
			}
			select {
			case <-s.arrived:
			case <-ctx.Done():
				t.Fatal("it registers no key")
			}
			// The response to the registration may still be on its way.
			for see("/forget") != "held true after 0 proofs" {
				if ctx.Err() != nil {
					t.Fatal("the cookie does not arrive")
				}
			}
			for i := 1; i < 4; i++ {
				if got, want := see("/forget"), fmt.Sprintf("held true after %d proofs", i); got != want {
					t.Errorf("a request without the cookie: %s; want %s", got, want)
				}
			}
		})
	}
}
