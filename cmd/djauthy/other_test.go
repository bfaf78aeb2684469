package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var otherButton = regexp.MustCompile(`<button name="account" value="(\d+)">([^<]*)</button>`)

// Slow mail is no dead end in a browser that is known: the person's other addresses are ways
// in. To others that would say who has an account.
func TestAKnownBrowserMayGoAnotherWay(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	work := anID()
	b.post("/account/add", "id", work).want(t, http.StatusSeeOther, "/login/code")
	b.submit(s.mail.next(t, work).code()).want(t, http.StatusSeeOther, "/account?done=added")
	s.mail.next(t, id) // of the change
	b.post("/logout")

	b.post("/login", "id", id, "next", "/account/history").want(t, http.StatusSeeOther, "/login/code")
	s.mail.next(t, id)
	page := b.get("/login/code").want(t, http.StatusOK, "").body
	found := otherButton.FindAllStringSubmatch(page, -1)
	if len(found) != 1 || !strings.HasPrefix(found[0][2], "Send a code to p***n@") || strings.Contains(page, work) {
		t.Fatalf("%v:\n%s", found, page)
	}
	b.post("/login/code/other", "account", found[0][1]).want(t, http.StatusSeeOther, "/login/code")
	if page := b.get("/login/code").body; strings.Contains(page, work) || !strings.Contains(page, "p***n@people.example") {
		t.Errorf("the page shows\n%s", page)
	}
	b.submit(s.mail.next(t, work).code()).want(t, http.StatusSeeOther, "/account/history")

	stranger := s.browser(t)
	stranger.post("/login", "id", id).want(t, http.StatusSeeOther, "/login/code")
	if page := stranger.get("/login/code").body; otherButton.MatchString(page) {
		t.Errorf("a stranger is shown\n%s", page)
	}
	for _, account := range []string{found[0][1], "", "x", "-1"} {
		stranger.post("/login/code/other", "account", account).want(t, http.StatusSeeOther, "/login/code")
	}
	s.browser(t).post("/login/code/other", "account", found[0][1]).want(t, http.StatusSeeOther, "/login/code")
	if m := s.mail.next(t, id); m.code() == "" {
		t.Error("the stranger's own code did not come")
	}
	if n := s.count(t, "SELECT count(*) FROM attempts WHERE identifier = '"+work+"' AND purpose = 'sign-in'"); n != 1 {
		t.Errorf("%d attempts for the other address", n)
	}
	// Who is known with one address may not choose somebody else's.
	c, mine := s.person(t)
	c.post("/logout")
	c.post("/login", "id", mine).want(t, http.StatusSeeOther, "/login/code")
	c.post("/login/code/other", "account", found[0][1]).want(t, http.StatusSeeOther, "/login/code")
	if n := s.count(t, "SELECT count(*) FROM attempts WHERE identifier = '"+work+"' AND purpose = 'sign-in'"); n != 1 {
		t.Errorf("%d attempts for the other address", n)
	}
}
