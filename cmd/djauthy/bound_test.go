package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/boundkey/boundkeytest"
)

const boundSite = "https://login.example"

// proves sends a proof of the key to the server.
func (b *browser) provesKey(path, session, proof string) answer {
	own := map[string]string{boundkey.HeaderProof: proof}
	if session != "" {
		own[boundkey.HeaderSession] = session
	}
	return b.do(http.MethodPost, path, "", "", own)
}

// signsInBound signs somebody in, in a browser that binds the session to a key.
func (b *browser) signsInBound(t *testing.T, id string) (*boundkeytest.Browser, answer) {
	t.Helper()
	code := b.ask(id).code()
	a := b.submit(code).want(t, http.StatusSeeOther, "/account")
	device := boundkeytest.New(t)
	path, proof := device.Register(boundSite, a.header.Get(boundkey.HeaderRegistration))
	bound := b.provesKey(path, "", proof).want(t, http.StatusOK, "")
	device.Accept([]byte(bound.body))
	return device, a
}

func TestRow77_ABoundSessionsCookieIsWorthNothingWithoutItsDevice(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.browser(t), anID()
		code := b.ask(id).code()
		a := b.submit(code).want(t, http.StatusSeeOther, "/account")
		stolen := b.clone() // before the browser has bound it
		device := boundkeytest.New(t)
		path, proof := device.Register(boundSite, a.header.Get(boundkey.HeaderRegistration))
		if !stolen.in() {
			t.Fatal("not signed in before it is bound")
		}
		bound := b.provesKey(path, "", proof).want(t, http.StatusOK, "")
		device.Accept([]byte(bound.body))
		if cookie := bound.header.Get("Set-Cookie"); device.Cookie != "__Host-djauthy_bound" || !strings.HasPrefix(cookie, device.Cookie+"=") || !strings.Contains(cookie, "HttpOnly") {
			t.Errorf("%s: %s", device.Cookie, cookie)
		}
		if !b.in() || !stolen.in() { // like a request of the browser's that was under way
			t.Fatalf("at first, in: the device %v, without its cookie %v", b.in(), stolen.in())
		}
		s.clock.advance(31 * time.Second)
		if !b.in() || stolen.in() {
			t.Fatalf("in: the device %v, the thief %v", b.in(), stolen.in())
		}
		for _, path := range []string{"/account/settings", "/account/add", "/account/factors/app", "/account/sessions/end-others", "/step-up"} {
			stolen.post(path).want(t, http.StatusSeeOther, "/login?next=%2Faccount")
		}
		stolen.probe().want(t, http.StatusUnauthorized, "")
		stolen.post("/logout") // ends nothing
		if !b.in() {
			t.Error("a thief has signed the owner out")
		}
		b.probe().want(t, http.StatusOK, "")
		if page := seen(b.get("/account").body); !strings.Contains(page, "bound to this device") {
			t.Errorf("the account does not say so:\n%s", page)
		}
		// another key is refused, and the first registration is not repeated
		other := boundkeytest.New(t)
		path, proof = other.Register(boundSite, a.header.Get(boundkey.HeaderRegistration))
		stolen.provesKey(path, "", proof).want(t, http.StatusUnauthorized, "")

		// the short-lived cookie ends, also as copied
		copied := b.clone()
		s.clock.advance(12 * time.Minute)
		if b.in() || copied.in() {
			t.Error("the short-lived cookie lives on")
		}
		c := b.provesKey(device.Refresh, device.Session, "").want(t, http.StatusForbidden, "")
		answered := device.Proof(boundSite, c.header.Get(boundkey.HeaderChallenge))
		wrong := other.Sign(nil, map[string]any{"jti": "x"})
		copied.provesKey(device.Refresh, device.Session, wrong).want(t, http.StatusForbidden, "")
		b.provesKey(device.Refresh, device.Session, answered).want(t, http.StatusOK, "")
		if !b.in() || copied.in() {
			t.Errorf("in: the device %v, the copy %v", b.in(), copied.in())
		}
		copied.provesKey(device.Refresh, device.Session, answered).want(t, http.StatusForbidden, "") // each proof once
		b.post("/logout").want(t, http.StatusSeeOther, "")
		b.provesKey(device.Refresh, device.Session, "").want(t, http.StatusUnauthorized, "")
		b.provesKey(device.Refresh, "1", "").want(t, http.StatusUnauthorized, "")
		b.provesKey(device.Refresh, "", "").want(t, http.StatusUnauthorized, "")
	}, "DJAUTHY_PUBLIC_URL="+boundSite)
}

func TestALevelCanNeedABoundSession(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_PUBLIC_URL="+boundSite)
	s.must(t, "levels", "set", "bound", "--need", "email+bound")
	b, id := s.browser(t), anID()
	b.signsInBound(t, id)
	b.get("/step-up?level=bound").want(t, http.StatusSeeOther, "/account")
	sessions := object(t, s.must(t, "users", "show", id, "--json"))["sessions"].([]any)
	number := digitsOf(sessions[0].(map[string]any)["number"])
	if x := object(t, s.must(t, "levels", "explain", id, "--level", "bound", "--session", number)); x["allowed"] != true {
		t.Errorf("explain says of the bound session: %v", x)
	}
	other := s.browser(t) // which binds nothing
	other.signIn(id)
	if page := seen(other.get("/step-up?level=bound").body); !strings.Contains(page, "bound to this device") {
		t.Errorf("the page says\n%s", page)
	}
}

// The cookie of a site is not bound, so it must not open what needs a bound session.
func TestACookieOfASiteIsNotBound(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_PUBLIC_URL="+boundSite, "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8", "DJAUTHY_SITE_0_URL=https://grafana.test",
		"DJAUTHY_EMAIL_FROM=login@login.example", "DJAUTHY_SITE_0_RULES_0_PATH=/admin/*", "DJAUTHY_SITE_0_RULES_0_LEVEL=device")
	s.must(t, "levels", "set", "device", "--need", "email+bound")
	b, id := s.browser(t), anID()
	b.signsInBound(t, id)
	at := visitor{s.browser(t), "https://grafana.test"}
	at.enters(t, s, b, "/d").want(t, http.StatusFound, "https://grafana.test/d")
	at.asks(http.MethodGet, "/d", nil).want(t, http.StatusOK, "")
	at.asks(http.MethodGet, "/admin/users", map[string]string{"Sec-Fetch-Mode": "cors"}).want(t, http.StatusUnauthorized, "")
	// nor does the step-up lead back there, only to be asked again
	a := b.get(s.local(t, at.asks(http.MethodGet, "/admin/users", nil).want(t, http.StatusFound, "").header.Get("Location"))).want(t, http.StatusOK, "")
	if page := seen(a.body); !strings.Contains(page, "bound to this device") {
		t.Errorf("the page says\n%s", page)
	}
	if found := s.must(t, "check"); !strings.Contains(found, `warning: the [[site]] https://grafana.test, its rule for /admin/*, is guarded by the level "device", and nobody gets in there: cookies of sites`) {
		t.Errorf("check says\n%s", found)
	}

	number := digitsOf(object(t, s.must(t, "users", "show", id, "--json"))["sessions"].([]any)[0].(map[string]any)["number"])
	for site, allowed := range map[string]bool{"https://grafana.test/admin/x": false, "https://grafana.test/d": true} {
		if got := object(t, s.must(t, "levels", "explain", id, "--site", site, "--session", number)); got["allowed"] != allowed {
			t.Errorf("%s: %v", site, got)
		}
	}
	if got := object(t, s.must(t, "levels", "explain", id, "--level", "device", "--session", number)); got["allowed"] != true {
		t.Errorf("%v", got)
	}
}

func TestWithoutHttpsNothingIsBound(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{{}, {"DJAUTHY_PUBLIC_URL=" + boundSite, "DJAUTHY_SESSION_BIND_DEVICE=false"}} {
		s := start(t, settings...)
		b := s.browser(t)
		code := b.ask(anID()).code()
		if offer := b.submit(code).header.Get(boundkey.HeaderRegistration); offer != "" {
			t.Errorf("offers %s", offer)
		}
		b.provesKey("/session/bind", "", "x").want(t, http.StatusUnauthorized, "")
		if _, errs, code := s.command("levels", "set", "l", "--need", "email+bound"); code != exitFailed || !strings.Contains(errs, "not set up for bound") {
			t.Errorf("exit %d: %s", code, errs)
		}
	}
}
