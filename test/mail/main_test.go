package mail_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

var binary program.Binary

func TestMain(m *testing.M) { os.Exit(program.Main(&binary, m.Run)) }

// visitor is a browser as far as these tests need one.
type visitor struct {
	t    *testing.T
	site *program.Site
	http *http.Client
}

func newVisitor(t *testing.T, s *program.Site) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, s, &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do makes a request and returns its status, where it leads, and its body.
func (v *visitor) do(method, path string, form url.Values) (status int, to, body string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, v.site.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), string(text)
}

// ask asks for a code.
func (v *visitor) ask(id string) {
	v.t.Helper()
	if status, to, _ := v.do("POST", "/login", url.Values{"id": {id}}); status != 303 || to != "/login/code" {
		v.t.Fatalf("asking for a code: %d to %q", status, to)
	}
}

// enter types the code and requires that it signs in.
func (v *visitor) enter(code string) {
	v.t.Helper()
	if status, to, _ := v.do("POST", "/login/code", url.Values{"auth_code": {code}}); status != 303 || to != "/account" {
		v.t.Fatalf("typing the code %q: %d to %q", code, status, to)
	}
	if status, _, _ := v.do("GET", "/forward-auth", nil); status != 200 {
		v.t.Fatalf("after signing in the session check answers %d", status)
	}
}

// check runs `djauthy check` and returns its findings and whether all is well.
func check(t *testing.T, s *program.Site, args ...string) (string, bool) {
	t.Helper()
	stdout, stderr, code := s.Run(t, append([]string{"check"}, args...)...)
	return stdout + stderr, code == 0
}
