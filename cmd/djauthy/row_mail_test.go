package main

import (
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Row 25.
func TestRow25_NoSecretAndNoAddressStandsInAURL(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, id := s.browser(t), anID()
	var places []string
	note := func(a answer) answer {
		places = append(places, a.header.Get("Location"))
		places = append(places, regexp.MustCompile(`(?:href|action|src)="([^"]*)"`).FindAllString(a.body, -1)...)
		if p := a.header.Get("Referrer-Policy"); p != "same-origin" && p != "no-referrer" {
			t.Errorf("Referrer-Policy is %q", p)
		}
		return a
	}
	note(b.get("/login?next=/account/history"))
	note(b.post("/login", "id", id, "next", "/account/history"))
	l := s.mail.next(t, id)
	note(b.get("/login/code"))
	note(b.submit(wrong(l.code())))
	note(b.get(l.link()))
	note(b.get("/login/link"))
	note(b.submit(l.code()).want(t, http.StatusSeeOther, "/account/history"))
	note(b.get("/account"))
	note(b.get("/account/history"))
	note(b.post("/logout"))
	secrets := []string{l.code(), id, url.QueryEscape(id), strings.TrimPrefix(l.link(), "/login/link/")}
	for _, v := range b.cookies {
		secrets = append(secrets, v)
	}
	for _, place := range places {
		for _, secret := range secrets {
			if secret != "" && strings.Contains(place, secret) {
				t.Errorf("a secret or the address stands in %s", strings.ReplaceAll(place, secret, "SECRET"))
			}
		}
	}
}

// scan is what a mail system's scanner does with a link: it follows it with
// cookies of its own and submits the first form that it finds.
func scan(t *testing.T, s *site, path string, submit bool) {
	t.Helper()
	b := s.browser(t)
	for _, m := range []string{http.MethodHead, http.MethodGet, http.MethodGet} {
		a := b.do(m, path, "", "", map[string]string{"Sec-Fetch-Site": "none"})
		for a.header.Get("Location") != "" {
			a = b.get(a.header.Get("Location"))
		}
		if f := regexp.MustCompile(`<form[^>]*action="([^"]*)"`).FindStringSubmatch(a.body); f != nil && submit && m == http.MethodGet {
			b.post(f[1])
		}
	}
	if b.in() {
		t.Fatal("a scanner was signed in")
	}
}

// Row 26.
func TestRow26_AScannerThatOpensEveryLinkAndSubmitsFormsChangesNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.browser(t), anID()
		l := b.ask(id)
		for _, submit := range []bool{false, true} {
			for _, path := range []string{l.link(), l.notMe()} {
				scan(t, s, path, submit)
			}
		}
		// The asking browser still gets in, by the link.
		b.get(l.link()).want(t, http.StatusSeeOther, "/login/link")
		if page := b.get("/login/link").want(t, http.StatusOK, ""); strings.Contains(page.body, l.code()) || !strings.Contains(page.body, `action="/login/link"`) {
			t.Error("in the asking browser the link shows the code, or no button")
		}
		b.post("/login/link").want(t, http.StatusSeeOther, "/account")
		if !b.in() {
			t.Fatal("the link did not sign in")
		}
		b.get(l.link())
		b.get("/login/link").want(t, http.StatusGone, "")
		b.post("/login/link").want(t, http.StatusGone, "")

		// And by the code.
		s.clock.advance(time.Minute)
		c, other := s.browser(t), anID()
		l = c.ask(other)
		scan(t, s, l.link(), true)
		scan(t, s, l.notMe(), true)
		c.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	})
}

// Row 27.
func TestRow27_NoAddressReachesTwoMailboxesOrWritesAHeader(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, id := range []string{
		"a@people.example\r\nBcc: b@people.example", "a@people.example\nBcc: b@people.example", "a@people.example%0d%0aBcc: b@people.example",
		"a@people.example,b@people.example", "a@people.example;b@people.example", "a@people.example b@people.example", "a,b@people.example",
		"<a@people.example>", "a@people.example>,<b@people.example", "Ann <a@people.example>", "a@people.example> NOTIFY=SUCCESS", "a\u2028b@people.example",
		"a@people\u2028.example", "a\x00@people.example", "a@people.example\x00", "a@people.example\tb@people.example", "a@b@people.example",
		"\"a@b\"@people.example", "a(b@x)@people.example", "@people.example:a@people.example", "a@[127.0.0.1]", "-a@people.example", "a@people.example.", ".a@people.example",
		"a@people.example\u0085", "a\x7f@people.example", "a'b@people.example", "a`id`@people.example", "|cat@people.example", "a=?utf-8?q?b?=@people.example",
	} {
		before := s.mail.size()
		b := s.browser(t)
		a := b.post("/login", "id", id)
		if a.status != http.StatusSeeOther && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%q answers %d, want 303 or 422", id, a.status)
		}
		s.sent(t)
		switch n := s.mail.size() - before; {
		case a.status == http.StatusUnprocessableEntity && n != 0, n > 1:
			t.Errorf("%q had %d messages sent", id, n)
		}
	}
	s.mail.mu.Lock()
	defer s.mail.mu.Unlock()
	for to, letters := range s.mail.boxes {
		for _, l := range letters {
			list, err := mail.ParseAddressList(l.header.Get("To"))
			if len(l.to) != 1 || err != nil || len(list) != 1 || list[0].Address != to || l.header.Get("Bcc") != "" || l.header.Get("Cc") != "" {
				t.Errorf("a message to %q has the envelope %q and To %q (%v)", to, l.to, l.header.Get("To"), err)
			}
		}
	}
}

// Row 28.
func TestRow28_ForgedHostAndForwardingHeadersChangeNoLink(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8")
	for _, forged := range []map[string]string{
		{"Host": "ev-il.example"},
		{"Host": "ev-il.example:80"},
		{"Host": "localhost.ev-il.example"},
		{"X-Forwarded-Host": "ev-il.example"},
		{"X-Forwarded-Server": "ev-il.example"},
		{"Forwarded": "host=ev-il.example;proto=https"},
		{"X-Original-URL": "/account"},
		{"X-Rewrite-URL": "/account"},
		{"X-Forwarded-Proto": "https"},
		{"X-Forwarded-Prefix": "/ev-il"},
		{"X-Host": "ev-il.example"},
		{"X-HTTP-Method-Override": "DELETE"},
	} {
		b, id := s.browser(t), anID()
		page := b.do(http.MethodGet, "/login", "", "", forged).want(t, http.StatusOK, "")
		asked := b.do(http.MethodPost, "/login", formKind, form("id", id), forged).want(t, http.StatusSeeOther, "/login/code")
		l := s.mail.next(t, id)
		for _, text := range []string{page.body, strings.Join(asked.header.Values("Set-Cookie"), "\n"), l.raw, l.text, l.html} {
			if strings.Contains(text, "ev-il") {
				t.Errorf("%v is believed: %s", forged, text)
			}
		}
		if !strings.Contains(l.text, s.public.String()+"/login/link/") {
			t.Errorf("%v: the link does not lead to the public URL:\n%s", forged, l.text)
		}
		if lead := b.do(http.MethodGet, "/account", "", "", forged).header.Get("Location"); lead != "/login?next=%2Faccount" {
			t.Errorf("%v: /account leads to %q", forged, lead)
		}
	}
}

// letterForm is what interface.md promises of a message.
func TestAMessageIsAsProgramsAndPeopleExpectIt(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, id := s.browser(t), anID()
	l := b.ask(id)
	if !sixDigits.MatchString(l.code()) || !strings.Contains(l.subject, l.code()) || !strings.Contains(l.html, l.code()) {
		t.Errorf("the code is not in the first line, the subject and the HTML: %q, %q", l.code(), l.subject)
	}
	if !slices.Contains(strings.Fields(l.text), l.code()) {
		t.Error("the code is no word of its own")
	}
	for _, run := range regexp.MustCompile(`[0-9]{6,}`).FindAllString(l.text, -1) {
		if run != l.code() {
			t.Errorf("another run of digits in the text: %s", run)
		}
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(l.text, "\r", "")), "\n")
	if last := lines[len(lines)-1]; last != "@"+s.public.Hostname()+" #"+l.code() {
		t.Errorf("the last line is %q", last)
	}
	if len(l.header.Values("Date")) != 1 || len(l.header.Values("To")) != 1 || len(l.header.Values("Message-Id")) != 1 {
		t.Errorf("Date, To or Message-ID is not there once: %q", l.raw)
	}
	if i, j := strings.Index(l.raw, "text/plain"), strings.Index(l.raw, "text/html"); i < 0 || j < i {
		t.Error("the text part does not come first")
	}
	if !strings.Contains(l.text, "Firefox") || !strings.Contains(l.text, "this machine") || strings.Contains(l.text, b.from.String()) {
		t.Errorf("the message does not say which browser asked, or gives the whole address %s:\n%s", b.from, l.text)
	}
}

func TestNotMeVoidsTheCodeAndMutesThatBrowserUntilItSucceeds(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.browser(t), anID()
		l := b.ask(id)
		owner := s.browser(t)
		owner.get(l.notMe()).want(t, http.StatusOK, "")
		page := owner.post(l.notMe()).want(t, http.StatusOK, "")
		if !strings.Contains(page.body, `name="confirm" value="yes"`) {
			t.Fatal("the first button leads to no second page")
		}
		before := b.clone()
		owner.post(l.notMe(), "confirm", "yes").want(t, http.StatusOK, "")
		owner.post(l.notMe(), "confirm", "yes").want(t, http.StatusOK, "")
		before.submit(l.code()).want(t, http.StatusGone, "")
		if before.in() {
			t.Fatal("a disowned code opened a session")
		}
		if !strings.Contains(s.out.String(), "it wasn't me") {
			t.Error("the log does not say that a sign-in was disowned")
		}
		// The blocked browser gets the usual response and no message.
		b.post("/login", "id", id).want(t, http.StatusSeeOther, "/login/code")
		s.sent(t)
		if letters, _ := s.mail.to(id); len(letters) != 1 {
			t.Errorf("%d messages, want the first alone", len(letters))
		}
		// Others are not hindered; after one expiry time neither is it.
		owner.ask(id)
		s.clock.advance(11 * time.Minute)
		b.signIn(id)
	})
}

func TestAMistakenNotMeIsLiftedByALaterSuccessOfThatBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.browser(t), anID()
	l := b.ask(id)
	b.post(l.notMe(), "confirm", "yes").want(t, http.StatusOK, "")
	link, err := url.Parse(strings.TrimSpace(s.must(t, "users", "link", id)))
	if err != nil {
		t.Fatal(err)
	}
	b.get(link.Path).want(t, http.StatusSeeOther, "/login/link")
	b.post("/login/link").want(t, http.StatusSeeOther, "/account")
	b.post("/logout")
	s.clock.advance(time.Minute)
	b.post("/login", "id", id).want(t, http.StatusSeeOther, "/login/code")
	s.sent(t)
	if letters, _ := s.mail.to(id); len(letters) != 2 {
		t.Error("the browser is still muted after it signed in")
	}
}

func TestNotMeEndsASessionThatTheCodeOpened(t *testing.T) {
	t.Parallel()
	s := shared(t)
	thief, id := s.browser(t), anID()
	l := thief.ask(id)
	thief.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	s.browser(t).post(l.notMe(), "confirm", "yes").want(t, http.StatusOK, "")
	if thief.in() {
		t.Error("the session is still good")
	}
}
