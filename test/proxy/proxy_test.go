package proxy_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// forged are header lines with which a visitor claims to be somebody.
var forged = []string{
	"Remote-User: root", "remote-email: root@evil.example", "REMOTE-NAME: Root", "Remote-Groups: admin", "Remote-Groups: wheel",
	"Remote_User: root", "remote_email: root@evil.example", "REMOTE_NAME: Root", "Remote_Groups: admin", "Remote-User:",
	"X-Djauthy-Jwt-Assertion: forged", "x_djauthy_jwt_assertion: forged", "X-Djauthy_Jwt-Assertion: forged", "X_Djauthy-Jwt-Assertion: forged",
	"X-Forwarded-For: 203.0.113.5", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: gopher", "Connection: Remote-User, Remote-Groups, X-Djauthy-Jwt-Assertion, X-Forwarded-Host",
}

// identity are the headers of a request by which an app would know the visitor,
// as apps read them that take _ for -, in any case.
func (r request) identity() map[string][]string {
	all := map[string][]string{}
	for name, values := range r.header {
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if strings.HasPrefix(name, "remote-") || strings.HasPrefix(name, "x-djauthy") {
			all[name] = append(all[name], values...)
		}
	}
	return all
}

// Row 71.
func TestAVisitorsOwnIdentityHeadersReachNoApp(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		v := f.visitor(t)
		if a := v.get("/app/", forged...); !a.toSignIn(v, "/app/") {
			t.Errorf("a stranger is answered %d to %q", a.status, a.location)
		}
		if r, ok := f.app.taken(); ok {
			t.Errorf("a stranger reached the app: %v", r)
		}
		v.signIn("/login", "ann@people.example")
		for _, path := range f.paths {
			v.get(path, forged...)
			r, ok := f.app.taken()
			if !ok {
				t.Fatalf("%s does not reach the app", path)
			}
			r.forwarded(t, v)
			got := r.identity()
			if path == "/public/" {
				if len(got) > 0 {
					t.Errorf("where nobody has to sign in the app is told %v", got)
				}
				continue
			}
			want := map[string]string{"remote-user": v.username(), "remote-email": "ann@people.example", "remote-name": v.username(), "remote-groups": "users"}
			for name, value := range want {
				if values := got[name]; len(values) != 1 || values[0] != value {
					t.Errorf("%s is %q, want %q", name, values, value)
				}
			}
			if jwt := got["x-djauthy-jwt-assertion"]; len(jwt) != 1 || strings.Count(jwt[0], ".") != 2 || len(got) != len(want)+1 {
				t.Errorf("the app is told %v", got)
			}
		}
	})
}

// Otherwise the rules of another site would decide, and that may be open to everybody.
func TestAVisitorDoesNotChooseTheSiteThatIsAskedAbout(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		v := f.visitor(t)
		for target, host := range map[string]string{"/app/": "open.test", "http://" + f.host + "/app/": "open.test", "http://open.test/app/": f.host} {
			a := v.get(target, "Host: "+host, "X-Forwarded-Host: open.test", "X-Forwarded-Proto: http", "X-Forwarded-Uri: /open")
			if r, ok := f.app.taken(); ok {
				t.Errorf("%s at %s: answered %d, the app was asked for %s", target, host, a.status, r.target)
			}
		}
	}, "SITE_0_URL=http://open.test", "SITE_0_RULES_0_PATH=/*", "SITE_0_RULES_0_PUBLIC=true")
}

// With HTTP/2 in the clear, or another protocol, a visitor would send the app whatever they
// like on a connection that the proxy no longer looks into.
func TestNobodySpeaksWithTheAppPastTheProxy(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		v := f.visitor(t)
		v.signIn("/login", "ann@people.example")
		for _, path := range f.paths {
			for _, protocol := range []string{"h2c", "TLS/1.0", "x"} {
				a := v.get(path, "Connection: Upgrade, HTTP2-Settings", "Upgrade: "+protocol, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
				if r, ok := f.app.taken(); !ok || a.status != http.StatusOK || r.header.Get("Upgrade") != "" {
					t.Errorf("%s: answered %d, the app is asked for %q", path, a.status, r.header.Get("Upgrade"))
				}
			}
		}
	})
}

// forwarded requires that the request says how the visitor came, and not what the
// visitor says about it.
func (r request) forwarded(t *testing.T, v *visitor) {
	t.Helper()
	for name, want := range map[string]string{"X-Forwarded-For": v.from, "X-Forwarded-Host": v.f.host, "X-Forwarded-Proto": "http", "Host": v.f.host} {
		if got := r.header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// appCookies are cookies that a visitor sends, and which of them are the app's.
var appCookies = map[string]string{
	"": "", "sessionid=1": "sessionid=1", "a=1; b=2": "a=1; b=2", "a=1; djauthy_link=": "a=1", `a="1;2"`: `a="1;2"`,
	"mydjauthy=1; xdjauthy_attempt=2; djauth=3":                                                          "mydjauthy=1; xdjauthy_attempt=2; djauth=3",
	"__Host-djauthy=x; a=1;__Host-djauthy_attempt=y; b=djauthy=2; __Host-djauthy_link=; djauthy_browser": "a=1; b=djauthy=2; djauthy_browser",
}

// Row 71: who has the session cookie can act as the person.
func TestDjauthysCookiesReachNoAppAndItsOwnDo(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		v := f.visitor(t)
		v.signIn("/login", "ann@people.example")
		if v.cookies["djauthy"] == "" || v.cookies["djauthy_browser"] == "" {
			t.Fatalf("the cookies are %v", v.cookies)
		}
		for _, path := range f.paths {
			for sent, want := range appCookies {
				v.keeps(path, sent, want)
				if path == "/public/" {
					f.visitor(t).keeps(path, sent, want)
				}
			}
			v.get(path, "Cookie: "+strings.Repeat("djauthy=tossed; ", 20)+"a=1")
			if r, _ := f.app.taken(); strings.Contains(r.header.Get("Cookie"), v.cookies["djauthy"]) {
				t.Errorf("behind many others the session's cookie reaches %s", path)
			}
		}
	})
}

// keeps requires which cookies an app has when the visitor sends some beside
// djauthy's.
func (v *visitor) keeps(path, sent, want string) {
	v.t.Helper()
	var lines []string
	if sent != "" {
		lines = []string{"Cookie: " + sent}
	}
	v.get(path, lines...)
	r, ok := v.f.app.taken()
	if got := strings.Join(r.header.Values("Cookie"), "; "); !ok || got != want {
		v.t.Errorf("%s with %q: reached %v, the app has the cookies %q, want %q", path, sent, ok, got, want)
	}
}

// targets are what people ask an app for.
var targets = []string{
	"/app/", "/app/?a=1&b=2", "/app/?next=/other&next=%2Fthird", "/app/a%20b%2Fc%3Fd%23e?q=%25%20+%26%2F%23%3F%3D", "/app/%C3%BC?q=%C3%BC%E9", "/app/?a[]=1&b=%5B", "/app/?text=one%0D%0Atwo",
	"/app/?q=100%", "/app/?to=https://other.example/", "/app//x/?q=//y", "/app/?q=a;b=c,d/e!$'()*~:@", "/app/?" + strings.Repeat("a=%C3%BC&", 909) + "b=123", // 8 KiB
}

func TestTheWayBackThroughAProxyIsTheAddressThatWasAskedFor(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		for _, target := range targets {
			v := f.visitor(t)
			a := v.get(target)
			if !a.toSignIn(v, target) {
				t.Errorf("%.100s: a stranger is answered %d to %.200q", target, a.status, a.location)
				continue
			}
			if lead := v.signIn("/login?next="+target, "ann@people.example"); lead != target {
				t.Errorf("%.100s: the way back is %.200q", target, lead)
			}
			v.get(target)
			if r, ok := f.app.taken(); !ok || r.target != target {
				t.Errorf("%.100s: the app is asked for %.100q", target, r.target)
			}
		}
	})
}

// Limits go by where the visitor is, whatever it says, and not by the proxy.
func TestDjauthySeesTheVisitorsAddressThroughAProxy(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		for i, want := range []struct {
			from, id string
			status   int
		}{
			{"127.9.8.7", "ann@people.example", http.StatusSeeOther},
			{"127.9.8.7", "ben@people.example", http.StatusTooManyRequests},
			{"127.9.8.8", "ben@people.example", http.StatusSeeOther},
		} {
			v := f.visitor(t)
			v.from = want.from
			if a := v.post("/login", url.Values{"id": {want.id}}, fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i)); a.status != want.status {
				t.Errorf("%s from %s is answered %d, want %d", want.id, want.from, a.status, want.status)
			}
		}
	}, "LIMITS_SEND_PER_IP=1/1h")
}

func TestNobodyReachesTheAppWhileDjauthyIsAway(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		v := f.visitor(t)
		v.signIn("/login", "ann@people.example")
		f.site.Stop(t)
		if a := v.get("/app/"); a.status < 500 {
			t.Errorf("answered %d", a.status)
		}
		if r, ok := f.app.taken(); ok {
			t.Errorf("the app was asked for %s", r.target)
		}
	})
}

// The question to djauthy in between takes nothing of it, however large it is.
func TestAFormReachesTheAppWhole(t *testing.T) {
	eachFront(t, func(t *testing.T, f *front) {
		fields := url.Values{"text": {strings.Repeat("one\r\ntwo ", 20_000)}}
		v := f.visitor(t)
		if a := v.post("/app/form", fields); !a.toSignIn(v, "/app/form") {
			t.Errorf("a stranger is answered %d to %q", a.status, a.location)
		}
		if r, ok := f.app.taken(); ok {
			t.Errorf("a stranger reached the app: %s", r.target)
		}
		v.signIn("/login", "ann@people.example")
		v.post("/app/form", fields)
		if r, ok := f.app.taken(); !ok || r.body != fields.Encode() {
			t.Errorf("reached %v; the app has %d bytes of %d", ok, len(r.body), len(fields.Encode()))
		}
	})
}
