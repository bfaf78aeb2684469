package door_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/door"
)

// evil are forms of next that some browser has led to another site.
var evil = []string{
	"", "//evil.example", "///evil.example", "https://evil.example", "https:evil.example", "http:/evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`,
	"/%5cevil.example", "/%2fevil.example", "/%2F/evil.example", "/\t/evil.example", "/\n/evil.example", "/\r\n/evil.example", " /evil.example", "\t//evil.example",
	"/%0a/evil.example", "/%0d%0aX: 1", "/x\r\nX: 1", "/\x00", "/%00", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:,x", "evil.example", "@evil.example",
	"//user@evil.example", "?next=//evil.example", "#/evil", "../x", "./x", "/\u2028x", "/\u2029x", "/\xff", "/?a=%0a", "/#%0a", "/%zz", "/?a=%zz", "/" + strings.Repeat("a", 2048),
}

// good are local paths as apps and pages use them.
var good = []string{"/", "/account", "/account/history?before=5", "/account#sessions", "/a?b=https://other.example/%2F", "/ü", "/account?x=%C3%BC", "/" + strings.Repeat("a", 2047)}

// Row 29.
func TestNextIsALocalPathOrNothing(t *testing.T) {
	for _, next := range evil {
		if got := door.LocalPath(next); got != "" {
			t.Errorf("%q is taken as %q", next, got)
		}
	}
	for _, next := range good {
		if got := door.LocalPath(next); got != next {
			t.Errorf("%q became %q", next, got)
		}
	}
}

func FuzzNextStaysOnThisSite(f *testing.F) {
	for _, next := range append(evil, good...) {
		f.Add(next)
	}
	base, err := url.Parse("https://login.example/login/code")
	if err != nil {
		f.Fatal(err)
	}
	// What browsers do to a URL before they read it (WHATWG URL 4.4).
	browser := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/")
	f.Fuzz(func(t *testing.T, next string) {
		got := door.LocalPath(next)
		if got == "" {
			return
		}
		if got != next || !strings.HasPrefix(got, "/") || strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("%q became %q", next, got)
		}
		for _, form := range []string{got, browser.Replace(strings.TrimSpace(got))} {
			if to, err := base.Parse(form); err == nil && (to.Host != base.Host || to.Scheme != base.Scheme || to.User != nil) {
				t.Fatalf("%q leads to %s", next, to)
			}
		}
		if plain, err := url.PathUnescape(got); err == nil {
			if to, err := base.Parse(browser.Replace(plain)); err == nil && to.Host != base.Host {
				t.Fatalf("%q, decoded once, leads to %s", next, to)
			}
		}
	})
}
