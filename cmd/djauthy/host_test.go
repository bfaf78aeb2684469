package main

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// rebound is how a page of evil.example posts once its name resolves to the
// server.
var rebound = map[string]string{"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}

// saysAddress requires the page that names the right address and links to it.
func saysAddress(t testing.TB, what string, a answer, status int, link string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, `href="`+html.EscapeString(link)+`"`) || !strings.Contains(a.body, "This site has another address") {
		t.Errorf("%s answers %d, want %d with a link to %s: %s", what, a.status, status, link, seen(a.body))
	}
	if a.header.Get("Set-Cookie") != "" {
		t.Errorf("%s sets a cookie", what)
	}
}

func TestPagesAnswerByTheirOwnHostAndByLoopbackNames(t *testing.T) {
	t.Parallel()
	const own, foreign = http.StatusOK, http.StatusMisdirectedRequest
	for public, hosts := range map[string]map[string]int{
		"https://login.example": {
			"login.example": own, "LOGIN.Example": own, "login.example.": own, "login.example:443": own, "login.example.:443": own, "login.example:": own,
			"login.example:80": foreign, "login.example:8443": foreign, "login.example:0": foreign,
		},
		"http://login.example:8080/":      {"login.example:8080": own, "login.example": own, "login.example:80": foreign, "login.example:443": foreign},
		"http://MÜNCHEN.example":          {"xn--mnchen-3ya.example": own, "XN--MNCHEN-3YA.example:80": own, "münchen.example": own, "m\u00fcnchen.example.": own, "munchen.example": foreign},
		"http://[2001:db8:0:0::1]:8080":   {"[2001:db8::1]:8080": own, "[2001:DB8:0::1]": own, "[2001:db8::2]:8080": foreign},
		"https://login.example.localhost": {"login.example.localhost": own, "evil.example": foreign},
	} {
		for _, loopback := range []string{"localhost", "localhost:1", "LOCALHOST.", "app.localhost:8080", "127.0.0.1", "127.8.0.1:99", "[::1]:8080", "[::1]", "[::ffff:127.0.0.1]"} {
			hosts[loopback] = own
		}
		for _, evil := range []string{
			"evil.example", "login.example.evil.example", "xlogin.example", "example", "localhost.evil.example", "127.0.0.1.evil.example",
			"0.0.0.0", "[::]", "192.0.2.1", "login.example,evil.example", "login.example@evil.example",
		} {
			hosts[evil] = foreign
		}
		for _, malformed := range []string{"", "evil.example:localhost", "evil.example#login.example", "[::1].evil.example", "2001:db8::1", "login.example:443x"} {
			hosts[malformed] = http.StatusBadRequest
		}
		s := start(t, "DJAUTHY_PUBLIC_URL="+public)
		for host, want := range hosts {
			r := s.raw(t)
			r.write("GET /login HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
			statuses, _ := r.answers(5 * time.Second)
			if len(statuses) != 1 || statuses[0] != want {
				t.Errorf("%s: the host %q is answered %v, want %d", public, host, statuses, want)
			}
		}
	}
}

// An absolute target replaces Host (RFC 9112 3.2.2), and a request may have none.
func TestTheHostOfTheTargetCountsAndNoHostIsNone(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_PUBLIC_URL=https://login.example")
	for request, want := range map[string]int{
		"GET https://login.example/login HTTP/1.1\r\nHost: login.example": 200,
		"GET http://evil.example/login HTTP/1.1\r\nHost: login.example":   421,
		"GET //evil.example/login HTTP/1.1\r\nHost: login.example":        404,
		"GET https://login.example/login HTTP/1.1\r\nHost: evil.example":  421,
		"GET /login HTTP/1.0": 421,
		"GET /login HTTP/1.0\r\nX-Forwarded-Host: login.example":                     421,
		"GET /login HTTP/1.1\r\nHost: evil.example\r\nForwarded: host=login.example": 421,
		"GET /healthz HTTP/1.0": 200,
	} {
		r := s.raw(t)
		r.write(request + "\r\nConnection: close\r\n\r\n")
		if statuses, _ := r.answers(5 * time.Second); !slices.Equal(statuses, []int{want}) {
			t.Errorf("%q is answered %v, want %d", request, statuses, want)
		}
	}
}

// A page or a form that is added answers to no other host unless it is added
// here, too.
func TestEveryPageIsForItsOwnHost(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_EMAIL_HOST=") // the mailbox page exists
	other := map[string]int{"/forward-auth": 302, "/static/:hash/:name": 404, "/healthz": 200, "/readyz": 200, "/.well-known/jwks.json": 200, "/mailbox": 404, "/mailbox/:number": 404, "/metrics": 404}
	pages := append(s.house.routes(t), listed{"GET", "", "/nowhere?a=b&c=d", anyone}, listed{"PUT", "", "/login", anyone}, listed{"POST", "", "/healthz", anyone})
	for _, r := range pages {
		b := s.browser(t)
		a := b.do(r.method, r.example, formKind, "", rebound)
		if want, free := other[r.path]; free {
			a.want(t, want, "")
			continue
		}
		link := s.public.String() + "/login"
		if r.method == http.MethodGet {
			link = s.public.String() + r.example
			b.do(http.MethodHead, r.example, "", "", rebound).want(t, http.StatusMisdirectedRequest, "")
		}
		saysAddress(t, r.method+" "+r.example, a, http.StatusMisdirectedRequest, link)
	}
	for path := range wireUses {
		if a := s.browser(t).do(http.MethodPost, wireUses[path], "application/json", "{}", rebound); a.status == http.StatusMisdirectedRequest {
			t.Errorf("the wire does not answer to another host at %s", path)
		}
	}
	r := s.browser(t).do(http.MethodGet, "/login", "", "", map[string]string{"Host": "evil.example", "Accept": "application/json"})
	if r.status != http.StatusMisdirectedRequest || !strings.Contains(r.body, s.public.String()) || strings.Contains(r.body, "<") {
		t.Errorf("a program is told %d %q", r.status, r.body)
	}
}

func TestAReboundPageHasNoMessageSent(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := anID()
	saysAddress(t, "a rebound form", s.browser(t).do(http.MethodPost, "/login", formKind, form("id", id), rebound), http.StatusMisdirectedRequest, s.public.String()+"/login")
	s.sent(t)
	if letters, _ := s.mail.to(id); len(letters) > 0 {
		t.Error("a page whose name resolves to the server had a message sent")
	}
	// What a proxy passes on is the proxy's own site, whatever it calls it.
	proxied := start(t, "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8")
	proxied.browser(t).do(http.MethodPost, "/login", formKind, form("id", id), rebound).want(t, http.StatusSeeOther, "/login/code")
	elsewhere := start(t, "DJAUTHY_TRUSTED_PROXIES=192.0.2.0/24")
	elsewhere.browser(t).do(http.MethodPost, "/login", formKind, form("id", id), rebound).want(t, http.StatusMisdirectedRequest, "")
}

func TestAnotherHostIsLoggedOnceAndNotForEver(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := s.browser(t)
	lines := func(word string) int { return strings.Count(s.out.String(), word) }
	for range 3 {
		b.do(http.MethodGet, "/login", "", "", map[string]string{"Host": "alias.example:81"}).want(t, http.StatusMisdirectedRequest, "")
	}
	if n := lines(`"host":"alias.example:81","public_url":"` + s.public.String() + `"`); n != 1 {
		t.Errorf("%d lines on another host, want 1:\n%s", n, s.out)
	}
	for i := range 100 {
		b.do(http.MethodGet, "/login", "", "", map[string]string{"Host": fmt.Sprintf("%s%d.example", strings.Repeat("a", 150), i)}).want(t, http.StatusMisdirectedRequest, "")
		b.do(http.MethodGet, "/login", "", "", map[string]string{"Host": fmt.Sprintf("h%d.example", i)}).want(t, http.StatusMisdirectedRequest, "")
	}
	if n := lines("trusted_proxies"); n > 40 || n < 2 {
		t.Errorf("%d lines on other hosts", n)
	}
	if lines(strings.Repeat("a", 101)) > 0 {
		t.Error("a host is logged whole, however long it is")
	}
}
