package main

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// offSite are forms of `next` that some browser has read as another site, or
// that write into a header.
var offSite = []string{
	"//evil.example", "///evil.example", "////evil.example", "https://evil.example", "http:evil.example", "http:/evil.example", "https:///evil.example",
	`/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, `/\\evil.example`, "/%5cevil.example", "/%5Cevil.example", "/%2f/evil.example",
	"/%2f%2fevil.example", "/%2Fevil.example", "%2f%2fevil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example",
	"/%09/evil.example", "/%0a/evil.example", "/%0d%0aSet-Cookie:x=1", "/\r\nSet-Cookie: x=1", "/account\r\nLocation: https://evil.example", "/\x00/evil.example", "/%00",
	"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "evil.example", "@evil.example", "user@evil.example/",
	"https://localhost@evil.example", "http://localhost:80:evil.example", "//localhost@evil.example", "//evil.example\\@localhost", "?//evil.example", "#//evil.example",
	".//evil.example", "..//evil.example", "/\u2028/evil.example", "/\xff", "ftp://evil.example", "//[::1]", "/.//evil.example", "/a/..//evil.example", "/%2e%2e/%5cevil.example",
	"https:evil.example", "/" + strings.Repeat("a", 8192),
}

// onSite are local paths to which people come back, and their form as a URI if they are
// not in it.
var onSite = map[string]string{
	"/account": "", "/account/history?before=5": "", "/account#sessions": "", "/account/delete": "", "/a/b/c?x=https://other.example/&y=1": "", "/account?x=%C3%BC": "",
	"/app?q=%25%20+%26%2F%23%3F%3D&next=/b&c[]=d": "", "/app/a%2Fb%20c": "", "/app?text=one%0D%0Atwo": "", "/caf%E9": "", "/app?q=100%": "", "/" + strings.Repeat("a", 8191): "",
	"/bücher?q=é": "/b%C3%BCcher?q=%C3%A9", "/a b": "/a%20b", `/app?q="x"`: "/app?q=%22x%22", "/\ufffd": "/%EF%BF%BD",
}

// leadsOff reports whether a browser at the site would leave it.
func leadsOff(s *site, location string) bool {
	base, err := url.Parse(s.public.String() + "/login/code")
	if err != nil {
		return true
	}
	to, err := base.Parse(strings.NewReplacer(`\`, "/", "\t", "", "\n", "", "\r", "").Replace(location))
	return err != nil || to.Host != s.public.Host || to.Scheme != s.public.Scheme
}

// Row 29.
func TestRow29_NextNeverLeadsToAnotherSite(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, next := range offSite {
		if lead := leads(t, s, form("next", next)); leadsOff(s, lead) || lead != "/account" {
			t.Errorf("next=%q leads to %q, want /account", next, lead)
		}
	}
}

// Row 29: in forms as well, whatever the page had in them.
func TestRow29_NextOfAFormNeverLeadsToAnotherSite(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, next := range offSite {
		b, id := s.browser(t), anID()
		refused := b.post("/login/passkey", "next", next, "response", "{}").want(t, http.StatusUnprocessableEntity, "")
		if kept := group(nextField, refused.body); kept != "" {
			t.Errorf("after a passkey that was refused %q leads to %q", next, kept)
		}
		b.post("/login", "id", id, "next", next).want(t, http.StatusSeeOther, "/login/code")
		b.submit(s.mail.next(t, id).code()).want(t, http.StatusSeeOther, "/account")
	}
}

// Row 29: encoded, and as a proxy puts it there that cannot encode it.
func TestTheWayBackIsKeptAsItWasAskedFor(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for next, want := range onSite {
		want = nonEmpty(want, next)
		for _, query := range []string{form("next", next), form("done", "x", "next", next)} {
			if lead := leads(t, s, query); lead != want {
				t.Errorf("%.100s leads to %.100q, want %.100q", query, lead, want)
			}
		}
		if !strings.ContainsAny(next, `# "`) { // which no request line holds
			if lead := leads(t, s, "next="+next); lead != want {
				t.Errorf("next=%.100s leads to %.100q, want %.100q", next, lead, want)
			}
		}
	}
}

func nonEmpty(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

var nextField = regexp.MustCompile(`name="next" value="([^"]*)"`)

// leads is where somebody is led who comes to the box with a query, sends its
// form as it is, and types the code.
func leads(t *testing.T, s *site, query string) string {
	t.Helper()
	b, id := s.browser(t), anID()
	page := b.raw("/login?"+query).want(t, http.StatusOK, "")
	fields := []string{"id", id}
	if kept := nextField.FindStringSubmatch(page.body); kept != nil {
		fields = append(fields, "next", html.UnescapeString(kept[1]))
	}
	b.post("/login", fields...).want(t, http.StatusSeeOther, "/login/code")
	a := b.submit(s.mail.next(t, id).code())
	if lead := a.header.Values("Location"); a.status != http.StatusSeeOther || len(lead) != 1 || a.header.Get("X") != "" {
		t.Errorf("%.100s: answered %d with %v", query, a.status, a.header)
	}
	return a.header.Get("Location")
}

// raw gets an address byte for byte, which Go's client would encode.
func (b *browser) raw(target string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.s.public.Host, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.URL.Opaque = target
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// A way back that is dropped can be looked for in the log, without what its query
// holds, and nobody fills the log with such lines.
func TestADroppedWayBackLeavesABoundedLineInTheLog(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.clock.freeze()
	b := s.browser(t)
	b.get("/login?" + form("next", "//evil.example/"+strings.Repeat("a", 1000)+"?token=secret"))
	for range 100 {
		b.get("/login?" + form("next", "https://evil.example/?token=secret"))
	}
	b.get("/login?" + form("next", "/account"))
	text, lines := s.out.String(), 0
	for line := range strings.Lines(text) {
		if strings.Contains(line, "a way back was dropped") {
			lines++
			if len(line) > 500 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
	}
	if lines != 20 || !strings.Contains(text, "it could lead to another host") || !strings.Contains(text, "it is not a path of this server") || strings.Contains(text, "secret") {
		t.Errorf("101 dropped ways back left %d lines:\n%s", lines, text)
	}
}

// Row 29: the path of a page that needs a session becomes next.
func TestRow29_APathThatLooksLikeAHostIsNoNext(t *testing.T) {
	t.Parallel()
	b := shared(t).browser(t)
	for _, path := range []string{"//evil.example/account", "/account?x=//evil.example", "/account/history?before=%0d%0aX:1"} {
		a := b.get(path)
		if lead := a.header.Get("Location"); lead != "" && leadsOff(b.s, lead) {
			t.Errorf("%s leads to %q", path, lead)
		}
	}
	if lead := b.get("/account/history?before=5").header.Get("Location"); lead != "/login?next=%2Faccount%2Fhistory%3Fbefore%3D5" {
		t.Errorf("the way back is lost: %q", lead)
	}
}

// Chromium holds form-action against each redirect that follows a POST, so that a
// page whose form leads to an app must not have one. All others keep theirs.
func TestOnlyAFormThatLeadsToAnAppIsWithoutFormAction(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_LIMITS_RESEND_EVERY=30s")
	for next, want := range map[string]bool{"": true, "/account": true, "/account/history?before=5": true, "//evil.example": true, "/app": false, "/": false, "/account/../app": false, "/accounts": false} {
		b, id := s.browser(t), anID()
		check := func(page string, a answer, want bool) {
			t.Helper()
			csp := a.header.Get("Content-Security-Policy")
			if strings.Contains(csp, "form-action 'self'") != want || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "base-uri 'none'") {
				t.Errorf("next=%q: %s has %q", next, page, csp)
			}
		}
		check("the box", b.get("/login?next="+next), true)
		b.post("/login", "id", id, "next", next).want(t, http.StatusSeeOther, "/login/code")
		l := s.mail.next(t, id)
		check("the code page", b.get("/login/code").want(t, http.StatusOK, ""), want)
		check("the code page after a wrong code", b.submit(wrong(l.code())).want(t, http.StatusUnprocessableEntity, ""), want)
		check("the code page after no code", b.submit("").want(t, http.StatusUnprocessableEntity, ""), want)
		check("the code page after a resend too soon", b.post("/login/resend").want(t, http.StatusTooManyRequests, ""), want)
		b.get(l.link()).want(t, http.StatusSeeOther, "/login/link")
		check("the link's button", b.get("/login/link").want(t, http.StatusOK, ""), want)
		other := s.browser(t)
		other.get(l.link()).want(t, http.StatusSeeOther, "/login/link")
		check("the link's code elsewhere", other.get("/login/link").want(t, http.StatusOK, ""), true)
		b.submit(l.code()).want(t, http.StatusSeeOther, "")
		check("the account", b.get("/account").want(t, http.StatusOK, ""), true)
	}
}

var otherAddress = regexp.MustCompile(`<a (?:class="(?:way|main)" )?href="(/login(?:\?[^"]*)?)">`)

// Who mistyped the address, or was too late, still wants to get to the app.
func TestTheWayBackOutlivesAnotherAddressAndTheEndOfAnAttempt(t *testing.T) {
	t.Parallel()
	s := start(t)
	for next, want := range map[string]string{"": "/login", "/app?a=1&b=%20+#c": "/login?next=%2Fapp%3Fa%3D1%26b%3D%2520%2B%23c"} {
		b, id := s.browser(t), anID()
		leadsOn := func(page string, a answer) {
			t.Helper()
			found := otherAddress.FindStringSubmatch(a.body)
			if found == nil || html.UnescapeString(found[1]) != want {
				t.Errorf("next=%q: %s leads to %q, want %q", next, page, found, want)
			}
		}
		b.post("/login", "id", id, "next", next).want(t, http.StatusSeeOther, "/login/code")
		l := s.mail.next(t, id)
		leadsOn("the code page", b.get("/login/code"))
		leadsOn("the code page after a wrong code", b.submit(wrong(l.code())))
		b.get(l.link())
		leadsOn("the link's page", b.get("/login/link"))
		for range 5 {
			b.submit(wrong(l.code()))
		}
		leadsOn("the page of an attempt that is over", b.submit(wrong(l.code())).want(t, http.StatusGone, ""))
		if next == "" {
			continue
		}
		if lead := leads(t, s, strings.TrimPrefix(want, "/login?")); lead != next {
			t.Errorf("by that link the way back is %q, want %q", lead, next)
		}
	}
}

// The same browser asks twice, in two tabs: the app that it wanted last is meant,
// also when the second message is refused.
func TestAnAttemptThatGoesOnLeadsToTheLastPlaceThatWasAskedFor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.browser(t), anID()
		b.post("/login", "id", id, "next", "/first").want(t, http.StatusSeeOther, "/login/code")
		code := s.mail.next(t, id).code()
		b.post("/login", "id", id, "next", "/second").want(t, http.StatusTooManyRequests, "")
		b.post("/login", "id", id).want(t, http.StatusTooManyRequests, "")
		b.submit(code).want(t, http.StatusSeeOther, "/second")
		b.get("/login/code").want(t, http.StatusSeeOther, "/second")

		b, id = s.browser(t), anID()
		b.post("/login", "id", id, "next", "/first").want(t, http.StatusSeeOther, "/login/code")
		code = s.mail.next(t, id).code()
		s.clock.advance(time.Minute)
		b.post("/login", "id", id, "next", "/second").want(t, http.StatusSeeOther, "/login/code")
		b.submit(code).want(t, http.StatusSeeOther, "/second")
	})
}
