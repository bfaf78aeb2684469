package main

import (
	"net/http"
	"testing"

	"github.com/djauthy/djauthy/internal/totp"
)

// A cookie that was taken before a step-up opens nothing that the step-up opens, and nothing at
// all once the browser has used its new one.
func TestRow19_AProofRenewsTheCookieSoThatAThiefGainsNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		const strong = "/step-up?level=strong&next=%2Faccount%2Fdelete"
		b, id := s.person(t)
		s.must(t, "levels", "set", "strong", "--need", "email+totp", "--valid", "totp=1h", "--for-action", "account.delete")
		before := b.clone()
		app := b.setsUpApp(t, s) // which proves it
		s.mail.next(t, id)       // which tells of it
		b.get(strong).want(t, http.StatusSeeOther, "/account/delete")
		before.get(strong).want(t, http.StatusOK, "")
		before.post("/account/delete").want(t, http.StatusForbidden, "")

		b = s.browser(t)
		b.signIn(id)
		thief := b.clone()
		s.clock.advance(totp.Period)
		b.proves(t, strong, "totp", app.code(0)).want(t, http.StatusSeeOther, strong)
		thief.get(strong).want(t, http.StatusOK, "")
		thief.post("/account/delete").want(t, http.StatusForbidden, "")
		b.get(strong).want(t, http.StatusSeeOther, "/account/delete")
		if err := s.house.sessions.WriteSeen(t.Context()); err != nil {
			t.Fatal(err)
		}
		if thief.in() {
			t.Error("the cookie that the thief took is still good")
		}
		if !b.in() {
			t.Error("the person is signed out")
		}
	})
}

// The response with the new cookie may never arrive; then nobody loses their session.
func TestALostResponseToAProofSignsNobodyOut(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, _ := s.person(t)
		lost := b.clone() // its next request is the one whose response is lost
		app := lost.setsUpApp(t, s)
		s.must(t, "levels", "set", "strong", "--need", "totp", "--for-action", "account.delete")
		if err := s.house.sessions.WriteSeen(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !b.in() {
			t.Fatal("the person is signed out")
		}
		s.clock.advance(totp.Period)
		b.proves(t, "/step-up?level=strong", "totp", app.code(0)).want(t, http.StatusSeeOther, "/step-up?level=strong&next=%2Faccount")
		b.get("/step-up?level=strong").want(t, http.StatusSeeOther, "/account")
	})
}
