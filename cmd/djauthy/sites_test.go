package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// visitor is a browser at a site behind a proxy that asks.
type visitor struct {
	*browser
	origin string
}

// asks is what the proxy asks about one request of the visitor.
func (v visitor) asks(method, uri string, own map[string]string) answer {
	proto, host, _ := strings.Cut(v.origin, "://")
	h := map[string]string{"X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "X-Forwarded-Uri": uri, "X-Forwarded-Method": method, "Sec-Fetch-Mode": "navigate"}
	for name, value := range own {
		h[name] = value
	}
	return v.do(http.MethodGet, "/forward-auth", "", "", h)
}

// startSites starts a server with two sites. The tests' own address is that of the proxy.
func startSites(t *testing.T, more ...string) *site {
	t.Helper()
	return start(t, append([]string{
		"DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8", "DJAUTHY_SITE_0_URL=http://grafana.test", "DJAUTHY_SITE_1_URL=http://wiki.test:8081", "DJAUTHY_SITE_1_GROUPS=staff",
		"DJAUTHY_SITE_0_RULES_0_PATH=/admin/*", "DJAUTHY_SITE_0_RULES_0_LEVEL=strong", "DJAUTHY_SITE_0_RULES_1_PATH=/metrics", "DJAUTHY_SITE_0_RULES_1_PUBLIC=true",
		"DJAUTHY_SITE_0_RULES_2_PATH=/ops/*", "DJAUTHY_SITE_0_RULES_2_GROUPS=ops", "DJAUTHY_SITE_0_RULES_3_PATH=/nix", "DJAUTHY_SITE_0_RULES_3_LEVEL=nix",
	}, more...)...)
}

// local is the path and query of an address of this server.
func (s *site) local(t testing.TB, address string) string {
	t.Helper()
	path, found := strings.CutPrefix(address, s.public.Scheme+"://"+s.public.Host)
	if !found {
		t.Fatalf("%q is not at %s", address, s.public)
	}
	return path
}

// enters takes the session of b over at a site, from the proxy's first answer on.
func (v visitor) enters(t testing.TB, s *site, b *browser, uri string) answer {
	t.Helper()
	a := v.asks(http.MethodGet, uri, nil).want(t, http.StatusFound, "")
	a = b.get(s.local(t, a.header.Get("Location"))).want(t, http.StatusSeeOther, "")
	a = b.get(a.header.Get("Location")).want(t, http.StatusSeeOther, "")
	code, found := strings.CutPrefix(a.header.Get("Location"), v.origin)
	if !found || !strings.HasPrefix(code, "/.djauthy/enter?code=") {
		t.Fatalf("the hand-off leads to %s", a.header.Get("Location"))
	}
	return v.asks(http.MethodGet, code, nil)
}

func TestASessionIsHandedOverToASite(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, id := s.person(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	const uri = "/d/x%2Fy?a=1&b=2+3%2B4&c=%25&d=ü"
	sent := strings.ReplaceAll(uri, "ü", "%C3%BC")
	at.enters(t, s, b, sent).want(t, http.StatusFound, "http://grafana.test"+sent)
	a := at.asks(http.MethodGet, "/d", nil).want(t, http.StatusOK, "")
	if a.header.Get("Remote-Email") != id || a.header.Get("Remote-Groups") != "users" {
		t.Errorf("%v", a.header)
	}
	var claims map[string]any
	part := strings.Split(a.header.Get("X-Djauthy-Jwt-Assertion"), ".")
	raw, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if claims["aud"] != "http://grafana.test" || claims["email"] != id || claims["iss"] != s.public.String() || claims["exp"].(float64)-claims["iat"].(float64) != 60 {
		t.Errorf("%v", claims)
	}
	// the other site knows nothing of it
	wiki := visitor{at.browser, "http://wiki.test:8081"}
	wiki.asks(http.MethodGet, "/", map[string]string{"Sec-Fetch-Mode": "cors"}).want(t, http.StatusUnauthorized, "")
	// signing out ends it everywhere
	b.post("/logout").want(t, http.StatusSeeOther, "")
	at.asks(http.MethodGet, "/d", map[string]string{"Sec-Fetch-Mode": "cors"}).want(t, http.StatusUnauthorized, "")
}

// A signed header is given again for half a minute, but not if it says what is true no more.
func TestASignedHeaderKnowsAGroupThatWasJoinedAMomentAgo(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, id := s.person(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	at.enters(t, s, b, "/d").want(t, http.StatusFound, "")
	signed := func() string {
		return at.asks(http.MethodGet, "/d", nil).want(t, http.StatusOK, "").header.Get("X-Djauthy-Jwt-Assertion")
	}
	first := signed()
	if signed() != first {
		t.Error("each request is signed anew")
	}
	s.must(t, "groups", "add", "ops")
	s.must(t, "groups", "join", "ops", id)
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(signed(), ".")[1])
	if err != nil || !strings.Contains(string(claims), `"groups":["users","ops"]`) {
		t.Errorf("%v: %s", err, claims)
	}
}

func TestRow78_AHandoffIsGoodOnceInOneBrowserForOneSite(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, _ := s.person(t)
	origin := "http://grafana.test"
	handoff := func(at visitor) string {
		t.Helper()
		a := at.asks(http.MethodGet, "/", nil)
		a = b.get(s.local(t, a.header.Get("Location")))
		a = b.get(a.header.Get("Location"))
		return strings.TrimPrefix(a.header.Get("Location"), origin)
	}
	at := visitor{s.browser(t), origin}
	code := handoff(at)
	other := visitor{s.browser(t), origin}
	other.asks(http.MethodGet, "/", nil) // has a cookie of its own
	other.asks(http.MethodGet, code, nil).want(t, http.StatusForbidden, "")
	at.asks(http.MethodGet, code, nil).want(t, http.StatusForbidden, "") // used up
	code = handoff(at)
	(visitor{at.browser, "http://wiki.test:8081"}).asks(http.MethodGet, code, nil).want(t, http.StatusForbidden, "")
	code = handoff(at)
	at.asks(http.MethodGet, code, nil).want(t, http.StatusFound, origin+"/")
	at.asks(http.MethodGet, code, nil).want(t, http.StatusForbidden, "")
	late := visitor{s.browser(t), origin}
	code = handoff(late)
	s.clock.advance(61 * time.Second)
	late.asks(http.MethodGet, code, nil).want(t, http.StatusForbidden, "")
	gone := visitor{s.browser(t), origin}
	code = handoff(gone)
	b.post("/logout").want(t, http.StatusSeeOther, "")
	gone.asks(http.MethodGet, code, nil).want(t, http.StatusForbidden, "")
	gone.asks(http.MethodGet, "/.djauthy/enter?code=x", nil).want(t, http.StatusForbidden, "")
	at.asks(http.MethodGet, "/", nil).want(t, http.StatusFound, "")
}

func TestRulesOfASiteDecideByPath(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	s.must(t, "groups", "add", "ops")
	s.must(t, "groups", "add", "staff")
	b, id := s.person(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	script := map[string]string{"Sec-Fetch-Mode": "cors"}
	a := at.asks(http.MethodGet, "/metrics", script).want(t, http.StatusOK, "") // public, before anybody signs in
	for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-Djauthy-Jwt-Assertion"} {
		if a.header.Get(name) == "" {
			t.Errorf("%s is empty: a visitor's own would reach the app", name)
		}
	}
	at.asks(http.MethodGet, "/metrics/../admin", script).want(t, http.StatusUnauthorized, "")
	at.asks(http.MethodGet, "/metrics%2f..%2fadmin", script).want(t, http.StatusUnauthorized, "")
	at.enters(t, s, b, "/").want(t, http.StatusFound, "http://grafana.test/")
	at.asks(http.MethodGet, "/", script).want(t, http.StatusOK, "")
	at.asks(http.MethodGet, "/ops/x", nil).want(t, http.StatusForbidden, "")
	s.must(t, "groups", "join", "ops", id)
	at.asks(http.MethodGet, "/ops/x", nil).want(t, http.StatusOK, "")
	if got := at.asks(http.MethodGet, "/", nil).header.Get("Remote-Groups"); got != "users,ops" {
		t.Errorf("groups %q", got)
	}
	at.asks(http.MethodGet, "/nix", nil).want(t, http.StatusForbidden, "") // a level that does not exist
	for _, path := range []string{"/admin", "/admin/", "/ADMIN/x", "/x/../admin", "//admin", "/%61dmin", "/admin;x=1/y", "/admin%2fx"} {
		at.asks(http.MethodGet, path, script).want(t, http.StatusUnauthorized, "")
	}
	// a person proves more, and comes back
	a = at.asks(http.MethodGet, "/admin/x?y=z", nil).want(t, http.StatusFound, "")
	step := s.local(t, a.header.Get("Location"))
	if !strings.HasPrefix(step, "/step-up?level=strong&next=") {
		t.Fatalf("leads to %s", step)
	}
	app := b.setsUpApp(t, s)
	s.mail.next(t, id)
	_ = app
	a = b.get(step).want(t, http.StatusSeeOther, "")
	a = b.get(a.header.Get("Location")).want(t, http.StatusSeeOther, "")
	at.asks(http.MethodGet, strings.TrimPrefix(a.header.Get("Location"), "http://grafana.test"), nil).want(t, http.StatusFound, "http://grafana.test/admin/x?y=z")
	at.asks(http.MethodGet, "/admin/x?y=z", nil).want(t, http.StatusOK, "")
}

func TestAProxyThatSaysSomethingWrongGetsNoRedirect(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	at := visitor{s.browser(t), "http://nowhere.test"}
	if a := at.asks(http.MethodGet, "/", nil); a.status < 400 || a.status > 499 || a.header.Get("Location") != "" {
		t.Errorf("an unknown host answers %d to %q", a.status, a.header.Get("Location"))
	}
	at.origin = "http://grafana.test"
	for _, uri := range []string{"", "x", "/%", "/a%zz", "/a b"} {
		if a := at.asks(http.MethodGet, uri, nil); a.status != http.StatusBadRequest {
			t.Errorf("%q answers %d to %q", uri, a.status, a.header.Get("Location"))
		}
	}
}

func TestALongAddressComesBackByteByByte(t *testing.T) {
	t.Parallel()
	s := startSites(t, "DJAUTHY_MAX_HEADER_KIB=64")
	b, id := s.person(t)
	for _, uri := range []string{"/" + strings.Repeat("a", 8<<10-len("http://grafana.test")-1), "/" + strings.Repeat("%25", 2700), "/a?x=%26%3D%23&y=%2B+%20", "/%E2%9C%93?next=//evil.example"} {
		at := visitor{s.browser(t), "http://grafana.test"}
		at.enters(t, s, b, uri).want(t, http.StatusFound, "http://grafana.test"+uri)
		// through a sign-in as well
		fresh := s.browser(t)
		at = visitor{s.browser(t), "http://grafana.test"}
		a := at.asks(http.MethodGet, uri, nil)
		page := fresh.get(s.local(t, a.header.Get("Location"))).want(t, http.StatusOK, "")
		fresh.post("/login", append(page.fields(t, "/login"), "id", id)...).want(t, http.StatusSeeOther, "/login/code")
		a = fresh.submit(s.mail.next(t, id).code()).want(t, http.StatusSeeOther, "")
		a = fresh.get(a.header.Get("Location")).want(t, http.StatusSeeOther, "")
		u, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		at.asks(http.MethodGet, u.RequestURI(), nil).want(t, http.StatusFound, "http://grafana.test"+uri)
		s.clock.advance(time.Hour)
		b.signIn(id)
	}
}

func TestLeavingASiteEndsTheSessionThereAlone(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, _ := s.person(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	at.enters(t, s, b, "/").want(t, http.StatusFound, "")
	old := at.clone()
	at.asks(http.MethodGet, "/.djauthy/leave", nil)
	at.asks(http.MethodGet, "/", nil).want(t, http.StatusOK, "") // looking ends nothing
	at.asks(http.MethodPost, "/.djauthy/leave", map[string]string{"Sec-Fetch-Site": "cross-site"}).want(t, http.StatusForbidden, "")
	at.asks(http.MethodPost, "/.djauthy/leave", map[string]string{"Sec-Fetch-Site": "same-origin"}).want(t, http.StatusSeeOther, s.public.String()+"/account")
	(visitor{old, at.origin}).asks(http.MethodGet, "/", nil).want(t, http.StatusFound, "") // a stolen cookie, too
	if !b.in() {
		t.Error("signed out everywhere")
	}
}

func TestWhatASiteKnowsASessionByIsSecretAndEndsWithIt(t *testing.T) {
	t.Parallel()
	s := startSites(t, "DJAUTHY_SESSION_ABSOLUTE=1h", "DJAUTHY_SESSION_IDLE=1h")
	b, id := s.person(t)
	const origin = "http://grafana.test"
	script := map[string]string{"Sec-Fetch-Mode": "cors"}
	at := visitor{s.browser(t), origin}
	code := func() string {
		t.Helper()
		a := b.get(s.local(t, at.asks(http.MethodGet, "/", nil).header.Get("Location")))
		return strings.TrimPrefix(b.get(a.header.Get("Location")).header.Get("Location"), origin)
	}
	guess := func(token string) string { // its number is no secret
		at := strings.LastIndexByte(token, '.') + 1
		return token[:at] + map[bool]string{true: "B", false: "A"}[token[at] == 'A'] + token[at+1:]
	}
	at.asks(http.MethodGet, guess(code()), nil).want(t, http.StatusForbidden, "")
	at.asks(http.MethodGet, code(), nil).want(t, http.StatusFound, origin+"/")
	cookie := at.cookies["djauthy_site"]
	at.asks(http.MethodGet, "/", script).want(t, http.StatusOK, "")
	at.cookies["djauthy_site"] = guess(cookie)
	at.asks(http.MethodGet, "/", script).want(t, http.StatusUnauthorized, "")
	at.asks(http.MethodGet, code(), nil).want(t, http.StatusFound, origin+"/") // the older cookie is worth nothing
	older := visitor{s.browser(t), origin}
	older.cookies["djauthy_site"] = cookie
	older.asks(http.MethodGet, "/", script).want(t, http.StatusUnauthorized, "")

	s.clock.advance(59*time.Minute + 30*time.Second)
	delete(at.cookies, "djauthy_site")
	late := code()
	s.clock.advance(45 * time.Second)
	at.asks(http.MethodGet, late, nil).want(t, http.StatusForbidden, "") // its session has ended meanwhile
	b.signIn(id)
	at.asks(http.MethodGet, code(), nil).want(t, http.StatusFound, origin+"/")
	s.must(t, "users", "deactivate", id)
	at.asks(http.MethodGet, "/", script).want(t, http.StatusUnauthorized, "")
}
