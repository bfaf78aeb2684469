package oidc_test

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// provider starts the provider and returns its issuer. Its one client may come back to a
// site's provider "corp".
func provider(t *testing.T, port int, site string) string {
	t.Helper()
	cmd := exec.Command(program.Need(t, "node", "nodejs"), "provider.mjs", fmt.Sprint(port), site+"/login/corp/callback") //nolint:noctx // ended below
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "listening" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return fmt.Sprintf("http://127.0.0.1:%d", port)
		}
	}
	t.Fatalf("the provider does not start; test/deps installs it: %s", said.String())
	return ""
}

// person is somebody with a browser.
type person struct {
	t    *testing.T
	http *http.Client
}

func newPerson(t *testing.T) person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return person{t, &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// page is where the person has come to.
type page struct{ url, text string }

func (p person) do(method, address string, form url.Values) page {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return page{resp.Request.URL.String(), string(text)}
}

var (
	refresh = regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]+)">`)
	action  = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	prompt  = regexp.MustCompile(`name="prompt" value="([^"]+)"`)
)

// signIn goes on from a page of djauthy, through the provider's, until djauthy has the person.
func (p person) signIn(at page, issuer, name string) page {
	p.t.Helper()
	for range 10 {
		switch {
		case !strings.HasPrefix(at.url, issuer) && refresh.MatchString(at.text):
			at = p.do(http.MethodGet, html.UnescapeString(refresh.FindStringSubmatch(at.text)[1]), nil)
		case !strings.HasPrefix(at.url, issuer):
			return at
		default:
			form, asks := action.FindStringSubmatch(at.text), prompt.FindStringSubmatch(at.text)
			if form == nil || asks == nil {
				p.t.Fatalf("at %s:\n%s", at.url, program.Seen(at.text))
			}
			at = p.do(http.MethodPost, html.UnescapeString(form[1]), url.Values{"prompt": {asks[1]}, "login": {name}, "password": {"x"}})
		}
	}
	p.t.Fatalf("still at %s", at.url)
	return at
}

func TestPeopleSignInAtOIDCProvider(t *testing.T) {
	port := program.Port(t)
	issuer := fmt.Sprintf("http://127.0.0.1:%d", port)
	s := program.New(t, binary, "FETCH_ALLOW=127.0.0.0/8", "PROVIDER_0_NAME=corp", "PROVIDER_0_KIND=openid", "PROVIDER_0_ISSUER="+issuer,
		"PROVIDER_0_CLIENT_ID=djauthy", "PROVIDER_0_CLIENT_SECRET=hunter2hunter2")
	s.Start(t)
	provider(t, port, s.URL)
	for _, typed := range []string{"corp:", issuer} {
		ann := newPerson(t)
		at := ann.signIn(ann.do(http.MethodPost, s.URL+"/login", url.Values{"id": {typed}}), issuer, "ann")
		if at.url != s.URL+"/account" || !strings.Contains(at.text, "ann@corp.example (127.0.0.1:") {
			t.Errorf("%s leads to %s:\n%s", typed, at.url, program.Seen(at.text))
		}
	}
	if out, errs, code := s.Run(t, "users", "show", "--json", issuer+" ann"); code != 0 {
		t.Errorf("%s%s", out, errs)
	}
	if out, errs, code := s.Run(t, "check"); code != 0 || !strings.Contains(out, "its keys are there") {
		t.Errorf("%s%s", out, errs)
	}
}

// Nobody has told one of the other.
func TestPeopleSignInAtAnOIDCProviderThatNobodyConfigured(t *testing.T) {
	s := program.Start(t, binary, "FETCH_ALLOW=127.0.0.0/8")
	issuer := provider(t, program.Port(t), "http://localhost")
	for _, name := range []string{"ann", "ann", "ben"} {
		p := newPerson(t)
		at := p.signIn(p.do(http.MethodPost, s.URL+"/login", url.Values{"id": {issuer}, "next": {"/account/history"}}), issuer, name)
		if at.url != s.URL+"/account/history" {
			t.Fatalf("%s comes to %s:\n%s", name, at.url, program.Seen(at.text))
		}
	}
	out, errs, code := s.Run(t, "users", "list", "--json")
	if code != 0 || strings.Count(out, `"username"`) != 2 {
		t.Errorf("%s%s", out, errs)
	}
}
