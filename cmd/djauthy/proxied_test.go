package main

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// An app below a path of public_url's own host.
func TestTheWayBackToAPathOfThisHostIsTheAddressItself(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	at := visitor{s.browser(t), s.public.String()}
	_, id := s.person(t)
	for _, uri := range []string{"/app/?a=1&b=2", "/app/a%20b%2Fc%3Fd?q=%25%20+%26", "/app/?next=/x&bind=y", "/app/?" + strings.Repeat("a=%C3%BC&", 909)} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			at.asks(method, uri, nil).want(t, http.StatusFound, s.public.String()+"/login?next="+uri)
		}
		b := s.browser(t)
		page := b.get("/login?next="+uri).want(t, http.StatusOK, "")
		b.post("/login", append(page.fields(t, "/login"), "id", id)...).want(t, http.StatusSeeOther, "/login/code")
		b.submit(s.mail.next(t, id).code()).want(t, http.StatusSeeOther, uri)
	}
}

// Through a proxy a visitor sees what /forward-auth answers under the host of the app, where
// neither the style sheet nor any page of this server is.
func TestAPageUnderTheHostOfAnAppStandsByItself(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	s.must(t, "groups", "add", "staff")
	b, _ := s.person(t)
	at := visitor{s.browser(t), "http://wiki.test:8081"}
	at.enters(t, s, b, "/").want(t, http.StatusFound, "")
	for says, a := range map[string]answer{
		"This page is not open to you": at.asks(http.MethodGet, "/", nil).want(t, http.StatusForbidden, ""),
		"We could not read that":       visitor{at.browser, "http://grafana.test"}.asks(http.MethodGet, "/%00", nil).want(t, http.StatusBadRequest, ""),
		"This address is not set up":   visitor{at.browser, "http://nowhere.test"}.asks(http.MethodGet, "/", nil).want(t, http.StatusMisdirectedRequest, ""),
		"There is no page here":        at.asks(http.MethodGet, "/.djauthy/x", nil).want(t, http.StatusNotFound, ""),
		"Sign out of wiki.test:8081":   at.asks(http.MethodGet, "/.djauthy/leave", nil).want(t, http.StatusForbidden, ""),
	} {
		if !strings.Contains(a.body, says) {
			t.Errorf("does not say %q:\n%s", says, a.body)
		}
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(a.body)
		if style == nil {
			t.Fatalf("%s: no style in\n%s", says, a.body)
		}
		sum := sha256.Sum256([]byte(style[1]))
		if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") || !strings.HasSuffix(csp, "form-action 'self' "+s.public.String()) {
			t.Errorf("%s: the policy is %s", says, csp)
		}
		for _, address := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
			if address[1] != "/.djauthy/leave" && !strings.HasPrefix(address[1], s.public.String()+"/") {
				t.Errorf("%s: leads to %s", says, address[1])
			}
		}
	}
	if a := at.asks(http.MethodGet, "/", map[string]string{"Sec-Fetch-Mode": "cors"}).want(t, http.StatusForbidden, ""); a.body != "Forbidden\n" {
		t.Errorf("a script is answered %q", a.body)
	}
}

// Whether the host of an app, and all below it, is reached by https alone is not for djauthy
// to say.
func TestTheHostOfAnAppIsNotHeldToHTTPS(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8", "DJAUTHY_PUBLIC_URL=https://login.test", "DJAUTHY_HSTS_SUBDOMAINS=true", "DJAUTHY_SITE_0_URL=https://app.test", "DJAUTHY_SITE_0_GROUPS=nix")
	for origin, want := range map[string]bool{"https://app.test": false, "https://nowhere.test": false, "https://login.test": true} {
		at := visitor{s.browser(t), origin}
		for _, uri := range []string{"/", "/.djauthy/leave", "/.djauthy/x", "/.djauthy/enter?code=x", "/%00x%"} {
			for _, mode := range []string{"navigate", "cors"} {
				a := at.asks(http.MethodGet, uri, map[string]string{"Sec-Fetch-Mode": mode})
				if got := a.header.Get("Strict-Transport-Security"); (got != "") != want {
					t.Errorf("%s%s: answered %d with %q", origin, uri, a.status, got)
				}
			}
		}
	}
}

// A proxy asks with the visitor's headers and without the body that they describe.
func TestAProxyMayAskAboutACompressedBody(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, _ := s.person(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	at.enters(t, s, b, "/").want(t, http.StatusFound, "")
	at.asks(http.MethodPost, "/api/push", map[string]string{"Content-Encoding": "gzip", "Content-Type": "application/json"}).want(t, http.StatusOK, "")
	b.do(http.MethodPost, "/login", formKind, "id=x", map[string]string{"Content-Encoding": "gzip"}).want(t, http.StatusUnsupportedMediaType, "")
}

func TestAProxyIsGivenTheAppsOwnCookies(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	own := visitor{s.browser(t), s.public.String()}
	at := visitor{s.browser(t), "http://grafana.test"}
	for sent, want := range map[string]string{
		"": "", "a=1": "a=1", "a=1; b=2": "a=1; b=2", "a=1;b=2 ; c": "a=1;b=2 ; c", `a="1;2"; =x; b==`: `a="1;2"; =x; b==`, "mydjauthy=1; djauth=2; x=djauthy=3": "mydjauthy=1; djauth=2; x=djauthy=3",
		"djauthy_site=x": "", "__Host-djauthy_site=x; a=1": "a=1", "a=1;djauthy=x;  __Host-djauthy_enter = y;b=2": "a=1;b=2", "DJAUTHY=x; __HOST-djauthy=y; djauthy; djauthy_new=z": "",
		strings.Repeat("djauthy_site=x; ", 100) + "a=1": "a=1",
	} {
		if got := at.do(http.MethodGet, "/forward-auth?cookies=app", "", "", map[string]string{
			"X-Forwarded-Proto": "http", "X-Forwarded-Host": "grafana.test", "X-Forwarded-Uri": "/metrics", "Cookie": sent,
		}).want(t, http.StatusOK, "").header; got.Get("Cookie") != want || (want == "") != (got["Cookie"] == nil) {
			t.Errorf("%q becomes %q, want %q", sent, got["Cookie"], want)
		}
	}
	// Only who says so, and at an app's own host: a page there cannot ask for what it may not read.
	if got := at.asks(http.MethodGet, "/metrics", map[string]string{"Cookie": "a=1"}).header["Cookie"]; got != nil {
		t.Errorf("unasked: %q", got)
	}
	b, _ := s.person(t)
	own.browser = b
	b.cookies["a"] = "1"
	if got := own.do(http.MethodGet, "/forward-auth?cookies=app", "", "", nil).want(t, http.StatusOK, "").header["Cookie"]; got != nil {
		t.Errorf("on the own host: %q", got)
	}
}

// What visitors can cause by the thousand fills no log; what only settings cause is said once.
func TestTheLogSaysOnceWhatAProxyDoesWrong(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	for range 3 {
		at.asks(http.MethodGet, "/%00", nil).want(t, http.StatusBadRequest, "")
		at.asks(http.MethodGet, "", nil).want(t, http.StatusBadRequest, "")
		visitor{at.browser, "http://nowhere.test"}.asks(http.MethodGet, "/", nil).want(t, http.StatusMisdirectedRequest, "")
	}
	lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
	var said []string
	for _, line := range lines {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, "proxy") {
			said = append(said, line)
		}
	}
	if len(said) != 2 || !strings.Contains(said[0], "X-Forwarded-Uri is missing") || !strings.Contains(said[1], "nowhere.test") {
		t.Errorf("the log says\n%s", strings.Join(said, "\n"))
	}
}

func TestTheStartAndCheckTellOfSitesThatLetNobodyIn(t *testing.T) {
	t.Parallel()
	mail := openInbox()
	t.Cleanup(mail.close)
	settings := []string{
		"DJAUTHY_DATABASE=sqlite:" + t.TempDir() + "/d.db", "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8",
		"DJAUTHY_SITE_0_URL=http://good.test", "DJAUTHY_SITE_0_LEVEL=either", "DJAUTHY_SITE_0_GROUPS=OPS",
		"DJAUTHY_SITE_1_URL=http://texts.test", "DJAUTHY_SITE_2_URL=http://rules.test",
		"DJAUTHY_SITE_2_RULES_0_PATH=/a/*", "DJAUTHY_SITE_2_RULES_0_LEVEL=texted", "DJAUTHY_SITE_2_RULES_1_PATH=/b", "DJAUTHY_SITE_2_RULES_1_LEVEL=nix",
		"DJAUTHY_SITE_2_RULES_2_PATH=/c", "DJAUTHY_SITE_2_RULES_2_GROUPS=users,ops",
	}
	before := startWith(t, t.TempDir(), mail, append([]string{"DJAUTHY_HOOK_0_NAME=sms", "DJAUTHY_HOOK_0_URL=http://127.0.0.1:1"}, settings...)...)
	before.must(t, "groups", "add", "ops")
	before.must(t, "levels", "set", "texted", "--need", "sms+totp", "--for-site", "http://texts.test")
	before.must(t, "levels", "set", "either", "--need", "sms", "--need", "email")
	before.stop()
	s := startWith(t, t.TempDir(), mail, settings...) // without the hook, by which texts were sent
	found := s.must(t, "check")
	for _, says := range []string{
		`http://texts.test is guarded by the level "texted"`, `http://rules.test, its rule for /a/*, is guarded by the level "texted"`, `/b, names the level "nix"`, `/c, names the group "users"`,
	} {
		if !strings.Contains(found, says) {
			t.Errorf("check does not say %s:\n%s", says, found)
		}
		if log := strings.ReplaceAll(s.out.String(), `\"`, `"`); strings.Count(log, says) != 1 || strings.Contains(log, "good.test") {
			t.Errorf("the start does not say %s:\n%s", says, log)
		}
	}
	if strings.Count(found, "warning: ") != 4 {
		t.Errorf("check says\n%s", found)
	}
	s = &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + t.TempDir() + "/d.db", "DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8", "DJAUTHY_SITE_0_URL=http://good.test"}}
	s.must(t, "migrate")
	if found := s.must(t, "check"); !strings.Contains(found, "their levels and groups exist") {
		t.Errorf("check says\n%s", found)
	}
}

// A browser that restores its tabs asks for all of them before it has the first answer.
func TestSeveralTabsOfABrowserEnterASite(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, _ := s.person(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	var leads []string
	given := map[string]string{}
	for range 3 { // without a cookie each
		tab := visitor{at.clone(), at.origin}
		leads = append(leads, tab.asks(http.MethodGet, "/", nil).want(t, http.StatusFound, "").header.Get("Location"))
		maps.Copy(given, tab.cookies)
	}
	at.cookies = given
	leads = append(leads, at.asks(http.MethodGet, "/", nil).want(t, http.StatusFound, "").header.Get("Location")) // a fourth, later
	for _, to := range leads {
		a := b.get(s.local(t, to)).want(t, http.StatusSeeOther, "")
		a = b.get(a.header.Get("Location")).want(t, http.StatusSeeOther, "")
		at.asks(http.MethodGet, strings.TrimPrefix(a.header.Get("Location"), at.origin), nil).want(t, http.StatusFound, at.origin+"/")
		at.asks(http.MethodGet, "/", nil).want(t, http.StatusOK, "")
	}
	if len(at.cookies) > 4 {
		t.Errorf("the browser keeps %v", at.cookies)
	}
}
