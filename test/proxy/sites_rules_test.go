package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/sites"
	"github.com/djauthy/djauthy/internal/totp"
	"github.com/djauthy/djauthy/test/program"
)

// disguises are spellings of /admin.
var disguises = strings.Fields(`
	/admin /admin/ /admin/x /ADMIN /aDmin/x //admin ///admin /.//admin /admin// /x//../admin /x/../admin /api/x/../../admin /./admin /admin/. /../admin /../../admin /api/x/../../../admin
	/admin; /admin;x=1 /;x/admin /admin;/x /x/..;/admin /x/..;a=b/admin /api/x;/../../../admin
	/%61dmin /%41dmin /adm%69n/x /%2e/admin /%2e%2e/admin /x/%2e%2e/admin /x/.%2e/admin /%2Fadmin /%2fadmin /x/..%2fadmin /x%2f..%2fadmin /admin%2Fx /x/%2e%2e%2fadmin /x\..\admin /\admin /%5Cadmin /x/..%5cadmin
	/admin%3bx /admin%3Fx /admin%23x /%2561dmin /x/%252e%252e/admin /x/..%252fadmin /admin%20 /admin. /admin::$DATA /%EF%BD%81dmin /x/..%EF%BC%8Fadmin /adm%C4%B1n /adm%E2%80%8Bin
	/admin?x /admin?/../x /x/../admin?y=/api/x /api/x/%2e%2e/%2E%2E/admin /api/x%2f..%2f..%2fadmin
	/api/admin /api//admin/x /api/x/../ADMIN/users /API/Admin/settings
`)

// unreadable are paths that nobody has a use for but to deceive.
var unreadable = strings.Fields(`/admin%00 /x%00/../admin /admin%0d%0a /x/%C0%AE%C0%AE/admin /x/..%C0%AFadmin /% /%zz /x%2`)

// rules are those of Grafana in docs/sites.md.
func (f *proxied) rules() *sites.Site {
	origin := "https://" + f.host("grafana")
	site, _ := sites.New("https://"+f.host("login"), []config.Site{{Origin: origin, Rules: []config.SiteRule{
		{Path: "/admin/*", Level: "strong", Groups: []string{"admins"}}, {Path: "/api/admin/*", Level: "strong", Groups: []string{"admins"}},
	}}}).Find(origin)
	return site
}

// isAdmin reads a target as a simple app does: decoded as often as that changes something,
// resolved, without case.
func isAdmin(target string) bool {
	p, _, _ := strings.Cut(target, "?")
	for range 4 {
		if decoded, err := url.PathUnescape(p); err == nil {
			p = decoded
		}
	}
	p = strings.ToLower(path.Clean("/" + strings.ReplaceAll(p, `\`, "/")))
	return regexp.MustCompile(`^(/api)?/admin\b`).MatchString(p)
}

func TestRow76_WhatAProxyPassesOnIsWhatWasJudged(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p, stranger, rules := f.person(t), f.person(t), f.rules()
		p.enters("grafana", "/")
		f.grafana.taken()
		for _, target := range slices.Concat(disguises, unreadable) {
			for _, lines := range [][]string{nil, script, claims} {
				for _, who := range []*person{p, stranger} {
					a := who.get("grafana", target, lines...)
					r, ok := f.grafana.taken()
					access, err := rules.Access(r.target)
					if ok && (err != nil || len(access.Levels) > 0 || isAdmin(r.target)) || ok && who == stranger || a.status == http.StatusOK && !ok {
						t.Errorf("%s is answered %d; reached %v, the app was asked for %s", target, a.status, ok, r.target)
					}
					if !ok && a.status >= 500 {
						t.Errorf("%s is answered %d", target, a.status)
					}
				}
			}
		}
		for _, target := range []string{"/", "/administrator", "/x/admin", "/d/admin?x=/admin", "/a%2Fb;c//d"} {
			p.get("grafana", target).want(t, http.StatusOK)
			if r, ok := f.grafana.taken(); !ok || r.target != target {
				t.Errorf("%s does not reach the app as it is: %v, %s", target, ok, r.target)
			}
		}
		for _, target := range strings.Fields(`/public/../d /public/%2e%2e/d /public%2f..%2fd /PUBLIC/x /public;/../d /public/..;/d //public/../d /public/..%5cd /x/../public/d /public%2fx /public/%252e%252e/d`) {
			stranger.get("wiki", target, claims...)
			f.wiki.unreached(t, target)
		}
		p.get("grafana", "/x%C0%AF").want(t, http.StatusBadRequest, "We could not read that")
	})
}

// Spelled in some way, djauthy's own paths lead a proxy straight to it; what it says for the
// app alone, try looks at.
func TestWhatDjauthyTellsTheAppIsToldToNobodyElse(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p := f.person(t)
		p.enters("grafana", "/")
		for _, target := range strings.Fields(`/.djauthy /.djauthy/ /.djauthy/x /.djauthy/ask /.djauthy/enter /x/../.djauthy/y /x/../.djauthy/enter /%2edjauthy/y //.djauthy/y /.djauthy/../d /.DJAUTHY/y /x/..%2f.djauthy/leave /.djauthy;/y /.djauthy%2fy`) {
			for _, lines := range [][]string{nil, script} {
				if a := p.get("grafana", target, lines...); a.status >= 500 {
					t.Errorf("%s is answered %d", target, a.status)
				}
			}
		}
	})
}

var secret = regexp.MustCompile(`id="totp-secret"[^>]*>([^<]+)<`)

// setsUpApp sets up an authenticator app and returns its seed.
func (p *person) setsUpApp() []byte {
	p.t.Helper()
	page := p.post("login", "/account/factors/app", url.Values{}).want(p.t, http.StatusOK)
	found := secret.FindStringSubmatch(page.body)
	if found == nil {
		p.t.Fatalf("no seed: %s", program.Seen(page.body))
	}
	seed, err := totp.ParseSeed(strings.ReplaceAll(found[1], " ", ""))
	must(p.t, err)
	fields := page.hidden("/account/factors/app/code")
	fields.Set("totp", totp.Code(seed, totp.Step(time.Now())))
	p.post("login", "/account/factors/app/code", fields).want(p.t, http.StatusSeeOther)
	p.f.mail.Next(p.t, ann) // which tells of it
	return seed
}

func TestAPersonProvesMoreForAPathOfASiteAndComesBack(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		if _, errs, code := f.site.Run(t, "levels", "set", "strong", "--need", "code+totp"); code != 0 {
			t.Fatal(errs)
		}
		p := f.person(t)
		p.enters("grafana", "/")
		seed := p.setsUpApp()
		f.grafana.taken()
		p = f.person(t) // another browser, which has proved a code alone
		p.enters("grafana", "/")
		f.grafana.taken()
		const target = "/admin/users?q=%25%20+%2F&r=a%26b"
		p.get("grafana", target, script...).want(t, http.StatusUnauthorized)
		page := p.follow(p.get("grafana", target))
		if page.name != "login" || !strings.HasPrefix(page.target, "/step-up?level=strong&") {
			t.Fatalf("leads to %s at %s", page.target, page.name)
		}
		f.grafana.unreached(t, target)
		fields := page.hidden("/step-up")
		fields.Set("totp", totp.Code(seed, totp.Step(time.Now())+1)) // that of now is used up
		a := p.follow(p.post("login", "/step-up", fields)).want(t, http.StatusOK)
		if r, ok := f.grafana.taken(); !ok || r.target != target || a.name != "grafana" {
			t.Errorf("comes back to %s at %s; the app is asked for %s", a.target, a.name, r.target)
		}
		p.get("grafana", "/api/admin/stats", script...).want(t, http.StatusOK)
	})
}

func TestSigningOutEndsBothSitesAtOnce(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p := f.person(t)
		p.enters("grafana", "/")
		p.enters("wiki", "/")
		p.get("grafana", "/.djauthy/leave").want(t, http.StatusForbidden, "Sign out of "+f.host("grafana"))
		p.get("grafana", "/d", script...).want(t, http.StatusOK) // looking ends nothing
		p.post("grafana", "/.djauthy/leave", nil, "Sec-Fetch-Site: cross-site").want(t, http.StatusForbidden)
		if a := p.post("grafana", "/.djauthy/leave", nil).want(t, http.StatusSeeOther); a.header.Get("Location") != "https://"+f.host("login")+"/account" {
			t.Errorf("leaving leads to %s", a.header.Get("Location"))
		}
		p.get("grafana", "/d", script...).want(t, http.StatusUnauthorized)
		p.get("wiki", "/d", script...).want(t, http.StatusOK)
		p.enters("grafana", "/d") // by the session at djauthy
		p.post("login", "/logout", nil).want(t, http.StatusSeeOther)
		for _, name := range []string{"grafana", "wiki"} {
			p.get(name, "/d", script...).want(t, http.StatusUnauthorized)
			if a := p.follow(p.get(name, "/d")); a.name != "login" || !strings.HasPrefix(a.target, "/login?") {
				t.Errorf("%s leads to %s at %s", name, a.target, a.name)
			}
		}
	})
}

func TestASiteOfAGroupAnswersOthersWithAPage(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p := f.person(t)
		a := p.signIn(p.follow(p.get("wiki", "/d?x=1")), "ben@people.example").want(t, http.StatusForbidden, "This page is not open to you", `href="https://`+f.host("login")+`/login"`, "<style>")
		if a.name != "wiki" || a.target != "/d?x=1" || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
			t.Errorf("at %s%s with %s", a.name, a.target, a.header.Get("Content-Security-Policy"))
		}
		p.get("wiki", "/", script...).want(t, http.StatusForbidden)
		f.wiki.unreached(t, "somebody else")
		p.get("grafana", "/")
		p.follow(p.get("grafana", "/")).want(t, http.StatusOK)
	})
}

// Ben is let in at Grafana and not in the wiki, a stranger at /public of the wiki alone.
func TestAVisitorDoesNotChooseBySiteWhichRulesCount(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p, stranger := f.person(t), f.person(t)
		p.signIn(p.follow(p.get("grafana", "/")), "ben@people.example").want(t, http.StatusOK)
		f.grafana.taken()
		p.cookies["wiki"] = p.cookies["grafana"] // sent to it by no browser
		grafana, wiki := f.host("grafana"), f.host("wiki")
		for _, target := range []string{"/d", "/public/x", "https://" + grafana + "/public/x", "https://" + wiki + "/public/x", "https://" + grafana + "/d", "https://" + wiki + "/d", "http://" + wiki + "/d"} {
			for _, lines := range [][]string{
				{"Host: " + grafana},
				{"Host: " + wiki},
				{"Host: grafana.test"},
				{"Host: wiki.test"},
				{"Host: WIKI.test."},
				{"Host: " + wiki, "X-Forwarded-Host: " + grafana},
				{"Host: wiki.test:443"},
				{"Host: login.test"},
				{"Host: "},
				{"Host: nowhere.test"},
				{"Host: " + wiki + "@" + grafana},
			} {
				for _, name := range []string{"grafana", "wiki"} { // in the TLS handshake
					what := strings.Join(append(lines, target), " ")
					stranger.get(name, target, lines...)
					f.grafana.unreached(t, what)
					f.wiki.taken()
					p.get(name, target, lines...)
					if r, ok := f.wiki.taken(); ok && r.target != "/public/x" {
						t.Errorf("%s: the wiki was asked for %s", what, r.target)
					}
					f.grafana.taken()
				}
			}
		}
	})
}

func TestAWebSocketIsLetInAsItsVisitorIs(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-Fetch-Mode: websocket", "Origin: https://" + f.host("grafana")}
		p := f.person(t)
		p.get("grafana", "/api/live/ws", upgrade...).want(t, http.StatusUnauthorized)
		f.grafana.unreached(t, "a stranger's WebSocket")
		p.enters("grafana", "/")
		p.get("grafana", "/api/admin/ws", upgrade...).want(t, http.StatusUnauthorized)
		f.grafana.taken()
		p.speaks("/api/live/ws", upgrade)
		f.grafana.taken()
		// By HTTP/2 in the clear a visitor would speak with the app past the proxy.
		p.get("grafana", "/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
		if r, ok := f.grafana.taken(); !ok || slices.Contains(r.header["Upgrade"], "h2c") && r.header.Get("Http2-Settings") != "" {
			t.Errorf("the app is offered HTTP/2: %v", r.header)
		}
	})
}

// speaks opens a WebSocket and requires that the app hears what is said.
func (p *person) speaks(target string, lines []string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	conn, err := p.dial(ctx, "grafana")
	must(p.t, err)
	defer func() { _ = conn.Close() }()
	text := "GET " + target + " HTTP/1.1\r\nHost: " + p.f.host("grafana") + "\r\n" + strings.Join(lines, "\r\n") + "\r\nCookie: __Host-djauthy_site=" + p.cookies["grafana"]["__Host-djauthy_site"] + "\r\n\r\n"
	_, err = io.WriteString(conn, text)
	must(p.t, err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	must(p.t, err)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusSwitchingProtocols {
		p.t.Fatalf("answered %d", res.StatusCode)
	}
	_, err = io.WriteString(conn, "hello\n")
	must(p.t, err)
	if line, err := r.ReadString('\n'); line != "hello\n" {
		p.t.Errorf("hears %q, %v", line, err)
	}
}
