package sites_test

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/sites"
)

// habits are what apps and the libraries below them do to a path; none is code of this
// package. An app has some of them, in some order.
var habits = []func(string) string{
	func(p string) string { return orElse(p)(url.PathUnescape(p)) },
	replace(`(\w)\+(\w)`, "$1 $2"),
	path.Clean,
	func(p string) string { return (&url.URL{Path: "/"}).ResolveReference(&url.URL{Path: p}).Path },
	func(p string) string {
		if u, err := url.Parse(p); err == nil {
			return u.Path
		}
		return p
	},
	replace(`//+`, "/"),
	replace(`;[^/]*`, ""),
	replace(`;.*`, ""),
	replace(`(?s)[?#].*`, ""),
	replace(`([^. /])[. ]+(/|$)`, "$1$2"),
	replace(`:[^/:]*:\$[^/]*`, ""),
	replace(`(?i)%2f`, "/"),
	replace(`(?i)%5c`, "/"),
	replace(`(?i)%2e`, "."),
	func(p string) string {
		return oldEscape.ReplaceAllStringFunc(p, func(s string) string {
			n, _ := strconv.ParseUint(s[2:], 16, 16)
			return string(rune(n))
		})
	},
	func(p string) string { return strings.ReplaceAll(p, `\`, "/") },
	func(p string) string { return strings.TrimRight(p, "/") },
	func(p string) string { return strings.ToValidUTF8(p, "") },
	strings.ToLower,
	strings.ToUpper,
	norm.NFC.String,
	norm.NFKC.String,
	width.Narrow.String,
	strings.TrimSpace,
}

var oldEscape = regexp.MustCompile(`(?i)%u[0-9a-f]{4}`)

func replace(pattern, by string) func(string) string {
	expression := regexp.MustCompile(pattern)
	return func(p string) string { return expression.ReplaceAllString(p, by) }
}

// orElse returns what a function returns, or a path where it fails.
func orElse(p string) func(string, error) string {
	return func(q string, err error) string {
		if err != nil {
			return p
		}
		return q
	}
}

// asRead is a path as an app with some habits reads it.
func asRead(p string, app []byte) string {
	for _, habit := range app[:min(len(app), 8)] {
		if p = habits[int(habit)%len(habits)](p); !strings.HasPrefix(p, "/") {
			p = "/" + p
		}
	}
	return p
}

// fitting is the rule that counts for a path in the plainest way, or nil.
func fitting(s *sites.Site, p string, same func(a, b string) bool) *config.SiteRule {
	for i, r := range s.Rules {
		base, below := r.Prefix()
		if same(strings.TrimSuffix(p, "/"), strings.TrimSuffix(base, "/")) || below && len(p) > len(base) && p[len(base)] == '/' && same(p[:len(base)], base) {
			return &s.Rules[i]
		}
	}
	return nil
}

// parts are what paths of the first fuzz target are made of.
var parts = strings.Fields(`/ / / / health admin Admin public straße x y .. .. . %2f %2F %5c \ ; ;x=1 %3b %2e %2E%2e %252f %255c %252e %25 %20 a%20b a+b // %3f %23 ? # .. ... :: ::$DATA :$I30:$INDEX_ALLOCATION %C3%9F %DF %FF %EF%BC%8F %EF%BC%8E %E2%80%8B %EF%BD%81 %CC%88 %25u002e %25u002f %61 %68ealth %2568ealth ADMIN HEALTH Public`)

// However an app reads a path: whoever is let in by the site may see what the app shows.
func FuzzNoAppReadsAPathThatRequiresMore(f *testing.F) {
	for i := range parts {
		for k := range habits {
			f.Add([]byte{byte(7 * k), byte(i), 14, byte(i + k), 4}, "/%2e%2e/..;/x", []byte{byte(k), 0, byte(i), 2})
		}
	}
	s := site("/health staff", "/Admin/* ops", "/public/*", "/a b/* space", "/straße/* street", "/x/y/*", "/x/* deep", "/*")
	f.Fuzz(func(t *testing.T, built []byte, rest string, app []byte) {
		p := "/"
		for _, n := range built {
			p += parts[int(n)%len(parts)]
		}
		p, _, _ = strings.Cut(p+rest, "?")
		access, err := s.Access(p)
		if err != nil {
			return
		}
		read := asRead(p, app)
		for _, same := range []func(a, b string) bool{strings.EqualFold, func(a, b string) bool { return a == b }} {
			r := fitting(s, read, same)
			if r == nil || r.Public {
				continue
			}
			if access.Public || !slices.ContainsFunc(access.Groups, func(g []string) bool { return slices.Equal(g, r.Groups) }) {
				t.Errorf("%q requires %+v, but an app reads %q, which requires %v", p, access, read, r.Groups)
			}
		}
	})
}

// Whatever is added to a path that an app drops again only adds to what is required.
func FuzzADisguiseNeverRequiresLess(f *testing.F) {
	f.Add("/admin/x", uint(3), byte(0))
	f.Add("/public/../health", uint(5), byte(4))
	disguises := []func(p string, at int) string{
		func(p string, at int) string { return p[:at] + "/" + p[at:] },
		func(p string, at int) string { return p[:at] + "/." + p[at:] },
		func(p string, at int) string { return p[:at] + "/x/.." + p[at:] },
		func(p string, at int) string { return p[:at] + "/x%2f..%2F" + p[at+1:] },
		func(p string, at int) string { return p[:at] + "%2F" + p[at+1:] },
		func(p string, at int) string { return p[:at] + "%255c" + p[at+1:] },
		func(p string, at int) string { return p[:at] + `\` + p[at+1:] },
		func(p string, at int) string { return p[:at] + ";x=y" + p[at:] },
		func(p string, at int) string { return p[:at] + "%20" + p[at:] },
		func(p string, at int) string { return p[:at] + "%EF%BC%8F" + p[at+1:] },
		func(p string, at int) string { return p + "%3Fx" },
		func(p string, at int) string { return p + "/" },
	}
	s := site("/health staff", "/Admin/* ops", "/public/*", "/x/y/*", "/x/* deep", "/*")
	f.Fuzz(func(t *testing.T, p string, at uint, how byte) {
		plain, err := s.Access(p)
		if err != nil || strings.ContainsAny(p, `%;?\`) {
			return
		}
		var slashes []int
		for i, c := range p {
			if c == '/' {
				slashes = append(slashes, i)
			}
		}
		disguised := disguises[int(how)%len(disguises)](p, slashes[at%uint(len(slashes))])
		access, err := s.Access(disguised)
		if err != nil {
			return
		}
		for _, g := range plain.Groups {
			if !slices.ContainsFunc(access.Groups, func(have []string) bool { return slices.Equal(have, g) }) {
				t.Errorf("%q requires %+v, but %q only %+v", p, plain, disguised, access)
			}
		}
		if access.Public && !plain.Public {
			t.Errorf("%q is public, %q is not", disguised, p)
		}
	})
}

// An address is refused, or it is the request's and a browser reads it as one at the site.
func FuzzTheAddressStaysAtItsSite(f *testing.F) {
	for _, uri := range []string{"/", "//evil.example/", `/\evil.example`, "/a?b=c", "/%0d%0a", "/a\r\nb", "*", "@evil.example/"} {
		f.Add("https", "grafana.example.org", uri)
	}
	f.Add("wss", "wiki.bücher.example:8443", "/x")
	f.Fuzz(func(t *testing.T, proto, host, uri string) {
		target, err := some.Read(sites.Request{Proto: proto, Host: host, URI: uri})
		if err != nil {
			if target.Site != nil || target.Address != "" || target.Access.Public {
				t.Errorf("%+v, %v", target, err)
			}
			return
		}
		if target.Address == "" {
			return
		}
		u, err := url.Parse(target.Address)
		if err == nil && (u.Scheme+"://"+u.Host != target.Site.Origin || u.User != nil) || target.Address != target.Site.Origin+uri || !utf8.ValidString(target.Address) || strings.ContainsAny(target.Address, "\r\n \t#") {
			t.Errorf("%q is no address at %s: %v", target.Address, target.Site.Origin, err)
		}
	})
}
