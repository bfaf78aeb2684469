package main

import (
	"net/http"
	"strings"
	"testing"
)

// Else whoever reads one address of somebody would get all of them without the second factor.
func TestSomebodyWithASecondFactorIsNotMergedIntoAnother(t *testing.T) {
	t.Parallel()
	s := start(t)
	ann, annID := s.person(t)
	ann.setsUpApp(t, s)
	s.mail.next(t, annID)
	eve, _ := s.person(t) // who reads ann's mail
	eve.post("/account/add", "id", annID).want(t, http.StatusSeeOther, "/login/code")
	if a := eve.submit(s.mail.next(t, annID).code()).want(t, http.StatusUnprocessableEntity, ""); !strings.Contains(a.body, "second proof") {
		t.Errorf("%s", seen(a.body))
	}
	eve.post("/account/merge").want(t, http.StatusGone, "")
	if !ann.in() {
		t.Error("ann is signed out")
	}
}

func TestTheMergePageTellsOfGroupsThatStayBehind(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.must(t, "groups", "add", "ops")
	_, annID := s.person(t)
	s.must(t, "groups", "join", "ops", annID)
	b, _ := s.person(t)
	b.post("/account/add", "id", annID).want(t, http.StatusSeeOther, "/login/code")
	b.submit(s.mail.next(t, annID).code()).want(t, http.StatusSeeOther, "/account/merge")
	if page := seen(b.get("/account/merge").body); !strings.Contains(page, "ops") {
		t.Errorf("the page says\n%s", page)
	}
	b.post("/account/merge").want(t, http.StatusSeeOther, "/account?done=merged")
	if all := list(t, s.must(t, "groups", "members", "ops", "--json")); len(all) != 1 {
		t.Errorf("members: %v", all)
	}
}

// Adding an address may end in merging two users, and a level that guards adding guards that.
func TestALevelThatComesBeforeTheMergeHolds(t *testing.T) {
	t.Parallel()
	s := start(t)
	ann, annID := s.person(t)
	b, _ := s.person(t)
	b.post("/account/add", "id", annID).want(t, http.StatusSeeOther, "/login/code")
	b.submit(s.mail.next(t, annID).code()).want(t, http.StatusSeeOther, "/account/merge")
	s.must(t, "levels", "set", "strong", "--need", "email+totp", "--for-action", "address.add")
	b.get("/account/merge").want(t, http.StatusGone, "")
	b.post("/account/merge").want(t, http.StatusGone, "")
	if !ann.in() {
		t.Error("the users are merged")
	}
	s.must(t, "levels", "delete", "strong")
	b.post("/account/merge").want(t, http.StatusSeeOther, "/account?done=merged")
}

func TestAProvidersWordForASecondFactorCountsOnlyIfItIsTrusted(t *testing.T) {
	t.Parallel()
	for trust, status := range map[string]int{"true": http.StatusSeeOther, "false": http.StatusOK} {
		s, i := startCorp(t, "DJAUTHY_PROVIDER_0_TRUST_FACTORS="+trust)
		i.Person["amr"] = []string{"pwd", "otp"}
		s.must(t, "levels", "set", "strong", "--need", "corp+totp")
		b := s.browser(t)
		b.get(b.provided(b.get("/login/corp"))).want(t, http.StatusSeeOther, "")
		b.get("/step-up?level=strong").want(t, status, "")
	}
}
