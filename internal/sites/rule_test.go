package sites_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/sites"
)

// site makes a site of rules in short: "/admin/* ops" requires the group ops, "/x" is public.
func site(rules ...string) *sites.Site {
	s := config.Site{Origin: "https://app.example.org", User: "username"}
	for _, text := range rules {
		r := config.SiteRule{Path: text, Public: true}
		if i := strings.LastIndexByte(text, ' '); i > 0 {
			r = config.SiteRule{Path: text[:i], Groups: []string{text[i+1:]}}
		}
		s.Rules = append(s.Rules, r)
	}
	return sites.New(public, []config.Site{s}).All()[0]
}

// asks is what a path requires, in short: "public", "400", or its groups.
func asks(s *sites.Site, path string) string {
	a, err := s.Access(path)
	switch {
	case err != nil:
		return "400"
	case a.Public:
		return "public"
	}
	var all []string
	for _, groups := range a.Groups {
		all = append(all, strings.Join(groups, "|"))
	}
	return strings.Join(all, " ")
}

func TestARuleFitsItsPathAndAStarAllBelowIt(t *testing.T) {
	s := site("/admin/* ops", "/report staff", "/feed/ team", "/public/*", "/metrics", "/größe/* tall")
	for path, want := range map[string]string{
		"/admin": "ops", "/admin/": "ops", "/admin/x": "ops", "/admin/x/y": "ops", "/Admin/x": "ops", "/administrator": "", "/admin.html": "", "/x/admin": "", "/": "",
		"/report": "staff", "/report/": "staff", "/REPORT": "staff", "/report/x": "", "/reports": "",
		"/feed": "team", "/feed/": "team", "/feed/x": "",
		"/public": "public", "/public/": "public", "/public/x/Y.png": "public", "/publicity": "",
		"/metrics": "public", "/metrics/x": "", "/m%65trics": "public", "/public/my%20file%C3%A4%28%E2%82%AC%29": "public", "/public/a+b,c:d@e!$&'()*=~_-.f": "public",
		"/gr%C3%B6%C3%9Fe/x": "tall", "/GRO%CC%88SSE": "tall", "/gr%F6%DFe": "tall",
	} {
		if got := asks(s, path); got != want {
			t.Errorf("%s asks for %q, want %q", path, got, want)
		}
	}
	all := site("/x ops", "/*")
	for path, want := range map[string]string{"/": "public", "/y": "public", "/x": "ops", "/x/": "ops"} {
		if got := asks(all, path); got != want {
			t.Errorf("%s asks for %q, want %q", path, got, want)
		}
	}
}

func TestTheFirstRuleThatFitsCounts(t *testing.T) {
	s := site("/a/b staff", "/a/open", "/a/* ops", "/* users", "/a/c")
	for path, want := range map[string]string{"/a/b": "staff", "/a/open": "public", "/a/c": "ops", "/a/b/c": "ops", "/c": "users"} {
		if got := asks(s, path); got != want {
			t.Errorf("%s asks for %q, want %q", path, got, want)
		}
	}
}

// A public rule is for its path alone: to many apps another spelling is another path.
func TestAPublicRuleDoesNotLeakToAnotherSpelling(t *testing.T) {
	s := site("/metrics", "/public/*", "/* users")
	for _, path := range []string{
		"/Metrics", "/METRICS", "/metrics/", "/metrics.", "/metrics;x", "//metrics", "/./metrics", "/metrics/.", "/x/../metrics", "/metrics%20", "/metrics%3Fx", "/metrics%23", "/%6detrics%2f", "/metric%2573", "/metric%EF%BD%93",
		"/Public/x", "/public//x", "/public/./x", "/public/../public/x", "/public;x/y", "/public/x;y", `/public\x`, "/public/x%2Fy", "/public%2fx", "/public/x%5cy", "/public/100%25", "/public/x.", "/public/x%3fy", "/public/%FF", "/public/x%EF%BC%8Fy",
	} {
		if asks(s, path) == "public" {
			t.Errorf("%s is public", path)
		}
	}
}

// Capitals make a path another one to some apps: then another rule may count.
func TestASpellingIsNoWayToAWeakerRule(t *testing.T) {
	s := site("/app/health staff", "/Docs/* readers", "/app/* ops")
	for path, want := range map[string]string{
		"/app/health": "staff", "/app/HEALTH": "staff ops", "/app/health/": "staff ops", "/app/health;x": "staff ops", "/app//health": "staff ops", "/docs/x": "readers", "/Docs/x": "readers",
	} {
		if got := asks(s, path); got != want {
			t.Errorf("%s asks for %q, want %q", path, got, want)
		}
	}
}

func TestARuleAddsToWhatTheSiteRequires(t *testing.T) {
	for uri, want := range map[string]string{
		"/":                    "[basic] [[staff]]",
		"/admin/x":             "[basic strong] [[staff] [ops root]]",
		"/settings":            "[basic strong] [[staff]]",
		"/public/../admin":     "[basic strong] [[staff] [ops root]]",
		"/settings%2F../admin": "[basic strong] [[staff] [ops root]]",
		"/public//x":           "[basic] [[staff]]",
	} {
		target, err := grafana(uri)
		if got := fmt.Sprint(target.Access.Levels, " ", target.Access.Groups); err != nil || got != want {
			t.Errorf("%s: %s, want %s, %v", uri, got, want, err)
		}
	}
	if target, err := grafana("/metrics?format=x/../admin"); err != nil || !target.Access.Public || slices.Concat(target.Access.Levels, slices.Concat(target.Access.Groups...)) != nil {
		t.Errorf("%+v, %v", target.Access, err)
	}
}
