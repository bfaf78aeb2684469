package main

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// formField finds the hidden fields of a page.
var formField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields are the hidden fields of the first form of a page that posts to an address.
func (a answer) fields(t testing.TB, action string) (pairs []string) {
	t.Helper()
	_, form, found := strings.Cut(a.body, `<form method="post" action="`+action+`"`)
	form, _, _ = strings.Cut(form, "</form>")
	if !found {
		t.Fatalf("no form posts to %s:\n%s", action, seen(a.body))
	}
	for _, m := range formField.FindAllStringSubmatch(form, -1) {
		pairs = append(pairs, html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return pairs
}

// stepsUp proves an address once more, from the page of a step-up on, and returns where that
// leads.
func (b *browser) stepsUp(t testing.TB, s *site, page, id string) answer {
	t.Helper()
	a := b.post("/step-up", b.get(page).want(t, http.StatusOK, "").fields(t, "/step-up")...).want(t, http.StatusSeeOther, "")
	form := b.get(a.header.Get("Location")).want(t, http.StatusOK, "")
	return b.post("/step-up", append(form.fields(t, "/step-up"), "auth_code", s.mail.next(t, id).code())...)
}

// leads follows redirects and returns the last page.
func (b *browser) leads(a answer) answer {
	for range 5 {
		to := a.header.Get("Location")
		if to == "" {
			break
		}
		a = b.get(to)
	}
	return a
}

func TestALevelAsksForASecondAddress(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		s.must(t, "levels", "set", "strong", "--rank", "20", "--need", "code+code", "--valid", "code=1h", "--for-action", "account.delete")
		page := b.get("/account/delete")
		if strings.Contains(page.body, `action="/account/delete"`) {
			t.Fatal("the account can be deleted")
		}
		b.post("/account/delete").want(t, http.StatusForbidden, "")
		const step = "/step-up?action=account.delete&next=%2Faccount%2Fdelete"
		if page := seen(b.get(step).body); !strings.Contains(page, "delete your account") || !strings.Contains(page, "strong") || !strings.Contains(page, "you have not set it up") {
			t.Errorf("the page says\n%s", page)
		}
		second := anID()
		b.post("/account/add", "id", second).want(t, http.StatusSeeOther, "/login/code")
		b.submit(s.mail.next(t, second).code()).want(t, http.StatusSeeOther, "/account?done=added")
		s.mail.next(t, id) // which tells of it
		b.post("/account/delete").want(t, http.StatusForbidden, "")
		b.stepsUp(t, s, step, second).want(t, http.StatusSeeOther, step)
		b.get(step).want(t, http.StatusSeeOther, "/account/delete")
		if page := b.get("/account/delete"); !strings.Contains(page.body, `action="/account/delete"`) {
			t.Errorf("the level is not held:\n%s", seen(page.body))
		}
		other := s.browser(t) // a proof in one browser lifts nothing in another
		other.signIn(id)
		other.post("/account/delete").want(t, http.StatusForbidden, "")
		b.post("/account/delete").want(t, http.StatusOK, "")
	})
}

func TestAStepUpByName(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	b.get("/step-up?level=nix").want(t, http.StatusNotFound, "")
	s.must(t, "levels", "set", "once", "--need", "email", "--valid", "email=10m")
	b.get("/step-up?level=once&next=/account/history?a=b").want(t, http.StatusSeeOther, "/account/history?a=b")
	b.get("/step-up?level=once&next=//evil.example").want(t, http.StatusSeeOther, "/account")
	s.clock.advance(11 * 60e9)
	page := b.get("/step-up?level=once&next=/account/history")
	b.post("/step-up", append(page.fields(t, "/step-up"), "auth_code", "")...).want(t, http.StatusUnprocessableEntity, "")
	b.stepsUp(t, s, "/step-up?level=once&next=/account/history", id).want(t, http.StatusSeeOther, "/step-up?level=once&next=%2Faccount%2Fhistory")
	b.get("/step-up?level=once&next=/account/history").want(t, http.StatusSeeOther, "/account/history")
	b.get("/step-up?level=once&level=nix").want(t, http.StatusNotFound, "")
}
