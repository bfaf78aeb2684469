package sites_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/sites"
)

func TestAForwardedRequestIsForTheSiteOfItsSchemeAndHost(t *testing.T) {
	for _, c := range []struct{ proto, host, origin string }{
		{"https", "grafana.example.org", "https://grafana.example.org"},
		{"HTTPS", "Grafana.example.org.:443", "https://grafana.example.org"},
		{"wss", "grafana.example.org", "https://grafana.example.org"}, // Traefik, for a WebSocket
		{"https", "wiki.xn--bcher-kva.example:8443", "https://wiki.xn--bcher-kva.example:8443"},
		{"http", "[2001:db8::1]:80", "http://[2001:db8::1]"},
		{"ws", "[2001:db8::1]", "http://[2001:db8::1]"},
		{"https", "login.example.org", public},
		{"", "", public},
	} {
		target, err := some.Read(sites.Request{Proto: c.proto, Host: c.host, URI: "/x?y"})
		if err != nil || target.Site.Origin != c.origin || target.Address != c.origin+"/x?y" || target.Path != "/x" {
			t.Errorf("%s %s: %+v, %v", c.proto, c.host, target, err)
		}
	}
}

func TestARequestOfWhichTheProxySaysTooLittleIsRefused(t *testing.T) {
	for _, c := range []struct {
		request sites.Request
		want    error
		says    string
	}{
		{sites.Request{Proto: "https", Host: "evil.example", URI: "/"}, sites.ErrNoSite, "the origin of none"},
		{sites.Request{Proto: "http", Host: "grafana.example.org", URI: "/"}, sites.ErrNoSite, "the origin of none"},
		{sites.Request{Proto: "https", Host: "grafana.example.org:8443", URI: "/"}, sites.ErrNoSite, "the origin of none"},
		{sites.Request{Proto: "https", Host: "evil.grafana.example.org", URI: "/"}, sites.ErrNoSite, "the origin of none"},
		{sites.Request{Proto: "https", Host: "evilgrafana.example.org", URI: "/"}, sites.ErrNoSite, "the origin of none"},
		{sites.Request{Proto: "https", Host: "grafana.example.org.evil.example", URI: "/"}, sites.ErrNoSite, "the origin of none"},
		{sites.Request{Proto: "https", Host: "evil.example, grafana.example.org", URI: "/"}, sites.ErrNoSite, "no host"},
		{sites.Request{Proto: "https", Host: "grafana.example.org/", URI: "/"}, sites.ErrNoSite, "no host"},
		{sites.Request{Proto: "https", Host: "x@grafana.example.org", URI: "/"}, sites.ErrNoSite, "no host"},
		{sites.Request{Proto: "https", Host: "graf%61na.example.org", URI: "/"}, sites.ErrNoSite, "no host"},
		{sites.Request{Proto: "https, http", Host: "grafana.example.org", URI: "/"}, sites.ErrUnreadable, "X-Forwarded-Proto"},
		{sites.Request{Proto: "ftp", Host: "grafana.example.org", URI: "/"}, sites.ErrUnreadable, "X-Forwarded-Proto"},
		{sites.Request{Host: "grafana.example.org", URI: "/"}, sites.ErrIncomplete, "X-Forwarded-Proto"},
		{sites.Request{Proto: "https", URI: "/"}, sites.ErrIncomplete, "X-Forwarded-Host"},
		{sites.Request{Proto: "https", Host: "grafana.example.org"}, sites.ErrIncomplete, "X-Forwarded-Uri"},
	} {
		target, err := some.Read(c.request)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || target.Site != nil || target.Address != "" {
			t.Errorf("%+v: %+v, %v", c.request, target, err)
		}
	}
}

// What nginx, Caddy and Traefik send for today's settings of a proxy in front of public_url
// itself.
func TestPublicURLsOwnOriginIsASiteWithoutRules(t *testing.T) {
	for _, r := range []sites.Request{
		{}, {Proto: "https", Host: "login.example.org"}, {URI: "/app/%2F..;/"}, {Proto: "https", Host: "login.example.org", URI: "/app/", Method: "GET"},
	} {
		target, err := some.Read(r)
		if err != nil || target.Site != some.Own() || !reflect.DeepEqual(target.Access, sites.Access{}) || target.Address == "" != (r.URI == "") {
			t.Errorf("%+v: %+v, %v", r, target, err)
		}
	}
}

// grafana reads a request for the site with rules.
func grafana(uri string) (sites.Target, error) {
	return some.Read(sites.Request{Proto: "https", Host: "grafana.example.org", URI: uri, Method: "GET"})
}

func TestTheAddressToComeBackToIsByteByByteThatOfTheRequest(t *testing.T) {
	const origin = "https://grafana.example.org"
	long := "/" + strings.Repeat("x", sites.MaxAddress-len(origin)-1)
	for _, uri := range []string{"/", "/?", "/a?b=c&d=%2f%20+?e", "//evil.example/x", "/%61/..//b;c?{|}^`\\\"<>'", "/%E4%F6", long} {
		target, err := grafana(uri)
		if err != nil || target.Address != origin+uri {
			t.Errorf("%.100s: %.100s, %v", uri, target.Address, err)
		}
		if site, found := some.FindAddress(target.Address); !found || site != target.Site {
			t.Errorf("%.100s is not found again", target.Address)
		}
	}
	// Who has signed in already loses nothing by an address too long to come back to.
	if target, err := grafana(long + "x"); err != nil || target.Address != "" || target.Access.Levels == nil {
		t.Errorf("%.100s: %v", target.Address, err)
	}
}

func TestATargetThatIsNoPathOrNoAddressIsRefused(t *testing.T) {
	for _, uri := range []string{
		"*", "?x", "x", "https://grafana.example.org/", "grafana.example.org:443", `\x`, " /", "/a b", "/a?b c", "/a\tb", "/a?\r\nSet-Cookie: x", "/a?\x00", "/\x7f", "/ä", "/?ä", "/?\xff", "/a#b", "/a?b#c",
	} {
		if target, err := grafana(uri); !errors.Is(err, sites.ErrUnreadable) || target.Address != "" || target.Access.Public {
			t.Errorf("%q: %+v, %v", uri, target, err)
		}
	}
}

func TestABrowserComesBackToWhatItMayRepeat(t *testing.T) {
	for method, want := range map[string]bool{"GET": true, "HEAD": true, "": true, "POST": false, "get": false, "OPTIONS": false} {
		if (sites.Request{Method: method}).IsRepeatable() != want {
			t.Errorf("%q: %v", method, !want)
		}
	}
}
