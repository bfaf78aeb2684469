package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

// from is a form's origin, and the host that the server was reached by if it is
// not public_url's. Old browsers send no Sec-Fetch-Site, and none do over http.
func from(origin, host string) map[string]string {
	own := map[string]string{"Origin": origin, "Sec-Fetch-Site": ""}
	if host != "" {
		own["Host"] = host
	}
	return own
}

// with is one more header.
func with(own map[string]string, name, value string) map[string]string {
	all := maps.Clone(own)
	all[name] = value
	return all
}

func TestAFormByTheWrongAddressIsToldTheRightOne(t *testing.T) {
	t.Parallel()
	const public = "https://login.example"
	s := start(t, "DJAUTHY_PUBLIC_URL="+public, "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8")
	for name, own := range map[string]map[string]string{
		"http for https":                     from("http://login.example", ""),
		"http for https, in a new browser":   with(from("http://login.example", ""), "Sec-Fetch-Site", "same-origin"),
		"http for https, at another port":    from("http://login.example:8080", "login.example:8080"),
		"another name":                       from("https://alias.example", "alias.example"),
		"another name at a port":             from("http://alias.example:8080", "Alias.example:8080"),
		"a name that the proxy hides":        with(from("https://alias.example", "djauthy:8080"), "X-Forwarded-Host", "alias.example"),
		"an address":                         from("http://192.0.2.1", "192.0.2.1"),
		"a loopback name of a public server": from("http://localhost:8080", "localhost:8080"),
	} {
		id := anID()
		a := s.browser(t).do(http.MethodPost, "/login", formKind, form("id", id), own)
		saysAddress(t, name, a, http.StatusForbidden, public+"/login")
		s.sent(t)
		if letters, _ := s.mail.to(id); len(letters) > 0 {
			t.Errorf("%s: a message was sent", name)
		}
	}
	for _, pair := range []string{`"origin":"http://login.example","public_url":"` + public + `"`, `"origin":"https://alias.example","public_url":"` + public + `"`} {
		if n := strings.Count(s.out.String(), pair); n != 1 {
			t.Errorf("%d lines with %s:\n%s", n, pair, s.out)
		}
	}
	// A new browser vouches for the page, and the proxy for the name.
	s.browser(t).do(http.MethodPost, "/login", formKind, form("id", anID()), with(from("https://alias.example", "alias.example"), "Sec-Fetch-Site", "same-origin")).
		want(t, http.StatusSeeOther, "/login/code")
	// It works; the operator still learns of the name.
	s.browser(t).do(http.MethodPost, "/login", formKind, form("id", anID()), with(from("https://second.example", "second.example"), "Sec-Fetch-Site", "same-origin"))
	if !strings.Contains(s.out.String(), `"origin":"https://second.example","public_url":"`+public+`","refused":false`) {
		t.Errorf("another name that works is not in the log:\n%s", s.out)
	}
}

// If the proxy hides the host, a form looks as if it came from another site; the page
// has to link to the right address all the same.
func TestTheWayOnAfterAForeignOriginLeadsToThePublicURL(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for origin, link := range map[string]string{
		"http://10.0.0.5:8080": s.public.String() + "/login", "https://evil.example": s.public.String() + "/login", "moz-extension://5c0e": s.public.String() + "/login",
		"null": "/login", "https://": "/login", "x": "/login",
	} {
		a := s.browser(t).do(http.MethodPost, "/login", formKind, form("id", anID()), from(origin, "")).want(t, http.StatusForbidden, "")
		if !strings.Contains(a.body, "That came from another site") || !strings.Contains(a.body, "Open this site as "+s.public.String()) || !strings.Contains(a.body, `class="main" href="`+link+`"`) {
			t.Errorf("%s: no way on to %s: %s", origin, link, a.body)
		}
	}
	a := s.browser(t).do(http.MethodPost, "/login", formKind, form("id", anID()), map[string]string{"Sec-Fetch-Site": "cross-site"})
	if a.status != http.StatusForbidden || strings.Contains(a.body, `href="http`) {
		t.Errorf("a form of another site is answered %d: %s", a.status, a.body)
	}
}

func TestAnOriginInAnySpellingOfThePublicURLIsItsOwn(t *testing.T) {
	t.Parallel()
	for public, origins := range map[string][]string{
		"HTTPS://Login.Example:443/":  {"https://login.example", "https://login.example:443", "https://LOGIN.example", "https://login.example."},
		"https://login.example:8443/": {"https://login.example:8443"},
		"http://login.münchen.example:80": {
			"http://login.xn--mnchen-3ya.example", "http://login.münchen.example",
			"https://login.xn--mnchen-3ya.example", // a proxy that adds TLS; CrossOriginProtection looks at the host alone
		},
		"http://[2001:DB8:0::1]": {"http://[2001:db8::1]"},
	} {
		s := start(t, "DJAUTHY_PUBLIC_URL="+public)
		for _, origin := range append(origins, "") {
			s.browser(t).do(http.MethodPost, "/login", formKind, form("id", "x"), from(origin, "")).want(t, http.StatusUnprocessableEntity, "")
		}
		for _, origin := range []string{"https://login.example:444", "https://login.example.evil.example", "https://xlogin.example", "http://[2001:db8::2]"} {
			s.browser(t).do(http.MethodPost, "/login", formKind, form("id", "x"), from(origin, "")).want(t, http.StatusForbidden, "")
		}
	}
}

func TestALoopbackNameIsAsGoodAsAnotherWithoutSecFetchSite(t *testing.T) {
	t.Parallel()
	const port = ":8080"
	var s *site
	for _, public := range []string{"http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080"} {
		s = start(t, "DJAUTHY_PUBLIC_URL="+public)
		for _, name := range []string{"localhost", "127.0.0.1", "[::1]", "127.0.0.9", "app.localhost"} {
			own := from("http://"+name+port, name+port)
			s.browser(t).do(http.MethodPost, "/login", formKind, form("id", anID()), own).want(t, http.StatusSeeOther, "/login/code")
		}
	}
	for _, own := range []map[string]string{
		from("http://127.0.0.1"+port, "localhost"+port), from("http://localhost:3000", "localhost"+port), from("http://localhost", "localhost"+port),
		with(from("http://127.0.0.1"+port, "localhost"+port), "Sec-Fetch-Site", "cross-site"),
		with(from("http://localhost:3000", "localhost"+port), "Sec-Fetch-Site", "same-site"),
		with(from("http://evil.example", "localhost"+port), "X-Forwarded-Host", "evil.example"),
	} {
		s.browser(t).do(http.MethodPost, "/login", formKind, form("id", anID()), own).want(t, http.StatusForbidden, "")
	}
}
