package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// crossSite are the ways in which browsers, new and old, mark a form of another
// site.
var crossSite = []map[string]string{
	{"Sec-Fetch-Site": "cross-site"},
	{"Sec-Fetch-Site": "same-site"},
	{"Sec-Fetch-Site": "cross-site", "Origin": ""},
	{"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
	{"Sec-Fetch-Site": "", "Origin": "null"},
}

// Row 15.
func TestRow15_AnotherSitesFormAsksForNoCode(t *testing.T) {
	t.Parallel()
	s := shared(t)
	signedIn, _ := s.person(t)
	for _, b := range []*browser{s.browser(t), signedIn} {
		for _, from := range crossSite {
			id := anID()
			b.do(http.MethodPost, "/login", formKind, form("id", id), from).want(t, http.StatusForbidden, "")
			s.sent(t)
			if letters, _ := s.mail.to(id); len(letters) > 0 {
				t.Errorf("a form of another site (%v) had a message sent", from)
			}
		}
	}
}

// Row 15: every form of ours.
func TestRow15_EveryFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, _ := s.person(t)
	for _, r := range s.house.routes(t) {
		// A provider's page posts its response there; it reads no cookie and changes nothing.
		if r.method != http.MethodPost || r.path == "/login/openid/callback" {
			continue
		}
		for _, from := range crossSite {
			if a := b.do(http.MethodPost, r.example, formKind, "", from); a.status != http.StatusForbidden {
				t.Errorf("POST %s from another site (%v) answers %d", r.example, from, a.status)
			}
		}
	}
	if !b.in() {
		t.Error("a form of another site signed the person out")
	}
}

// Row 16.
func TestRow16_AnAttackersCodeOrLinkSignsNobodyElseIn(t *testing.T) {
	t.Parallel()
	s := shared(t)
	attacker, victim := s.browser(t), s.browser(t)
	l := attacker.ask(anID())
	victim.submit(l.code()).want(t, http.StatusGone, "")
	victim.get(l.link()).want(t, http.StatusSeeOther, "/login/link")
	page := victim.get("/login/link").want(t, http.StatusOK, "")
	if !strings.Contains(page.body, l.code()) || strings.Contains(page.body, `action="/login/link"`) {
		t.Error("in another browser the link shows a button, or no code")
	}
	victim.post("/login/link").want(t, http.StatusForbidden, "")
	victim.do(http.MethodPost, "/login/link", formKind, "", map[string]string{"Sec-Fetch-Site": "cross-site"}).want(t, http.StatusForbidden, "")
	if victim.in() {
		t.Fatal("the attacker's link signed the victim in")
	}
	// The victim waits for a code of their own: the attacker's is wrong there.
	victim.ask(anID())
	victim.submit(l.code()).want(t, http.StatusUnprocessableEntity, "")
	attacker.submit(l.code()).want(t, http.StatusSeeOther, "/account")
}

// Row 17.
func TestRow17_OnlyAPostOfOurOwnSignsOut(t *testing.T) {
	t.Parallel()
	b, _ := shared(t).person(t)
	b.get("/logout").want(t, http.StatusMethodNotAllowed, "")
	for _, from := range crossSite {
		b.do(http.MethodPost, "/logout", formKind, "", from).want(t, http.StatusForbidden, "")
	}
	if !b.in() {
		t.Error("signed out by another site")
	}
}

// Row 19.
func TestRow19_TheSessionIsNewAtEveryProofAndNeverTheClientsOwn(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b := s.browser(t)
	const chosen = "grbdzqelbcxaq.debpfaixjeudbtvzwbucusgmdcgcfrnzukpmglcejakjfoalfiqab"
	b.cookies["djauthy"] = chosen
	id := anID()
	b.signIn(id)
	first := b.cookies["djauthy"]
	if first == chosen || first == "" {
		t.Fatal("the server took over a session that the client had chosen")
	}
	old := b.clone()
	s.person(t)
	b.get("/login").want(t, http.StatusOK, "")
	l := s.browser(t)
	l.ask(id)
	// The second proof in the same browser.
	b.cookies["djauthy_attempt"] = ""
	delete(b.cookies, "djauthy_attempt")
	b.signIn(id)
	if b.cookies["djauthy"] == first {
		t.Error("the session is the same after a new proof")
	}
	if old.in() {
		t.Error("the session before the new proof is still good")
	}
}

// Row 20.
func TestRow20_SigningOutEndsTheSessionOnTheServer(t *testing.T) {
	t.Parallel()
	b, _ := shared(t).person(t)
	old := b.clone()
	b.post("/logout").want(t, http.StatusSeeOther, "/login?done=signed_out")
	if b.cookies["djauthy"] != "" {
		t.Error("the browser keeps its session cookie")
	}
	if old.in() || old.probe().status != http.StatusUnauthorized {
		t.Error("the old cookie is still signed in")
	}
	if b.cookies["djauthy_browser"] == "" {
		t.Error("the browser cookie did not survive signing out")
	}
}

// cookiesOf gathers the Set-Cookie lines of a whole sign-in.
func cookiesOf(b *browser) (lines []string) {
	id := anID()
	keep := func(a answer) { lines = append(lines, a.header.Values("Set-Cookie")...) }
	keep(b.get("/login"))
	keep(b.post("/login", "id", id))
	l := b.s.mail.next(b.t, id)
	keep(b.get(l.link()))
	keep(b.get("/login/link"))
	keep(b.submit(l.code()))
	return lines
}

var token256 = regexp.MustCompile(`^[a-zA-F]{13}\.[a-zA-F]{52}$`)

// Row 21.
func TestRow21_CookiesAreForThisHostAloneAndNoScript(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings []string
		prefix   string
		secure   bool
	}{
		{nil, "", false},
		{[]string{"DJAUTHY_PUBLIC_URL=https://login.example"}, "__Host-", true},
	} {
		s := start(t, c.settings...)
		seen := map[string]bool{}
		for _, line := range cookiesOf(s.browser(t)) {
			r := http.Response{Header: http.Header{"Set-Cookie": {line}}}
			k := r.Cookies()[0]
			seen[k.Name] = true
			if !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Domain != "" || k.Path != "/" || k.Secure != c.secure || !strings.HasPrefix(k.Name, c.prefix) {
				t.Errorf("cookie with other attributes than wanted: %s", strings.Replace(line, k.Value, "…", 1))
			}
			if name := strings.TrimPrefix(k.Name, c.prefix); name != "djauthy_browser" && !token256.MatchString(k.Value) {
				t.Errorf("%s has not 256 random bits: %d characters", name, len(k.Value))
			}
		}
		for _, name := range []string{"djauthy", "djauthy_attempt", "djauthy_link", "djauthy_browser"} {
			if !seen[c.prefix+name] {
				t.Errorf("no cookie %s%s: %v", c.prefix, name, seen)
			}
		}
	}
}

// Row 21: under https the names without the prefix count for nothing, since
// anybody could have set them.
func TestRow21_UnderHTTPSACookieWithoutThePrefixIsNotRead(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_PUBLIC_URL=https://login.example")
	b, _ := s.person(t)
	if !b.in() {
		t.Fatal("not signed in")
	}
	b.cookies["djauthy"] = b.cookies["__Host-djauthy"]
	delete(b.cookies, "__Host-djauthy")
	if b.in() {
		t.Error("a session cookie without __Host- was read")
	}
}

// Row 22.
func TestRow22_DeactivatingOrDeletingAUserEndsTheirSessionsAtOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		for _, verb := range []string{"deactivate", "delete"} {
			b, id := s.person(t)
			b.get("/forward-auth").want(t, http.StatusOK, "")
			waiting := s.browser(t)
			l := waiting.ask(id)
			s.must(t, "users", verb, id)
			b.probe().want(t, http.StatusUnauthorized, "")
			if b.in() {
				t.Errorf("signed in after users %s", verb)
			}
			if a := waiting.submit(l.code()); a.status != http.StatusUnprocessableEntity && a.status != http.StatusGone {
				t.Errorf("a code from before users %s answers %d", verb, a.status)
			}
			if waiting.in() {
				t.Errorf("a code from before users %s opened a session", verb)
			}
		}
	})
}

// Row 22: a reactivated user needs a new sign-in.
func TestActivatingAUserRevivesNoSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	s.must(t, "users", "deactivate", id)
	s.must(t, "users", "activate", id)
	if b.in() {
		t.Error("an ended session came back")
	}
	s.clock.advance(time.Minute)
	b.signIn(id)
}

// Row 23, as far as it exists: deleting is all that needs a fresh proof yet.
func TestRow23_DeletingTheAccountNeedsAFreshCode(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	s.clock.advance(6 * time.Minute)
	b.post("/account/delete").want(t, http.StatusForbidden, "")
	if !b.in() {
		t.Fatal("deleted without a fresh code")
	}
	l := b.ask(id)
	b.submit(l.code()).want(t, http.StatusSeeOther, "/account")
	b.post("/account/delete").want(t, http.StatusOK, "")
	if b.in() {
		t.Error("signed in after deleting the account")
	}
	if _, _, code := s.command("users", "show", id); code != exitFailed {
		t.Error("the user is still there")
	}
}

// Row 24.
func TestRow24_NoPageWithAPersonInItIsKept(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, id := s.person(t)
	other := s.browser(t)
	l := other.ask(anID())
	pages := map[string]answer{
		"/login": b.get("/login"), "/account": b.get("/account"), "/account/export": b.get("/account/export"), "/account/history": b.get("/account/history"),
		"/account/delete": b.get("/account/delete"), "/login/code": other.get("/login/code"), "/forward-auth": b.get("/forward-auth"),
		"wrong code": other.submit(wrong(l.code())), "link": other.get(l.link()), "link page": other.get("/login/link"), "not me": other.get(l.notMe()),
		"right code": other.submit(l.code()), "no page": b.get("/nowhere"), "429": other.post("/login/resend"), "422": b.post("/login", "id", "nobody"),
	}
	for name, a := range pages {
		if !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
			t.Errorf("%s may be kept: Cache-Control %q", name, a.header.Get("Cache-Control"))
		}
	}
	if !strings.Contains(pages["/account"].body, id) {
		t.Error("/account does not show the id that was used")
	}
	b.post("/logout")
	b.get("/account").want(t, http.StatusSeeOther, "/login?"+url.Values{"next": {"/account"}}.Encode())
}

func TestASessionEndsByIdleTimeAndAtItsAbsoluteEnd(t *testing.T) {
	t.Parallel()
	s := startPrepared(t, func(h *app) { h.sessions.WriteEvery = 10 * time.Millisecond }, "DJAUTHY_SESSION_IDLE=1h", "DJAUTHY_SESSION_ABSOLUTE=3h")
	b, _ := s.person(t)
	idle, _ := s.person(t)
	for range 5 {
		s.clock.advance(30 * time.Minute)
		if !b.in() {
			t.Fatal("a session in use ended before its absolute end")
		}
		s.await(t, "the use is written down", func() bool {
			return s.count(t, `SELECT max(last_seen_at) FROM sessions`) > s.clock.Now().Add(-time.Minute).UnixMilli()
		})
	}
	if idle.in() {
		t.Error("an idle session did not end")
	}
	s.clock.advance(31 * time.Minute)
	if b.in() {
		t.Error("a session outlived its absolute end")
	}
}
