package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var fields = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// fill fills in the page's form as a browser does, hidden fields included.
func fill(page answer, pairs ...string) []string {
	for _, m := range fields.FindAllStringSubmatch(page.body, -1) {
		pairs = append(pairs, m[1], m[2])
	}
	return pairs
}

const lost = "Your browser does not keep our cookie"

func TestABrowserThatKeepsNoCookiesIsToldBeforeAMessageIsSent(t *testing.T) {
	t.Parallel()
	for _, public := range []string{"http://localhost:8080", "https://login.example"} {
		s := start(t, "DJAUTHY_PUBLIC_URL="+public)
		first := firstLine.FindStringSubmatch(s.out.String())[2]
		for _, way := range []struct{ shown, posted string }{
			{"/login", "/login"}, {"/login?next=/account/history", "/login"}, {"/login?done=signed_out", "/login"}, {first, first},
		} {
			id := anID()
			b := s.browser(t)
			page := b.get(way.shown).want(t, http.StatusOK, "")
			b.cookies = map[string]string{"other": "app"} // set by another app on this host
			a := b.post(way.posted, fill(page, "id", id)...).want(t, http.StatusUnprocessableEntity, "")
			if !strings.Contains(a.body, lost) || !strings.Contains(a.body, public) || !strings.Contains(a.body, `href="`+way.posted+`"`) {
				t.Errorf("%s: the page says: %s", way.shown, seen(a.body))
			}
			s.sent(t)
			if letters, _ := s.mail.to(id); len(letters) > 0 {
				t.Errorf("%s: a browser without cookies had a message sent", way.shown)
			}
			// Once cookies are allowed, the same form works.
			b = s.browser(t)
			page = b.get(way.shown)
			b.post(way.posted, fill(page, "id", id)...).want(t, http.StatusSeeOther, "/login/code")
			l := s.mail.next(t, id)
			if way.shown == "/login" {
				b.submit(l.code()).want(t, http.StatusSeeOther, "/account")
			}
		}
	}
}

// Programs post at once and keep cookies from then on.
func TestAPostWithoutTheFormNeedsNoCookie(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	b.post("/login", "id", anID()).want(t, http.StatusSeeOther, "/login/code")
	b.get("/login/code").want(t, http.StatusOK, "")
	// Any cookie of ours shows that the browser keeps them.
	p, _ := s.person(t)
	for name, value := range p.cookies {
		q := s.browser(t)
		q.cookies = map[string]string{name: value}
		q.post("/login", "id", anID(), "cookies", "1").want(t, http.StatusSeeOther, "/login/code")
	}
}

func TestTheSignInPageGivesACookieToWhoHasNone(t *testing.T) {
	t.Parallel()
	s := shared(t)
	a, b := s.browser(t), s.browser(t)
	for range 2 { // the second page is the kept one
		a.get("/login")
		b.get("/login")
	}
	if a.cookies["djauthy_browser"] == "" || a.cookies["djauthy_browser"] == b.cookies["djauthy_browser"] {
		t.Error("two browsers share a cookie, or have none")
	}
	if line := a.get("/login").header.Get("Set-Cookie"); line != "" {
		t.Errorf("a browser that has its cookie is given another one: %s", line)
	}
}

// A redirect from a form of the sign-in that brings no cookie of the answer:
// the cookie was lost on the way.
func TestACookieLostOnTheWayIsTold(t *testing.T) {
	t.Parallel()
	s := shared(t)
	at := s.public.String()
	for name, c := range map[string]struct{ path, referer, to string }{
		"the attempt's":                    {"/login/code", at + "/login", "/login?done=no_cookies"},
		"the attempt's, from a longer way": {"/login/code", at + "/login?next=%2Faccount", "/login?done=no_cookies"},
		"the first administrator's":        {"/login/code", at + "/login/first/" + aToken, "/login?done=no_cookies"},
		"the session's":                    {"/account", at + "/login/code", "/login?done=no_cookies&next=%2Faccount"},
		"the session's, by the link":       {"/account", at + "/login/link", "/login?done=no_cookies&next=%2Faccount"},
		"none: typed":                      {"/login/code", "", "/login"},
		"none: from another site":          {"/login/code", "https://other.example/login", "/login"},
		"none: from another page":          {"/login/code", at + "/account", "/login"},
		"none: no address":                 {"/login/code", "http://[::1/login", "/login"},
		"none: nobody signed in":           {"/account", at + "/login", "/login?next=%2Faccount"},
	} {
		b := s.browser(t)
		b.get("/login")
		a := b.do(http.MethodGet, c.path, "", "", map[string]string{"Referer": c.referer})
		if a.status != http.StatusSeeOther || a.header.Get("Location") != c.to {
			t.Errorf("%s: answered %d to %q, want %q", name, a.status, a.header.Get("Location"), c.to)
		}
		if told := strings.Contains(b.get(a.header.Get("Location")).body, lost); told != strings.Contains(c.to, "no_cookies") {
			t.Errorf("%s: told of a lost cookie: %v", name, told)
		}
	}
	// One that came is not lost.
	b := s.browser(t)
	b.ask(anID())
	b.do(http.MethodGet, "/login/code", "", "", map[string]string{"Referer": at + "/login"}).want(t, http.StatusOK, "")
}
