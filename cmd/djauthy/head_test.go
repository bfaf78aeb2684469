package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestCookiesOfOtherAppsDoNotKeepPeopleFromSigningIn(t *testing.T) {
	t.Parallel()
	for kib, settings := range map[int][]string{31: nil, 63: {"DJAUTHY_MAX_HEADER_KIB=64"}} {
		s := start(t, settings...)
		b := s.browser(t)
		for _, name := range []string{"app1", "app2", "app3", "app4", "app5"} {
			b.cookies[name] = strings.Repeat("x", 4<<10) // as large as browsers take
		}
		b.cookies["rest"] = strings.Repeat("x", (kib-21)<<10)
		b.get("/login").want(t, http.StatusOK, "")
		b.signIn(anID())
		b.get("/forward-auth").want(t, http.StatusOK, "")
	}
}

// The answer has to arrive, too: when a connection is closed with something
// unread, its last answer is lost.
func TestTooManyCookiesAreToldAsSuch(t *testing.T) {
	t.Parallel()
	small := start(t, "DJAUTHY_MAX_HEADER_KIB=8")
	for kib, s := range map[int]*site{9: small, 33: shared(t), 64: shared(t), 700: shared(t)} {
		for range 5 {
			b := s.browser(t)
			b.cookies["app"] = strings.Repeat("x", kib<<10)
			a, _, err := b.try(http.MethodGet, "/login", "", nil, nil)
			if err != nil || a.status != http.StatusRequestHeaderFieldsTooLarge || !strings.Contains(a.body, "Delete the cookies of this site") {
				t.Fatalf("%d KiB of cookies: answered %d, %v: %s", kib, a.status, err, seen(a.body))
			}
		}
	}
}
