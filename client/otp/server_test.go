package otp_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/internal/totp"
)

const (
	rootSeed    = "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK"
	shopSeed    = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	printerSeed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
)

// wire is a server that speaks the wire of 2021, as far as clients see it.
type wire struct {
	*httptest.Server
	mu          sync.Mutex
	entries     []otp.Entry
	last        int64
	requests    []string // "POST /ungleichotp/verify/"
	connections int
	// answer is asked before anything else; true: it has answered itself.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

// serve starts a server that knows root, who administers, shop, who verifies, and
// the printer of the office.
func serve() *wire {
	s := &wire{last: 3, entries: []otp.Entry{
		{ID: 1, Name: "root", Realm: "ungleich-admin", Seed: rootSeed}, {ID: 2, Name: "shop", Realm: "ungleich-auth", Seed: shopSeed}, {ID: 3, Name: "printer", Realm: "office", Seed: printerSeed},
	}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if state == http.StateNew {
			s.connections++
		}
	}
	s.Start()
	return s
}

// open is serve until the test ends.
func open(t testing.TB) *wire {
	t.Helper()
	s := serve()
	t.Cleanup(s.Close)
	return s
}

// client is one of those whom the server knows.
func (s *wire) client(name string) *otp.Client {
	for _, e := range s.entries {
		if e.Name == name {
			return &otp.Client{Name: e.Name, Realm: e.Realm, Seed: e.Seed, Server: s.URL + "/ungleichotp/"}
		}
	}
	panic("nobody is called " + name)
}

// asked returns the requests so far.
func (s *wire) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *wire) dialled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// firstly has the first n requests answered with a status.
func (s *wire) firstly(n, status int, header ...string) {
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		if len(s.asked()) > n {
			return false
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		tell(w, status, map[string]string{"detail": "not now"})
		return true
	}
}

func tell(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *wire) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if s.answer != nil && s.answer(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var f map[string]string
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil || r.Header.Get("Content-Type") != "application/json" {
		tell(w, http.StatusBadRequest, map[string]string{"detail": "JSON parse error"})
		return
	}
	if !s.holds(f["auth_name"], f["auth_realm"], f["auth_token"]) {
		tell(w, http.StatusForbidden, map[string]string{"detail": "Incorrect authentication credentials."})
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/ungleichotp/")
	if f["auth_realm"] != "ungleich-admin" && (f["auth_realm"] != "ungleich-auth" || path != "verify/") {
		tell(w, http.StatusForbidden, map[string]string{"detail": "You do not have permission to perform this action."})
		return
	}
	s.act(w, r.Method, path, f)
}

// act carries out what somebody asks who may.
func (s *wire) act(w http.ResponseWriter, method, path string, f map[string]string) {
	id, _ := strconv.ParseInt(strings.TrimSuffix(path, "/"), 10, 64)
	at := slices.IndexFunc(s.entries, func(e otp.Entry) bool { return e.ID == id })
	taken := slices.ContainsFunc(s.entries, func(e otp.Entry) bool { return e.ID != id && e.Name == f["name"] && e.Realm == f["realm"] })
	switch {
	case path == "verify/" && method == http.MethodPost:
		s.judge(w, f)
	case path == "" && method == http.MethodGet:
		tell(w, http.StatusOK, s.entries)
	case path != "" && at < 0:
		tell(w, http.StatusNotFound, map[string]string{"detail": "Not found."})
	case method == http.MethodDelete:
		s.entries = slices.Delete(s.entries, at, at+1)
		w.WriteHeader(http.StatusNoContent)
	case taken:
		tell(w, http.StatusBadRequest, map[string][]string{"non_field_errors": {"The fields name, realm must make a unique set."}})
	case method == http.MethodPut:
		s.entries[at].Name, s.entries[at].Realm = f["name"], f["realm"]
		tell(w, http.StatusOK, s.entries[at])
	default:
		s.last++
		s.entries = append(s.entries, otp.Entry{ID: s.last, Name: f["name"], Realm: f["realm"], Seed: totp.NewSeed()})
		tell(w, http.StatusCreated, s.entries[len(s.entries)-1])
	}
}

func (s *wire) judge(w http.ResponseWriter, f map[string]string) {
	for _, key := range []string{"name", "realm", "token"} {
		if len([]rune(f[key])) > 128 {
			tell(w, http.StatusBadRequest, map[string][]string{key: {"Ensure this field has no more than 128 characters."}})
			return
		}
		if strings.TrimSpace(f[key]) == "" {
			tell(w, http.StatusBadRequest, map[string][]string{key: {"This field may not be blank."}})
			return
		}
	}
	if !s.holds(f["name"], f["realm"], f["token"]) {
		tell(w, http.StatusForbidden, map[string]string{"detail": "You do not have permission to perform this action."})
		return
	}
	tell(w, http.StatusOK, map[string]string{"status": "OK"})
}

func (s *wire) holds(name, realm, token string) bool {
	return slices.ContainsFunc(s.entries, func(e otp.Entry) bool {
		seed, err := totp.ParseSeed(e.Seed)
		_, ok := totp.Match(seed, token, time.Now(), 3)
		return err == nil && ok && e.Name == name && e.Realm == realm
	})
}

// gone waits until who sent a request has gone away, which is seen once its body
// was read.
func gone(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func token(t testing.TB, c *otp.Client) string {
	t.Helper()
	text, err := c.NewToken()
	check(t, err)
	return text
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
