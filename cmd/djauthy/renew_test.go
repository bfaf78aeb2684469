package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

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

// A thief of the cookie who reads the person's mail, too, proves that in the session; what the
// person proves next is not the thief's.
func TestRow19_AThiefWithOneFactorGainsNotTheOther(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		const strong = "/step-up?level=strong&next=%2Faccount%2Fdelete"
		s.must(t, "levels", "set", "strong", "--need", "email+totp", "--valid", "email=10m", "--for-action", "account.delete")
		b, id := s.person(t)
		app := b.setsUpApp(t, s)
		s.mail.next(t, id)
		b = s.browser(t)
		b.signIn(id)
		thief := b.clone()
		s.clock.advance(20 * time.Minute)
		byMail := thief.byMail(strong)
		thief.stepsUp(t, s, byMail, id).want(t, http.StatusSeeOther, strong)
		b.proves(t, strong+"&way=totp", "totp", app.code(0)).want(t, http.StatusSeeOther, strong)
		thief.post("/account/delete").want(t, http.StatusForbidden, "")
		if text := seen(thief.get(strong).want(t, http.StatusOK, "").body); !strings.Contains(text, "Enter the code from your app") && !strings.Contains(text, "code to") {
			t.Errorf("the thief is asked for\n%s", text)
		}
		s.clock.advance(time.Minute) // between two codes
		b.stepsUp(t, s, byMail, id).want(t, http.StatusSeeOther, strong)
		b.get(strong).want(t, http.StatusSeeOther, "/account/delete")
		thief.post("/account/delete").want(t, http.StatusSeeOther, "/login?next=%2Faccount")
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

// Who took a site over with a stolen cookie gains nothing there by a later proof, and neither
// does one who takes it over with the cookie of before.
func TestRow19_AProofOpensNoSiteThatAThiefHasTakenOver(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, _ := s.person(t)
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	thief := b.clone()
	const grafana = "http://grafana.test"
	early, late, own := visitor{s.browser(t), grafana}, visitor{s.browser(t), grafana}, visitor{s.browser(t), grafana}
	early.enters(t, s, thief, "/").want(t, http.StatusFound, grafana+"/")
	b.setsUpApp(t, s) // which proves it
	for _, v := range []visitor{early, late} {
		if v == late {
			v.enters(t, s, thief, "/").want(t, http.StatusFound, grafana+"/")
		}
		v.asks(http.MethodGet, "/", nil).want(t, http.StatusOK, "")
		v.asks(http.MethodGet, "/admin", nil).want(t, http.StatusFound, "")
	}
	own.enters(t, s, b, "/").want(t, http.StatusFound, grafana+"/")
	own.asks(http.MethodGet, "/admin", nil).want(t, http.StatusOK, "")
}

// A person who proves more for a site is led back to it, and is in.
func TestASiteKnowsAProofThatItHasAskedFor(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	b, _ := s.person(t)
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	v := visitor{s.browser(t), "http://grafana.test"}
	v.enters(t, s, b, "/").want(t, http.StatusFound, v.origin+"/")
	b.setsUpApp(t, s)
	to := s.local(t, v.asks(http.MethodGet, "/admin", nil).want(t, http.StatusFound, "").header.Get("Location"))
	to = b.get(to).want(t, http.StatusSeeOther, "").header.Get("Location") // nothing is left to prove
	to = b.get(to).want(t, http.StatusSeeOther, "").header.Get("Location")
	v.asks(http.MethodGet, strings.TrimPrefix(to, v.origin), nil).want(t, http.StatusFound, v.origin+"/admin")
	v.asks(http.MethodGet, "/admin", nil).want(t, http.StatusOK, "")
}
