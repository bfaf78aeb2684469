package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
)

// behind is an environment in which sites are of use.
var behind = []string{"DJAUTHY_PUBLIC_URL=https://login.example.org", "DJAUTHY_EMAIL_HOST=mail.example.org", "DJAUTHY_TRUSTED_PROXIES=127.0.0.1/32"}

const grafana = `
[[site]]
url = "HTTPS://Grafana.example.org:443/"
level = "basic"
groups = ["staff", "guests"]
rules = [{ path = "/admin/*", level = "strong", groups = ["ops"] }, { path = "/metrics", public = true }]
[[site]]
url = "https://wiki.bücher.example:8443"
user = "email"
`

func TestASiteIsConfiguredByATable(t *testing.T) {
	c, warnings, err := load(grafana, behind...)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	want := []config.Site{
		{Origin: "https://grafana.example.org", Level: "basic", Groups: []string{"staff", "guests"}, User: "username", Rules: []config.SiteRule{
			{Path: "/admin/*", Level: "strong", Groups: []string{"ops"}}, {Path: "/metrics", Public: true},
		}},
		{Origin: "https://wiki.xn--bcher-kva.example:8443", User: "email", Rules: []config.SiteRule{}},
	}
	if !reflect.DeepEqual(c.Sites, want) {
		t.Errorf("%+v", c.Sites)
	}
	if again := must(t, c.String(), behind...); !reflect.DeepEqual(again.Sites, want) {
		t.Errorf("shown as what is read as %+v", again.Sites)
	}
}

func TestASiteIsConfiguredByTheEnvironment(t *testing.T) {
	environ := append([]string{
		"DJAUTHY_SITE_0_URL=https://grafana.example.org", "DJAUTHY_SITE_0_LEVEL=basic", "DJAUTHY_SITE_0_GROUPS=staff, guests", "DJAUTHY_SITE_0_USER=username",
		"DJAUTHY_SITE_0_RULES_0_PATH=/admin/*", "DJAUTHY_SITE_0_RULES_0_LEVEL=strong", "DJAUTHY_SITE_0_RULES_0_GROUPS=ops",
		"DJAUTHY_SITE_0_RULES_1_PATH=/metrics", "DJAUTHY_SITE_0_RULES_1_PUBLIC=true",
		"DJAUTHY_SITE_1_URL=https://wiki.xn--bcher-kva.example:8443", "DJAUTHY_SITE_1_USER=email",
	}, behind...)
	c, warnings, err := load("", environ...)
	if want := must(t, grafana, behind...).Sites; err != nil || len(warnings) > 0 || !reflect.DeepEqual(c.Sites, want) {
		t.Errorf("%v, %v, %+v", err, warnings, c)
	}
}

func TestASiteThatCannotWorkStopsTheStart(t *testing.T) {
	const site = "[[site]]\nurl = \"https://a.example\"\n"
	for _, c := range []struct{ text, key, value, allowed, source string }{
		{"[[site]]", "site[0].url", "", "scheme and host alone", "default"},
		{"[[site]]\nurl = \"a.example\"", "site[0].url", "a.example", "scheme and host alone", "djauthy.toml"},
		{"[[site]]\nurl = \"https://a.example/x\"", "site[0].url", "https://a.example/x", "with no path", "djauthy.toml"},
		{"[[site]]\nurl = \"https://a.example?x\"", "site[0].url", "https://a.example?x", "scheme and host alone", "djauthy.toml"},
		{"[[site]]\nurl = \"https://ann@a.example\"", "site[0].url", "https://ann@a.example", "scheme and host alone", "djauthy.toml"},
		{"[[site]]\nurl = \"wss://a.example\"", "site[0].url", "wss://a.example", "scheme and host alone", "djauthy.toml"},
		{"[[site]]\nurl = \"http://a.example\"", "site[0].url", "http://a.example", "plain http is for a public_url that is http", "settings"},
		{"[[site]]\nurl = \"https://LOGIN.example.org:443\"", "site[0].url", "https://login.example.org", "another origin than public_url", "settings"},
		{site + "[[site]]\nurl = \"https://A.example.\"", "site[1].url", "https://a.example", "no other site has", "settings"},
		{site + "user = \"name\"", "site[0].user", "name", "one of username, email", "djauthy.toml"},
		{site + "rules = [{ level = \"x\" }]", "site[0].rules[0].path", "", "a path such as /metrics", "default"},
		{site + "rules = [{ path = \"/a\" }]", "site[0].rules[0].level", "", "a rule needs", "settings"},
		{site + "rules = [{ path = \"/b\", public = true }, { path = \"/a\", public = true, level = \"x\" }]", "site[0].rules[1].public", "true", "either", "settings"},
		{site + "rules = [{ path = \"/a\", public = true, groups = [\"x\"] }]", "site[0].rules[0].public", "true", "either", "settings"},
	} {
		_, _, err := load(c.text, behind...)
		wantError(t, err, c.key, c.value, c.allowed, c.source)
	}
	if _, _, err := load("[[site]]\nurl = \"http://app.localhost\"", "DJAUTHY_TRUSTED_PROXIES=127.0.0.1/32"); err != nil {
		t.Errorf("http beside http: %v", err)
	}
}

func TestARuleHoldsForOnePathOrForAllBelowIt(t *testing.T) {
	rule := func(path string) string {
		return fmt.Sprintf("[[site]]\nurl = \"https://a.example\"\n[[site.rules]]\npath = '%s'\nlevel = \"x\"\n", path)
	}
	for _, path := range []string{"/", "/*", "/metrics", "/metrics/", "/admin/*", "/.well-known/*", "/a b/c+d/größe.html", "/@me/a:b", "/.djauthyx"} {
		if c := must(t, rule(path), behind...); c.Sites[0].Rules[0].Path != path {
			t.Errorf("%s is %+v", path, c.Sites[0].Rules)
		}
	}
	for _, path := range []string{
		"metrics", "*", "/*/x", "/a*", "/a/**", "/*/*", "//", "//*", "/a//b", "/a/..", "/../a", "/./a", "/a/.", "/a./b", "/a /b", "/ a", "/a%20b", "/a;b", "/a?b", "/a#b", `/a\b`, "/a\u200bb", "https://a.example/a",
		"/.djauthy", "/.Djauthy/*", "/.djauthy/enter",
	} {
		_, _, err := load(rule(path), behind...)
		wantError(t, err, "site[0].rules[0].path", path, "a path", "djauthy.toml")
	}
}

func TestARuleThatNeverCountsIsWarnedOf(t *testing.T) {
	for rules, never := range map[string]bool{
		"/*, /admin/*":           true,
		"/admin/*, /admin":       true,
		"/admin/*, /admin/x/*":   true,
		"/a, /b, /a":             true,
		"/admin/*, /*":           false,
		"/admin, /admin/*":       false,
		"/admin/*, /administrat": false,
		"/a, /A":                 false,
		"/a, /a/":                false,
	} {
		text := "[[site]]\nurl = \"https://a.example\"\n"
		for path := range strings.SplitSeq(rules, ", ") {
			text += fmt.Sprintf("[[site.rules]]\npath = %q\nlevel = \"x\"\n", path)
		}
		_, warnings, err := load(text, behind...)
		if err != nil || len(warnings) > 0 != never || never && !strings.Contains(warnings[0], "never counts: rules[0]") {
			t.Errorf("%s: %q, %v", rules, warnings, err)
		}
	}
}

func TestASiteWithoutATrustedProxyIsWarnedOf(t *testing.T) {
	if _, warnings, err := load("[[site]]\nurl = \"https://a.example\"", behind[:2]...); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "trusted_proxies is empty") {
		t.Errorf("%q, %v", warnings, err)
	}
}
