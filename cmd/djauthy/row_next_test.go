package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// offSite are forms of `next` that some browser has read as another site, or
// that write into a header.
var offSite = []string{
	"//evil.example", "///evil.example", "////evil.example", "https://evil.example", "http:evil.example", "http:/evil.example", "https:///evil.example",
	`/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, `/\\evil.example`, "/%5cevil.example", "/%5Cevil.example", "/%2f/evil.example",
	"/%2f%2fevil.example", "/%2Fevil.example", "%2f%2fevil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example",
	"/%09/evil.example", "/%0a/evil.example", "/%0d%0aSet-Cookie:x=1", "/\r\nSet-Cookie: x=1", "/account\r\nLocation: https://evil.example", "/\x00/evil.example", "/%00",
	"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "evil.example", "@evil.example", "user@evil.example/",
	"https://localhost@evil.example", "http://localhost:80:evil.example", "//localhost@evil.example", "//evil.example\\@localhost", "?//evil.example", "#//evil.example",
	".//evil.example", "..//evil.example", "/\u2028/evil.example", "/\ufffd", "/\xff", "ftp://evil.example", "//[::1]", "/?x=%0d%0aLocation:%20https://evil.example",
	"https:evil.example", "/" + strings.Repeat("a", 4000),
}

// onSite are local paths that people do want to come back to.
var onSite = []string{"/account", "/account/history?before=5", "/account#sessions", "/account/delete", "/a/b/c?x=https://other.example/&y=1", "/account?x=%C3%BC"}

// leadsOff reports whether a browser at the site would leave it.
func leadsOff(s *site, location string) bool {
	base, err := url.Parse(s.public.String() + "/login/code")
	if err != nil {
		return true
	}
	to, err := base.Parse(strings.NewReplacer(`\`, "/", "\t", "", "\n", "", "\r", "").Replace(location))
	return err != nil || to.Host != s.public.Host || to.Scheme != s.public.Scheme
}

// Row 29.
func TestRow29_NextNeverLeadsToAnotherSite(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for i, next := range append(offSite, onSite...) {
		good := i >= len(offSite)
		b, id := s.browser(t), anID()
		page := b.get("/login?"+form("next", next)).want(t, http.StatusOK, "")
		if shown := strings.Contains(page.body, `name="next"`); shown != good {
			t.Errorf("next=%q: the box keeps it: %v, want %v", next, shown, good)
		}
		b.post("/login", "id", id, "next", next).want(t, http.StatusSeeOther, "/login/code")
		a := b.submit(s.mail.next(t, id).code())
		want := "/account"
		if good {
			want = next
		}
		if lead := a.header.Get("Location"); a.status != http.StatusSeeOther || leadsOff(s, lead) || lead != want {
			t.Errorf("next=%q leads to %q (%d), want %q", next, lead, a.status, want)
		}
		if len(a.header.Values("Location")) != 1 || a.header.Get("X") != "" {
			t.Errorf("next=%q wrote headers: %v", next, a.header)
		}
	}
}

// Row 29: the path of a page that needs a session becomes next.
func TestRow29_APathThatLooksLikeAHostIsNoNext(t *testing.T) {
	t.Parallel()
	b := shared(t).browser(t)
	for _, path := range []string{"//evil.example/account", "/account?x=//evil.example", "/account/history?before=%0d%0aX:1"} {
		a := b.get(path)
		if lead := a.header.Get("Location"); lead != "" && leadsOff(b.s, lead) {
			t.Errorf("%s leads to %q", path, lead)
		}
	}
	if lead := b.get("/account/history?before=5").header.Get("Location"); lead != "/login?next=%2Faccount%2Fhistory%3Fbefore%3D5" {
		t.Errorf("the way back is lost: %q", lead)
	}
}
