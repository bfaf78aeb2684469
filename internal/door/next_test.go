package door_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/door"
)

// evil are forms of next that some browser has followed to another site, or that hold
// what no URL holds.
var evil = []string{
	"/.//.", "/a/..//..//.", "/.//..//.", "", "//evil.example", "///evil.example", "https://evil.example", "https:evil.example", "http:/evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`,
	"/%5cevil.example", "/%2fevil.example", "/%2F/evil.example", "/\t/evil.example", "/\n/evil.example", "/\r\n/evil.example", " /evil.example", "\t//evil.example",
	"/%0a/evil.example", "/%0d%0aX: 1", "/x\r\nX: 1", "/\x00", "/%00", "/%7f", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:,x", "evil.example", "@evil.example",
	"//user@evil.example", "?next=//evil.example", "#/evil", "../x", "./x", "/\u2028x", "/\u2029x", "/\xff", "/?\xff", "/?a=\n", "/#\r", "/%zz", "/%", "/%4",
	"/.//evil.example", "/..//evil.example", "/a/..//evil.example", "/%2e%2e//evil.example", "/a/%2e%2e/%5Cevil.example", `/a/..\\evil.example`, `/app\x`, "//evil.example/../..", "/%2Fevil.example/../..",
	"/" + strings.Repeat("a", 8192), "/?" + strings.Repeat("%41", 8191),
}

// kept are local paths, as apps and pages use them, that come back byte for byte.
var kept = []string{
	"/", "/account", "/account/history?before=5", "/account#sessions", "/a?b=https://other.example/%2F", "/account?x=%C3%BC", "/a//b", "/a/../b", "/.well-known/x", "/@user",
	"/app?a=1&b=2&next=/other", "/app?q=%25%20+%26%2F%23%3F%3D", "/app/a%20b%2Fc%3Fd%23e", "/app?a[]=1&b=%5B%5D", "/app?text=one%0D%0Atwo", "/caf%E9?q=%E9", "/app?q=100%", "/app?q=%zz",
	"/app/a%5Cb", "/app?q=//evil.example/", "/app?to=javascript:x", "/a;b=c,d/e!$'()*~", "/app?#?#", "/" + strings.Repeat("a", 8191), "/?" + strings.Repeat("%41", 8190), "/?" + strings.Repeat("%", 8190),
}

// encoded are local paths of which something may not stand in a URI.
var encoded = map[string]string{
	"/ü": "/%C3%BC", "/日本?q=é#ß": "/%E6%97%A5%E6%9C%AC?q=%C3%A9#%C3%9F", "/a b": "/a%20b", `/?q="<x>"`: "/?q=%22%3Cx%3E%22", "/?q={a|b}^`": "/?q=%7Ba%7Cb%7D%5E%60",
	`/?re=\d+`: "/?re=%5Cd+", "/ü%20": "/%C3%BC%20", "/\ufffd": "/%EF%BF%BD", "/" + strings.Repeat("ü", 4095): "/" + strings.Repeat("%C3%BC", 4095),
}

// Row 29.
func TestNextIsALocalPathOrNothing(t *testing.T) {
	for _, next := range evil {
		if got, refusal := door.LocalPath(next); got != "" || refusal == "" {
			t.Errorf("%q is taken as %q; refused: %q", next, got, refusal)
		}
	}
	all := map[string]string{}
	for _, next := range kept {
		all[next] = next
	}
	for next, want := range encoded {
		all[next], all[want] = want, want
	}
	for next, want := range all {
		if got, refusal := door.LocalPath(next); got != want || refusal != "" {
			t.Errorf("%q became %q, want %q; refused: %q", next, got, want, refusal)
		}
	}
}

func TestARawNextIsTheRestOfTheQuery(t *testing.T) {
	for query, want := range map[string]string{
		"next=/app?a=1&b=2":           "/app?a=1&b=2",
		"next=/app?next=/b&next=/c":   "/app?next=/b&next=/c",
		"next=/app?q=%25%20+%26":      "/app?q=%25%20+%26",
		"next=//evil.example":         "//evil.example",
		"next=%2Fapp%3Fa%3D1%26b&c=d": "/app?a=1&b",
		"next=%2fapp%3Fq%3D%2525%2B+": "/app?q=%25+ ",
		"done=x&next=/app&b=2":        "/app",
		"done=x&next=%2Fapp%26b":      "/app&b",
		"next=":                       "",
		"next":                        "",
		"":                            "",
		"NEXT=/app":                   "",
		"next=https://evil.example/":  "https://evil.example/",
		"next=%2Fa&next=/b":           "/a",
	} {
		if got := door.RequestedNext(query); got != want {
			t.Errorf("%q asks for %q, want %q", query, got, want)
		}
	}
}

func FuzzNextStaysOnThisSite(f *testing.F) {
	for _, next := range append(evil, kept...) {
		f.Add(next)
	}
	for next := range encoded {
		f.Add(next)
	}
	base, err := url.Parse("https://login.example/login/code")
	if err != nil {
		f.Fatal(err)
	}
	// What browsers do to a URL before they read it (WHATWG URL 4.4).
	browser := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/")
	f.Fuzz(func(t *testing.T, next string) {
		got, refusal := door.LocalPath(next)
		if got == "" {
			if refusal == "" {
				t.Fatalf("%q is dropped without a reason", next)
			}
			return
		}
		if again, _ := door.LocalPath(got); again != got {
			t.Fatalf("%q became %q and then %q", next, got, again)
		}
		if !strings.HasPrefix(got, "/") || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r) }) {
			t.Fatalf("%q became %q", next, got)
		}
		for _, form := range []string{next, got, browser.Replace(strings.TrimSpace(got))} {
			if to, err := base.Parse(form); err == nil && (to.Host != base.Host || to.Scheme != base.Scheme || to.User != nil || strings.HasPrefix(to.Path, "//")) {
				t.Fatalf("%q leads to %s", next, to)
			}
		}
		path, _, _ := strings.Cut(got, "?")
		if plain, err := url.PathUnescape(path); err == nil {
			if to, err := base.Parse(browser.Replace(plain)); err == nil && to.Host != base.Host {
				t.Fatalf("%q, decoded once, leads to %s", next, to)
			}
		}
	})
}

// What goes in as raw next=/… comes out byte for byte when it was a valid URI
// reference, and also when it went through the encoded form of our own pages.
func FuzzNextComesBackAsItWasAskedFor(f *testing.F) {
	for _, next := range kept {
		f.Add(next)
	}
	f.Fuzz(func(t *testing.T, next string) {
		u, err := url.Parse(next)
		valid := err == nil && !strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r) })
		if _, refusal := door.LocalPath(next); !valid || u.IsAbs() || !strings.HasPrefix(next, "/") || refusal != "" {
			return
		}
		for _, query := range []string{"next=" + next, url.Values{"next": {next}}.Encode()} {
			if got, _ := door.LocalPath(door.RequestedNext(query)); got != next {
				t.Fatalf("%q, asked for by %q, came back as %q", next, query, got)
			}
		}
	})
}
