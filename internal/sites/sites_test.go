package sites_test

import (
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/sites"
)

const public = "https://login.example.org"

// some are the sites of most tests.
var some = sites.New(public, []config.Site{
	{Origin: "https://grafana.example.org", Level: "basic", Groups: []string{"staff"}, User: "username", Rules: []config.SiteRule{
		{Path: "/admin/*", Level: "strong", Groups: []string{"ops", "root"}},
		{Path: "/metrics", Public: true},
		{Path: "/public/*", Public: true},
		{Path: "/settings", Level: "strong"},
	}},
	{Origin: "https://wiki.xn--bcher-kva.example:8443", User: "email"},
	{Origin: "http://[2001:db8::1]", User: "username"},
})

func TestASiteIsFoundByAnySpellingOfItsOrigin(t *testing.T) {
	for origin, want := range map[string]string{
		"https://grafana.example.org":            "https://grafana.example.org",
		"HTTPS://Grafana.Example.ORG.:443/":      "https://grafana.example.org",
		"https://wiki.bücher.example:8443":       "https://wiki.xn--bcher-kva.example:8443",
		"https://WIKI.Bu\u0308cher.example:8443": "https://wiki.xn--bcher-kva.example:8443",
		"http://[2001:DB8:0::1]:80":              "http://[2001:db8::1]",
		public:                                   public,
	} {
		if site, found := some.Find(origin); !found || site.Origin != want {
			t.Errorf("%s: %v", origin, found)
		}
	}
	for _, origin := range []string{
		"", "grafana.example.org", "http://grafana.example.org", "https://grafana.example.org:8443", "https://grafana.example.org/x", "https://x@grafana.example.org", "https://wiki.bücher.example",
		"https://grafana.example.org.evil.example", "https://evil-grafana.example.org", "https://grafana.example.org..", "https://grafana.example.org:", "https://graf%61na.example.org",
	} {
		if site, found := some.Find(origin); found {
			t.Errorf("%s is %s", origin, site.Origin)
		}
	}
	if own, found := some.Find(public); !found || own != some.Own() || len(some.All()) != 3 || some.All()[1].User != "email" {
		t.Errorf("%v, %d sites", found, len(some.All()))
	}
}

// An address that leads elsewhere would be an open redirect.
func TestAnAddressIsThatOfASiteByteByByte(t *testing.T) {
	for _, address := range []string{
		"https://grafana.example.org/", "https://grafana.example.org/d/x?from=now-1h&to=http://y/%20", "https://grafana.example.org//evil.example/", `https://grafana.example.org/\evil.example`,
		"https://grafana.example.org/" + strings.Repeat("x", sites.MaxAddress-len("https://grafana.example.org/")),
	} {
		if site, found := some.FindAddress(address); !found || site.Origin != "https://grafana.example.org" {
			t.Errorf("%.100s: %v", address, found)
		}
	}
	for _, address := range []string{
		"", "/", "//grafana.example.org/", "https://grafana.example.org", "https://grafana.example.org?x/", "https://grafana.example.org@evil.example/", "https://evil.example/https://grafana.example.org/",
		`https://grafana.example.org\@evil.example/`, "https://grafana.example.org:443/", "HTTPS://grafana.example.org/", "http://grafana.example.org/", "javascript:https://grafana.example.org/", " https://grafana.example.org/",
		"https://grafana.example.org/a b", "https://grafana.example.org/\r\nSet-Cookie:x", "https://grafana.example.org/ä", "https://grafana.example.org/#x", "https://grafana.example.org/\x7f", "https:/grafana.example.org/", "https:///grafana.example.org/",
		"https://grafana.example.org/" + strings.Repeat("x", sites.MaxAddress),
	} {
		if site, found := some.FindAddress(address); found {
			t.Errorf("%.100q is at %s", address, site.Origin)
		}
	}
}
