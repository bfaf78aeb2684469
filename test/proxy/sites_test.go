package proxy_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

func (a reply) want(t *testing.T, status int, says ...string) reply {
	t.Helper()
	if a.status != status {
		t.Fatalf("%.200s at %s is answered %d, want %d: %s", a.target, a.name, a.status, status, program.Seen(a.body))
	}
	for _, text := range says {
		if !strings.Contains(a.body, text) {
			t.Errorf("%.200s at %s does not say %q: %s", a.target, a.name, text, program.Seen(a.body))
		}
	}
	return a
}

// unreached requires that nothing came to an app.
func (a *app) unreached(t *testing.T, what string) {
	t.Helper()
	if r, ok := a.taken(); ok {
		t.Errorf("%.200s: the app was asked for %.200s", what, r.target)
	}
}

// addresses are what people ask a site for.
var addresses = []string{
	"/", "/d/42?a=1&b=2", "/a%25b%2Fc%3Fd?q=%25%20+%26%2F%23%3D+x&next=/y", "/%C3%BC?q=%C3%BC%E9&to=https://other.example/", "//x//y/z/?q=//y",
	"/d;p=1/x!$'()*,:@~?q=[]", "/a?" + strings.Repeat("a=%C3%BC&", 880) + "b=123", "/" + strings.Repeat("x", 8100),
}

func TestASiteLeadsToSignInAndBackToTheVeryAddress(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		for _, target := range addresses {
			p := f.person(t)
			p.get("grafana", target, script...).want(t, http.StatusUnauthorized)
			f.grafana.unreached(t, target)
			p.enters("grafana", target)
			if r, ok := f.grafana.taken(); !ok || r.target != target {
				t.Errorf("%.100s: the app is asked for %.100q", target, r.target)
			}
			p.enters("wiki", target) // where nothing is to be proved again
		}
	})
}

func TestAFormOfAStrangerIsAnsweredWithoutTheApp(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p := f.person(t)
		fields := url.Values{"text": {strings.Repeat("one two ", 20_000)}}
		few := url.Values{"text": {"one two"}}
		p.post("grafana", "/api/save?x=1", few, script...).want(t, http.StatusUnauthorized)
		if a := p.post("grafana", "/api/save?x=1", few).want(t, http.StatusFound); !strings.HasPrefix(a.header.Get("Location"), "https://"+f.host("login")+"/login?next=https://"+f.host("grafana")+"/&bind=") {
			t.Errorf("a person's form leads to %s", a.header.Get("Location"))
		}
		for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"} {
			p.do(method, "grafana", "/api/save", "x", script...).want(t, http.StatusUnauthorized)
		}
		f.grafana.unreached(t, "a stranger's form")
		p.enters("grafana", "/")
		for _, method := range []string{"POST", "PUT", "DELETE", "PROPFIND"} {
			p.do(method, "grafana", "/api/save?x=1", fields.Encode(), slices.Concat(script, []string{"Content-Encoding: gzip", "Content-Type: application/x-protobuf"})...).want(t, http.StatusOK)
			if r, _ := f.grafana.taken(); r.body != fields.Encode() || r.target != "/api/save?x=1" {
				t.Errorf("%s: the app has %d bytes of %d", method, len(r.body), len(fields.Encode()))
			}
		}
	})
}

// claims are what a visitor says of themselves, of the request and of the proxy.
var claims = append([]string{
	"X-Original-URL: /public", "x_original_url: /public", "X-Rewrite-URL: /public", "X_Rewrite-Url: /public", "Forwarded: for=203.0.113.5;host=evil.example",
	"X-Forwarded-Uri: /public/", "X-Forwarded-Method: HEAD", "X-Forwarded-Proto: gopher", "Connection: close, Remote-User, Remote-Groups, X-Djauthy-Jwt-Assertion, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Uri",
}, forged...)

// told requires that a site's app was told about the visitor by djauthy alone.
func (f *proxied) told(t *testing.T, name, what string, want map[string]string) {
	t.Helper()
	r, ok := f.app(name).taken()
	if !ok {
		t.Fatalf("%s does not reach %s", what, name)
	}
	got := r.identity()
	for header, value := range want {
		if values := got[header]; len(values) != 1 || values[0] != value {
			t.Errorf("%s at %s: %s is %q, want %q", what, name, header, values, value)
		}
	}
	if len(got) != len(want)+1 {
		t.Errorf("%s at %s: the app is told %v", what, name, got)
	}
	f.verify(t, name, got["x-djauthy-jwt-assertion"], want)
	for header := range r.header {
		if plain := strings.ReplaceAll(strings.ToLower(header), "_", "-"); plain == "x-original-url" || plain == "x-rewrite-url" || plain == "forwarded" {
			t.Errorf("%s: the app has %s", what, header)
		}
	}
	for header, value := range map[string]string{
		"X-Forwarded-For": "127.9.8.7", "X-Forwarded-Host": f.host(name), "X-Forwarded-Proto": "https", "Host": f.host(name), "X-Forwarded-Uri": r.target, "X-Forwarded-Method": http.MethodGet,
	} {
		values := r.header.Values(header)
		if missing := values == nil && (header == "X-Forwarded-Uri" || header == "X-Forwarded-Method"); !missing && (len(values) != 1 || values[0] != value) {
			t.Errorf("%s: %s is %q, want %q", what, header, values, value)
		}
	}
}

// visits are addresses at sites that Ann may open.
var visits = []struct{ name, target string }{{"grafana", "/d"}, {"wiki", "/d"}, {"wiki", "/public/x"}}

// Row 71.
func TestNothingThatAVisitorClaimsReachesASitesApp(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		anonymous := map[string]string{"remote-user": "anonymous", "remote-email": "anonymous@noreply.login.test", "remote-name": "anonymous", "remote-groups": "anonymous"}
		p := f.person(t)
		for _, name := range []string{"grafana", "wiki"} {
			if a := p.get(name, "/d", claims...); a.status != http.StatusFound {
				t.Errorf("a stranger is answered %d by %s", a.status, name)
			}
			f.app(name).unreached(t, "a stranger")
		}
		p.get("wiki", "/public/x", claims...).want(t, http.StatusOK)
		f.told(t, "wiki", "a stranger", anonymous)
		p.enters("grafana", "/")
		p.enters("wiki", "/")
		name := usernameFact.FindStringSubmatch(p.get("login", "/account").body)[1]
		herself := map[string]string{"remote-user": name, "remote-email": ann, "remote-name": name, "remote-groups": "users,admins,staff"}
		for _, v := range visits {
			for _, lines := range [][]string{nil, claims} {
				p.get(v.name, v.target, lines...).want(t, http.StatusOK)
				f.told(t, v.name, fmt.Sprintf("%s with %d lines", v.target, len(lines)), herself)
			}
		}
	})
}

func TestASiteIsClosedWhileDjauthyIsAway(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p := f.person(t)
		p.enters("grafana", "/")
		p.enters("wiki", "/")
		f.grafana.taken()
		f.wiki.taken()
		f.site.Stop(t)
		for _, v := range append(visits, struct{ name, target string }{"grafana", "/.djauthy/leave"}, struct{ name, target string }{"wiki", "/.djauthy/enter?code=x"}) {
			for _, lines := range [][]string{nil, claims, script} {
				if a := p.get(v.name, v.target, lines...); a.status < 500 {
					t.Errorf("%s at %s is answered %d", v.target, v.name, a.status)
				}
				f.app(v.name).unreached(t, v.target)
			}
		}
		f.site.Start(t)
		p.get("grafana", "/d").want(t, http.StatusOK)
	})
}

// siteCookies are cookies that a visitor sends, and which of them are the app's.
var siteCookies = map[string]string{
	"": "", "grafana_session=1": "grafana_session=1", "a=1; b=2": "a=1; b=2", "a=1; __Host-djauthy_enter=x": "a=1", `a="1;2"`: `a="1;2"`, "mydjauthy=1; djauth=3": "mydjauthy=1; djauth=3",
	"__Host-djauthy=x; a=1;__Host-djauthy_attempt=y; b=djauthy=2; djauthy_link=; djauthy_browser=z": "a=1; b=djauthy=2",
}

// Row 71: who has the cookie of a site is the person there.
func TestDjauthysCookiesReachNoSitesApp(t *testing.T) {
	eachProxied(t, func(t *testing.T, f *proxied) {
		p := f.person(t)
		p.enters("grafana", "/")
		p.enters("wiki", "/")
		for _, v := range visits {
			session := p.cookies[v.name]["__Host-djauthy_site"]
			if session == "" || p.cookies["login"]["__Host-djauthy"] == "" {
				t.Fatalf("the cookies are %v", p.cookies)
			}
			for sent, want := range siteCookies {
				var lines []string
				if sent != "" {
					lines = []string{"Cookie: " + sent}
				}
				p.get(v.name, v.target, lines...).want(t, http.StatusOK)
				if r, _ := f.app(v.name).taken(); strings.Join(r.header.Values("Cookie"), "; ") != want {
					t.Errorf("%s at %s with %q: the app has %q", v.target, v.name, sent, r.header.Values("Cookie"))
				}
			}
			p.get(v.name, v.target, "Cookie: "+strings.Repeat("djauthy=tossed; ", 200)+"a=1").want(t, http.StatusOK)
			if r, _ := f.app(v.name).taken(); strings.Contains(fmt.Sprint(r.header), session) {
				t.Errorf("behind many others the site's cookie reaches %s at %s", v.target, v.name)
			}
		}
	})
}
