package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// raw is a connection on which a test writes every byte itself.
type raw struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func (s *site) raw(t testing.TB) *raw {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: anAddress()}}
	conn, err := d.DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{t, conn, bufio.NewReader(conn)}
}

func (r *raw) write(text string) { _, _ = io.WriteString(r.conn, text) }

// answers reads until the server closes or says nothing for a while, and
// returns the statuses of all answers.
func (r *raw) answers(wait time.Duration) (statuses []int, closed bool) {
	r.t.Helper()
	for {
		_ = r.conn.SetReadDeadline(time.Now().Add(wait))
		res, err := http.ReadResponse(r.r, nil)
		if err != nil {
			netErr, slow := err.(net.Error) //nolint:errorlint // read by hand
			return statuses, !slow || !netErr.Timeout()
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
}

// Rows 28 and 39.
func TestRow39_RequestsThatLibrariesReadInTwoWaysGetOneAnswer(t *testing.T) {
	t.Parallel()
	s := shared(t)
	hidden := "GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"
	post := func(headers, body string) string {
		return "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + formKind + "\r\n" + headers + "\r\n" + body
	}
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"two Host lines":            {"GET /login HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400},
		"two equal Host lines":      {"GET /login HTTP/1.1\r\nHost: localhost\r\nhOST: localhost\r\n\r\n", 400},
		"Host with a blank":         {"GET /login HTTP/1.1\r\nHost: localhost\r\nHost : evil.example\r\n\r\n", 400},
		"Host folded":               {"GET /login HTTP/1.1\r\nHost: localhost\r\nX: a\r\n Host: evil.example\r\nHost: evil.example\r\n\r\n", 400},
		"CL and TE":                 {post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden), 400},
		"TE and CL":                 {post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "0\r\n\r\n"+hidden), 400},
		"CL and TE in other case":   {post("content-length: 5\r\ntRANSFER-eNCODING: Chunked\r\n", "0\r\n\r\n"+hidden), 400},
		"CL and TE after a blank":   {post("Content-Length: 5\r\nTransfer-Encoding : chunked\r\n", "0\r\n\r\n"+hidden), 400},
		"CL and TE with a tab":      {post("Content-Length: 5\r\nTransfer-Encoding:\tchunked\r\n", "0\r\n\r\n"+hidden), 400},
		"CL and TE with VT":         {post("Content-Length: 5\r\nTransfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"+hidden), 400},
		"TE folded":                 {post("Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"+hidden), 400},
		"two lengths":               {post("Content-Length: 0\r\nContent-Length: 40\r\n", hidden), 400},
		"length with a sign":        {post("Content-Length: +0\r\n", hidden), 400},
		"length in hexadecimal":     {post("Content-Length: 0x0\r\n", hidden), 400},
		"length list":               {post("Content-Length: 0, 40\r\n", hidden), 400},
		"negative length":           {post("Content-Length: -1\r\n", hidden), 400},
		"unknown coding":            {post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"+hidden), 400},
		"two codings":               {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+hidden), 400},
		"bad chunk size":            {post("Transfer-Encoding: chunked\r\n", "zz\r\n\r\n"+hidden), 400},
		"bare CR in a header":       {"GET /login HTTP/1.1\r\nHost: localhost\r\nX: a\rHost: evil\r\n\r\n", 400},
		"NUL in a header":           {"GET /login HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", 400},
		"no version":                {"GET /login\r\n\r\n", 400},
		"blank in the target":       {"GET /log in HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		"header over 32 KiB":        {"GET /login HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 33<<10) + "\r\n\r\n", 431},
		"target over 32 KiB":        {"GET /login?" + strings.Repeat("a", 33<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
		"many headers over 32 KiB":  {"GET /login HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-Y: 12345678\r\n", 2400) + "\r\n", 431},
		"declared body over 64 KiB": {post("Content-Length: 65537\r\n", ""), 413},
		"chunked body over 64 KiB":  {post("Transfer-Encoding: chunked\r\n", "20000\r\n"+strings.Repeat("a", 0x20000)+"\r\n0\r\n\r\n"), 413},
	} {
		r := s.raw(t)
		go r.write(c.request)
		statuses, closed := r.answers(2 * time.Second)
		switch {
		case len(statuses) > 1:
			t.Errorf("%s: %d answers %v to one request", name, len(statuses), statuses)
		case len(statuses) == 0 && closed && c.want == 400: // as good
		case len(statuses) == 0 || statuses[0] != c.want:
			t.Errorf("%s: answered %v, want %d", name, statuses, c.want)
		case !closed:
			t.Errorf("%s: the connection stays open after it", name)
		}
	}
}

// Rows 28 and 39: what is one request to everybody goes through.
func TestRow39_OrdinaryRequestsOnOneConnectionAreAnsweredOneByOne(t *testing.T) {
	t.Parallel()
	r := shared(t).raw(t)
	chunked := "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + formKind + "\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nid=Ann\r\n0\r\n\r\n"
	r.write("GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n" + chunked + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if statuses, _ := r.answers(5 * time.Second); fmt.Sprint(statuses) != "[200 422 200 200]" {
		t.Errorf("answered %v", statuses)
	}
}

// Row 36.
func TestRow36_EveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, public := range []string{"http://localhost:8080", "https://login.example"} {
		s := start(t, "DJAUTHY_PUBLIC_URL="+public)
		b, _ := s.person(t)
		static := regexp.MustCompile(`/static/[^"]+`).FindString(b.get("/login").body)
		answers := map[string]answer{
			"/login": b.get("/login"), "/account": b.get("/account"), "404": b.get("/nowhere"), "405": b.do(http.MethodPut, "/login", "", "", nil), "static": b.get(static),
			"403": b.do(http.MethodPost, "/login", formKind, "", map[string]string{"Sec-Fetch-Site": "cross-site"}),
			"410": b.submit("1"), "422": b.post("/login", "id", "x"), "303": b.get("/"), "401": s.browser(t).probe(), "health": b.get("/healthz"),
			"413":     b.do(http.MethodPost, "/login", formKind, strings.Repeat("a", 70<<10), nil),
			"431":     b.do(http.MethodGet, "/login", "", "", map[string]string{"X": strings.Repeat("a", 33<<10)}),
			"unknown": b.do("BREW", "/login", "", "", nil),
			"plain":   b.do(http.MethodGet, "/nowhere", "", "", map[string]string{"Accept": "application/json"}),
		}
		for name, a := range answers {
			h := a.header
			csp := h.Get("Content-Security-Policy")
			for _, need := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
				if !strings.Contains(csp, need) {
					t.Errorf("%s %s: Content-Security-Policy lacks %s: %q", public, name, need, csp)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
				t.Errorf("%s: Content-Security-Policy %q", name, csp)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
				t.Errorf("%s %s: nosniff %q, Referrer-Policy %q", public, name, h.Get("X-Content-Type-Options"), h.Get("Referrer-Policy"))
			}
			for _, n := range []string{"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"} {
				if h.Get(n) != "same-origin" {
					t.Errorf("%s %s: %s is %q", public, name, n, h.Get(n))
				}
			}
			if hsts := h.Get("Strict-Transport-Security"); strings.HasPrefix(public, "https") != strings.Contains(hsts, "max-age=") {
				t.Errorf("%s %s: Strict-Transport-Security %q", public, name, hsts)
			}
			if banner := h.Get("Server") + h.Get("X-Powered-By"); banner != "" {
				t.Errorf("%s %s: the server calls itself %q", public, name, banner)
			}
			if strings.Contains(a.body, "fasthttp") || strings.Contains(a.body, "goroutine") {
				t.Errorf("%s: the body tells of the inside: %.100s", name, a.body)
			}
			// Row 37: nothing comes from elsewhere, nothing stands inline.
			if m := regexp.MustCompile(`(?i)(?:src|href|action)="(?:https?:)?//[^"]*"|<script>|<style|\son[a-z]+=|\sstyle=`).FindString(a.body); m != "" {
				t.Errorf("%s: the page has %s", name, m)
			}
		}
		if answers["static"].status != http.StatusOK || !strings.Contains(answers["static"].header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d, Cache-Control %q", static, answers["static"].status, answers["static"].header.Get("Cache-Control"))
		}
	}
}

func TestHTTPSIsForThisHostAloneUnlessASettingSaysOtherwise(t *testing.T) {
	t.Parallel()
	const two = "max-age=63072000"
	for want, settings := range map[string][]string{
		"":                          {"DJAUTHY_PUBLIC_URL=http://login.example", "DJAUTHY_HSTS_SUBDOMAINS=true"},
		two:                         {"DJAUTHY_PUBLIC_URL=https://login.example"},
		two + "; includeSubDomains": {"DJAUTHY_PUBLIC_URL=https://login.example", "DJAUTHY_HSTS_SUBDOMAINS=true"},
	} {
		b := start(t, settings...).browser(t)
		for _, path := range []string{"/login", "/healthz", "/nowhere", "/ungleichotp/verify/"} {
			if got := b.get(path).header.Get("Strict-Transport-Security"); got != want {
				t.Errorf("%v: %s says %q, want %q", settings, path, got, want)
			}
		}
	}
}

// Row 38.
func TestRow38_SlowClientsAreCutOffAndHinderNobody(t *testing.T) {
	t.Parallel()
	s := start(t)
	begun := time.Now()
	const each = 70
	forms := []struct{ name, first, drip string }{
		{"half a header", "GET /login HTTP/1.1\r\nHost: localhost\r\nX: ", "a"},
		{"half a body", "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + formKind + "\r\nContent-Length: 60000\r\n\r\nid=", "a"},
		{"nothing at all", "", ""},
	}
	type result struct {
		name string
		took time.Duration
	}
	results := make(chan result, each*len(forms))
	for _, f := range forms {
		for range each {
			r := s.raw(t)
			r.write(f.first)
			go func() {
				for f.drip != "" {
					if _, err := io.WriteString(r.conn, f.drip); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			go func() {
				_ = r.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
				_, _ = io.Copy(io.Discard, r.conn) // until the server ends it
				results <- result{f.name, time.Since(begun)}
			}()
		}
	}
	// Between them a person signs in.
	b := s.browser(t)
	before := time.Now()
	b.signIn(anID())
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("a sign-in beside %d slow clients took %s", each*len(forms), took)
	}
	for range each * len(forms) {
		r := <-results
		if r.name != "nothing at all" && r.took < 25*time.Second {
			t.Errorf("%s was cut off after %s, want 30 s", r.name, r.took)
		}
		if r.took > 45*time.Second {
			t.Errorf("%s was cut off only after %s", r.name, r.took)
		}
	}
}
