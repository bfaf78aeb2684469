package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// odd are spellings of a path that some server or proxy reads as the path itself.
func odd(path string) []string {
	last := path[strings.LastIndex(path, "/"):]
	first := path[:len(path)-len(last)]
	return []string{
		"/" + path, "//" + path, "/login/.." + path, "/login/%2e%2e" + path, "/login/%2E%2E" + path, "/login/..%2f" + path[1:], "/static/x/../.." + path,
		"/." + path, "/%2e" + path, path + "/", path + "/.", path + "/%2e", path + "/x/..", path + ";x", path + ";x=1/", path + "%20", path + "%00", path + "%2f",
		strings.ToUpper(path), strings.Replace(path, "a", "A", 1), strings.Replace(path, "a", "%61", 1), first + "/;x" + last, first + "%2f" + last[1:], first + `\` + last[1:], "/%2f" + path[1:],
		path + "?/static/", path + "%3f", path + "%23", path + ".css", path + "/djauthy.css",
	}
}

// Row 76. A path that is not exactly that of a page is another page or none, and never one
// whose guard was passed.
func TestRow76_OddPathsPassNoGuard(t *testing.T) {
	t.Parallel()
	s := start(t)
	stranger, person := s.browser(t), s.browser(t)
	person.signIn(anID())
	s.clock.advance(6 * time.Minute) // so that a step-up has something to ask
	for _, r := range s.house.routes(t) {
		if r.method != http.MethodGet || r.who == anyone {
			continue
		}
		own := map[string]string{}
		if r.who == machine {
			own["X-Forwarded-For"] = "203.0.113.9" // through a proxy
		}
		page := stripped(person.do(http.MethodGet, r.example, "", "", nil).body)
		if len(page) < 10 {
			t.Fatalf("%s shows %q", r.example, page)
		}
		for _, path := range odd(r.example) {
			a, cookies, err := stranger.try(http.MethodGet, path, "", nil, own)
			if err != nil {
				continue // no server takes it
			}
			guarded := a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/login")
			if !guarded && a.status < 400 {
				t.Errorf("%s answers %d to %q", path, a.status, a.header.Get("Location"))
			}
			if a.status >= 500 || stripped(a.body) == page || len(cookies) > 1 {
				t.Errorf("%s answers %d with %d cookies and\n%s", path, a.status, len(cookies), a.body)
			}
		}
	}
}

// stripped is a page without what differs from one showing to the next.
func stripped(page string) string { return strings.Join(strings.Fields(page), " ") }
