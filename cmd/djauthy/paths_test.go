package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheBoxIsShownToEverybodyWith200(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	page := b.get("/login?next=/account/history").want(t, http.StatusOK, "")
	for _, want := range []string{`name="id"`, `autocomplete="username webauthn"`, `name="next" value="/account/history"`, `action="/login"`, `method="post"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the box lacks %s", want)
		}
	}
	b.ask(anID())
	b.get("/login").want(t, http.StatusOK, "")
	p, _ := s.person(t)
	if page := p.get("/login").want(t, http.StatusOK, ""); !strings.Contains(page.body, `name="id"`) {
		t.Error("a person who is signed in sees no box")
	}
}

func TestTheRootLeadsToTheAccountOrTheBox(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.browser(t).get("/").want(t, http.StatusSeeOther, "/login")
	p, _ := s.person(t)
	p.get("/").want(t, http.StatusSeeOther, "/account")
}

func TestTheCodePageHasWhatPasswordManagersHoldOnTo(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	b.get("/login/code").want(t, http.StatusSeeOther, "/login")
	id := anID()
	l := b.ask(id)
	page := b.get("/login/code").want(t, http.StatusOK, "")
	for _, want := range []string{`type="password"`, `name="auth_code"`, `autocomplete="one-time-code"`, `inputmode="numeric"`, id, `href="/login"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the code page lacks %s", want)
		}
	}
	page = b.submit(wrong(l.code())).want(t, http.StatusUnprocessableEntity, "")
	if !strings.Contains(page.body, `role="alert"`) {
		t.Error("a wrong code is not told by role=alert")
	}
}

func TestEveryEndOfAnAttemptIsAPageThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := start(t)
	says := func(a answer, status int, words string) {
		t.Helper()
		a.want(t, status, "")
		if !strings.Contains(a.body, words) || !strings.Contains(a.body, "/login") {
			t.Errorf("%d does not say %q and how to go on: %s", status, words, seen(a.body))
		}
	}
	says(s.browser(t).submit("123456"), http.StatusGone, "No sign-in is under way")
	b := s.browser(t)
	l := b.ask(anID())
	for i := range 5 {
		a := b.submit(wrong(l.code()))
		says(a, http.StatusUnprocessableEntity, "not right")
		if left := map[int]string{2: "2 tries left", 3: "One try left"}[i]; !strings.Contains(a.body, left) {
			t.Errorf("after try %d the page does not say %q", i+1, left)
		}
	}
	says(b.submit(l.code()), http.StatusGone, "too many wrong tries")
	says(b.get("/login/code"), http.StatusGone, "too many wrong tries")
	b = s.browser(t)
	l = b.ask(anID())
	s.clock.advance(11 * time.Minute)
	says(b.submit(l.code()), http.StatusGone, "expired")
	b = s.browser(t)
	l = b.ask(anID())
	c := b.clone()
	b.submit(l.code())
	says(c.submit(l.code()), http.StatusGone, "used already")
	c.get("/login/code").want(t, http.StatusGone, "")
	b.get("/login/code").want(t, http.StatusSeeOther, "/account")
}

func TestAResendGoesOnAfterTheEndAndNotTooSoon(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.browser(t), anID()
	b.post("/login/resend").want(t, http.StatusGone, "")
	l := b.ask(id)
	for _, path := range []string{"/login/resend", "/login"} {
		a := b.post(path, "id", id).want(t, http.StatusTooManyRequests, "")
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 || n > 30 {
			t.Errorf("%s: Retry-After %q", path, a.header.Get("Retry-After"))
		}
		if !strings.Contains(a.body, `name="auth_code"`) {
			t.Errorf("%s: too soon, and the page has no field for the code any more", path)
		}
	}
	for range 6 {
		b.submit(wrong(l.code()))
	}
	s.clock.advance(31 * time.Second)
	b.post("/login/resend").want(t, http.StatusSeeOther, "/login/code")
	b.submit(s.mail.next(t, id).code()).want(t, http.StatusSeeOther, "/account")
	// Another id is another attempt, at once.
	b.post("/login", "id", anID()).want(t, http.StatusSeeOther, "/login/code")
}

func TestResendEvery0TurnsItOff(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_LIMITS_RESEND_EVERY=0")
	b, id := s.browser(t), anID()
	b.ask(id)
	b.ask(id)
	b.post("/login/resend").want(t, http.StatusSeeOther, "/login/code")
	a := b.post("/login/resend").want(t, http.StatusTooManyRequests, "") // three a network
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 || n > 300 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
}

func TestALoginIsASignUpThatHoldsNothingUntilItIsProved(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.browser(t), anID()
	b.post("/login", "id", strings.ToUpper(id)).want(t, http.StatusSeeOther, "/login/code")
	out := s.must(t, "users", "show", id, "--json")
	for _, want := range []string{`"is_active": false`, `"email": ""`, `"last_login": null`, `"name": ""`} {
		if !strings.Contains(out, want) {
			t.Errorf("an unproved user lacks %s: %s", want, out)
		}
	}
	typed := strings.Replace(strings.ToUpper(id), "@PEOPLE.EXAMPLE", "@people.example", 1)
	b.submit(s.mail.next(t, typed).code()).want(t, http.StatusSeeOther, "/account")
	if out = s.must(t, "users", "show", id, "--json"); !strings.Contains(out, `"is_active": true`) || !strings.Contains(out, `"email": "`+typed+`"`) {
		t.Errorf("a proved user is not active: %s", out)
	}
}

func TestForwardAuthTellsAProxyWhoItIs(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.browser(t).get("/forward-auth").want(t, http.StatusFound, s.public.String()+"/login")
	stranger := s.browser(t).do(http.MethodGet, "/forward-auth", "", "", map[string]string{"Sec-Fetch-Mode": "cors"}).want(t, http.StatusUnauthorized, "")
	if stranger.header.Get("Remote-User") != "" {
		t.Error("a stranger has a name")
	}
	p, id := s.person(t)
	p.post("/account/settings", "first_name", "Änne", "last_name", "Ö'Hara").want(t, http.StatusSeeOther, "")
	a := p.do(http.MethodGet, "/forward-auth", "", "", map[string]string{"X-Original-URL": "https://other.example/x", "Remote-User": "root"}).want(t, http.StatusOK, "")
	if a.header.Get("Remote-User") == "" || a.header.Get("Remote-User") == "root" || a.header.Get("Remote-Email") != id || a.header.Get("Remote-Name") == "" {
		t.Errorf("headers %v", a.header)
	}
	if groups := a.header.Values("Remote-Groups"); len(groups) != 1 || groups[0] != "users" {
		t.Errorf("Remote-Groups is %q", groups)
	}
	for _, bad := range []string{"", "x", aToken, p.cookies["djauthy"] + "a", strings.ToUpper(p.cookies["djauthy"]), p.cookies["djauthy_attempt"], p.cookies["djauthy_browser"]} {
		q := s.browser(t)
		q.cookies["djauthy"] = bad
		q.probe().want(t, http.StatusUnauthorized, "")
	}
}

// A hundred go at once, and one more each 0.6 s.
func TestOwnChangesThatComeTooOftenAreToldWhenToTryAgain(t *testing.T) {
	t.Parallel()
	p, _ := shared(t).person(t)
	for name, change := range map[string]func() answer{
		"the settings":   func() answer { return p.post("/account/settings", "first_name", "Ann") },
		"a session":      func() answer { return p.post("/account/sessions/end", "session", "1") },
		"other sessions": func() answer { return p.post("/account/sessions/end-others") },
		"an export":      func() answer { return p.get("/account/export") },
	} {
		a := change()
		for n := 0; n < 1000 && (a.status == http.StatusSeeOther || a.status == http.StatusOK); n++ {
			a = change()
		}
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d, Retry-After %q", name, a.status, a.header.Get("Retry-After"))
		}
	}
	p.get("/account").want(t, http.StatusOK, "")
}

func TestTheAccountShowsSessionsHistoryAndExport(t *testing.T) {
	t.Parallel()
	s := shared(t)
	p, id := s.person(t)
	home := p.get("/account").want(t, http.StatusOK, "")
	for _, want := range []string{id, `action="/logout"`, "this machine"} {
		if !strings.Contains(home.body, want) {
			t.Errorf("the account page lacks %q", want)
		}
	}
	if strings.Contains(home.body, p.from.String()) {
		t.Error("the account page shows the whole address of the client")
	}
	if a := p.get("/account/history").want(t, http.StatusOK, ""); !strings.Contains(a.body, "Signed in with a code") {
		t.Errorf("history: %s", seen(a.body))
	}
	x := p.get("/account/export").want(t, http.StatusOK, "")
	if !strings.HasPrefix(x.header.Get("Content-Type"), "application/json") || !strings.Contains(x.body, id) || !strings.HasPrefix(x.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("export: %v %s", x.header, x.body)
	}
	other := s.browser(t)
	other.signIn(id)
	p.get("/account/sessions/end-others").want(t, http.StatusOK, "")
	p.post("/account/sessions/end-others").want(t, http.StatusSeeOther, "/account?done=others_ended")
	if other.in() || !p.in() {
		t.Error("ending all others ended this one, or not the other")
	}
}

func TestManualModeAsksForTheImplementation(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_MODE=manual")
	b := s.browser(t)
	if page := b.get("/login").want(t, http.StatusOK, ""); !strings.Contains(page.body, `name="implementation" value="email"`) {
		t.Error("no choice of the implementation")
	}
	b.post("/login", "id", anID(), "implementation", "pigeon").want(t, http.StatusUnprocessableEntity, "")
	b.post("/login", "id", anID(), "implementation", "email").want(t, http.StatusSeeOther, "/login/code")
}

func TestALinkThatIsNoneIsGone(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	for _, path := range []string{"/login/link/x", "/login/link/" + aToken + "a", "/login/not-me/x", "/login/not-me/" + aToken, "/login/first/x", "/login/first/" + aToken} {
		b.get(path).want(t, http.StatusGone, "")
	}
	b.get("/login/link").want(t, http.StatusGone, "")
	b.post("/login/link").want(t, http.StatusForbidden, "")
	a := b.get("/login/link/"+aToken).want(t, http.StatusSeeOther, "/login/link")
	if line := a.header.Get("Set-Cookie"); !strings.Contains(strings.ToLower(line), "max-age=300") {
		t.Errorf("the link's cookie does not live five minutes: %s", line)
	}
	b.get("/login/link").want(t, http.StatusGone, "")
	b.post("/login/link").want(t, http.StatusForbidden, "")
}

func TestALinkWhoseCookieIsLostIsNotCalledExpired(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	l := b.ask(anID())
	b.get(l.link()).want(t, http.StatusSeeOther, "/login/link")
	delete(b.cookies, "djauthy_link")
	for status, a := range map[int]answer{http.StatusGone: b.get("/login/link"), http.StatusForbidden: b.post("/login/link")} {
		a.want(t, status, "")
		if !strings.Contains(a.body, "Open the link once more") || !strings.Contains(a.body, "allow cookies") {
			t.Errorf("%d: the page says: %s", status, seen(a.body))
		}
	}
	// The link still works, and one that has ended is still shown as ended.
	b.get(l.link())
	b.post("/login/link").want(t, http.StatusSeeOther, "/account")
	b = s.browser(t)
	b.get("/login/link/" + aToken)
	if a := b.get("/login/link").want(t, http.StatusGone, ""); !strings.Contains(a.body, "This link has ended") {
		t.Errorf("the page says: %s", seen(a.body))
	}
}

func TestARecoveryLinkSignsInOnceInAnyBrowserAfterItsButton(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := anIDOf(t, s)
	path := mustURL(strings.TrimSpace(s.must(t, "users", "link", id))).Path
	scan(t, s, path, false)
	b := s.browser(t)
	b.get(path).want(t, http.StatusSeeOther, "/login/link")
	if page := b.get("/login/link").want(t, http.StatusOK, ""); !strings.Contains(page.body, `action="/login/link"`) {
		t.Error("no button")
	}
	b.post("/login/link").want(t, http.StatusSeeOther, "/account")
	c := s.browser(t)
	c.get(path)
	if a := c.post("/login/link"); a.status != http.StatusGone || c.in() {
		t.Errorf("a used recovery link answers %d", a.status)
	}
	path = mustURL(strings.TrimSpace(s.must(t, "users", "link", id))).Path
	s.clock.advance(11 * time.Minute)
	c.get(path)
	if a := c.post("/login/link"); a.status != http.StatusGone || c.in() {
		t.Errorf("an expired recovery link answers %d", a.status)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	b := shared(t).browser(t)
	b.get("/healthz").want(t, http.StatusOK, "")
	b.get("/readyz").want(t, http.StatusOK, "")
	b.do(http.MethodHead, "/healthz", "", "", map[string]string{"X-Forwarded-For": "192.0.2.1"}).want(t, http.StatusOK, "")
}

func TestForwardedAddressesCountFromTheRightAndFromTrustedProxiesAlone(t *testing.T) {
	t.Parallel()
	ask := func(s *site, b *browser, forwarded string) int {
		own := map[string]string{"X-Forwarded-For": forwarded}
		return b.do(http.MethodPost, "/login", formKind, form("id", anID()), own).status
	}
	full := func(t *testing.T, s *site, b *browser, forwarded func(i int) string) int {
		t.Helper()
		for i := range 40 {
			if ask(s, b, forwarded(i)) == http.StatusTooManyRequests {
				return i
			}
		}
		return 40
	}
	number := strconv.Itoa
	t.Run("untrusted peer", func(t *testing.T) {
		s := shared(t)
		if n := full(t, s, s.browser(t), func(i int) string { return "198.51.100." + number(i) }); n != 30 {
			t.Errorf("a client that makes up addresses got %d messages, want 30", n)
		}
	})
	s := start(t, "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8,10.0.0.0/8")
	for name, c := range map[string]struct {
		forwarded func(i int) string
		want      int
	}{
		"one client":                {func(int) string { return "203.0.113.1" }, 30},
		"many":                      {func(i int) string { return "203.0.114." + number(i) }, 40},
		"made up on the left":       {func(i int) string { return "198.51.100." + number(i) + ", 203.0.113.2" }, 30},
		"through two proxies":       {func(i int) string { return "198.51.101." + number(i) + ", 203.0.113.3, 10.1.2.3" }, 30},
		"a /64 is one":              {func(i int) string { return "2001:db8:1:1::" + number(i) }, 30},
		"each /64 is another":       {func(i int) string { return "2001:db8:2:" + number(i) + "::1" }, 40},
		"IPv4 in IPv6 is IPv4":      {func(i int) string { return []string{"203.0.113.4", "::ffff:203.0.113.4"}[i%2] }, 30},
		"a made up trusted address": {func(i int) string { return "198.51.102." + number(i) + ", 127.0.0.9, 203.0.113.5" }, 30},
	} {
		t.Run(name, func(t *testing.T) {
			if n := full(t, s, s.browser(t), c.forwarded); n != c.want {
				t.Errorf("%d messages before 429, want %d", n, c.want)
			}
		})
	}
}

func TestTheServerSpeaksTheBrowsersLanguageAndThenThePersons(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, _ := s.person(t)
	b.headers["Accept-Language"] = "de-CH, de;q=0.9, en;q=0.5"
	if page := b.get("/login"); !strings.Contains(page.body, `lang="de"`) {
		t.Error("the box does not speak German to a German browser")
	}
	b.post("/account/settings", "language", "en").want(t, http.StatusSeeOther, "/account?done=saved")
	if page := b.get("/account"); !strings.Contains(page.body, `lang="en"`) {
		t.Error("the account does not speak the language that the person chose")
	}
	fresh := s.browser(t)
	fresh.headers["Accept-Language"] = "de"
	if l := fresh.ask(anID()); !strings.Contains(l.subject, "Code") || strings.Contains(l.text, "Your code") {
		t.Errorf("the message: %s", l.subject)
	}
}
