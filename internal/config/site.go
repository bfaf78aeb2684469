package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Site is an app on a host of its own, behind a proxy that asks /forward-auth.
type Site struct {
	Origin string   // as browsers write it: https://host[:port], in lower case and ASCII
	Level  string   // that a session has to hold; "": none. Whether it exists is in the database
	Groups []string // a person has to be in one of them; none: everybody
	User   string   // what the app is told as the user: "username" or "email"
	Rules  []SiteRule
}

// SiteRule is what some paths of a site require besides what the site does, or that they are
// for everybody. Of the rules of a site the first counts that fits.
type SiteRule struct {
	Path   string // decoded: /metrics, or /admin/* for /admin and all below it
	Level  string
	Groups []string
	Public bool // nobody has to sign in; then Level and Groups are empty
}

// Prefix is the path of a rule without the final /* and whether it had one.
func (r SiteRule) Prefix() (path string, below bool) { return strings.CutSuffix(r.Path, "/*") }

func (s *Site) table() table {
	return table{
		settings: []setting{
			siteURL("url", &s.Origin, "its origin: scheme, host and port, as in https://grafana.example.org; http only where public_url is http"),
			text("level", &s.Level, "", "the level that a session has to hold; empty: none", anyText),
			list("groups", &s.Groups, "groups whose members alone are let in; one of them is enough. Empty: everybody who is signed in"),
			choice("user", &s.User, "what the header Remote-User says: username or email", "username", "email"),
		},
		arrays: []array{
			arrayOf("rules", &s.Rules, "any number of rules for some of its paths, also written as rules = [{ path = \"/admin/*\", level = \"strong\" }]; the first that fits counts. In the environment: DJAUTHY_SITE_0_RULES_0_PATH", (*SiteRule).table),
		},
	}
}

func (r *SiteRule) table() table {
	return table{settings: []setting{
		text("path", &r.Path, "", "without escapes: /metrics for one path, /admin/* for /admin and all below it. Capitals and a slash at the end make no difference, except that public = true is for the path exactly as it stands here", rulePath),
		text("level", &r.Level, "", "a level that is needed besides the site's", anyText),
		list("groups", &r.Groups, "groups of which one is needed besides one of the site's"),
		boolean("public", &r.Public, false, "true: nobody has to sign in. Then level and groups stay empty"),
	}}
}

// siteURL is an origin that has to be there.
func siteURL(key string, at *string, help string) setting {
	s := publicURL(key, at, help)
	set := s.set
	s.set = func(v string) error {
		if v == "" {
			return errOrigin
		}
		return set(v)
	}
	return s
}

var errRulePath = errors.New(`a path such as /metrics, or /admin/* for all below it: it begins with /, has no other *, no //, %, ;, ?, # or \, and no part that ends in a dot or a space`)

func rulePath(v string) error {
	path, _ := SiteRule{Path: v}.Prefix()
	if !strings.HasPrefix(v, "/") || strings.Contains(v, "//") || strings.ContainsAny(path, `*%;?#\`) || strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errRulePath
	}
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasSuffix(part, ".") || strings.Trim(part, " ") != part {
			return errRulePath
		}
	}
	if own := strings.ToLower(path); own == "/.djauthy" || strings.HasPrefix(own, "/.djauthy/") {
		return errors.New("a path of the app: /.djauthy is djauthy's own")
	}
	return nil
}

// checkSites looks for sites and rules that contradict each other or public_url.
func (c *Config) checkSites() error {
	var all []error
	seen := map[string]bool{}
	for i, s := range c.Sites {
		wrong := func(key, value, allowed string) {
			all = append(all, &Error{Key: entryKey("site", i) + "." + key, Value: value, Allowed: allowed, Source: "settings"})
		}
		switch {
		case s.Origin == c.PublicURL:
			wrong("url", s.Origin, "another origin than public_url: there whoever is signed in is let in, without rules")
		case strings.HasPrefix(s.Origin, "http:") && c.HTTPS():
			wrong("url", s.Origin, "https: plain http is for a public_url that is http, too")
		case seen[s.Origin]:
			wrong("url", s.Origin, "an origin that no other site has")
		}
		seen[s.Origin] = true
		for k, r := range s.Rules {
			key := entryKey("rules", k)
			switch {
			case r.Public && (r.Level != "" || len(r.Groups) > 0):
				wrong(key+".public", "true", "either public = true, or level and groups")
			case !r.Public && r.Level == "" && len(r.Groups) == 0:
				wrong(key+".level", "", "a rule needs level, groups or public = true; without a rule, whoever the site lets in is let in")
			}
		}
	}
	return errors.Join(all...)
}

// siteWarnings are about settings of sites that can be used, but do not what they seem to.
func (c *Config) siteWarnings() (all []string) {
	if len(c.Sites) > 0 && len(c.TrustedProxies) == 0 {
		all = append(all, "there is a [[site]], but trusted_proxies is empty: nobody can say that a request is for a site, so that nobody gets in there")
	}
	for i, s := range c.Sites {
		for later := range s.Rules {
			for earlier := range later {
				if s.Rules[earlier].covers(s.Rules[later]) {
					all = append(all, fmt.Sprintf("site[%d].rules[%d] never counts: rules[%d] before it fits all its paths", i, later, earlier))
					break
				}
			}
		}
	}
	return all
}

// covers reports whether a rule fits every path that a later one fits.
func (r SiteRule) covers(later SiteRule) bool {
	path, below := r.Prefix()
	other, _ := later.Prefix()
	return r.Path == later.Path || below && strings.HasPrefix(other+"/", path+"/")
}
