package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAnEnrolmentLinkIsForOneFactorAndEnds(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		b.setsUpApp(t, s)
		s.mail.next(t, id)
		s.must(t, "levels", "set", "strong", "--need", "totp", "--for-action", "factors.change")
		link := func() string {
			t.Helper()
			return s.local(t, object(t, s.must(t, "factors", "link", id, "--json"))["url"].(string))
		}
		lost := s.browser(t)
		opens := func(path string, status int) {
			t.Helper()
			lost.signIn(id)
			lost.post(path).want(t, status, "")
		}
		enrolls := func(status int) {
			t.Helper()
			lost.post("/account/factors/recovery").want(t, status, "")
		}
		opens(link(), http.StatusSeeOther)
		enrolls(http.StatusOK)
		s.mail.next(t, id)
		enrolls(http.StatusSeeOther) // it was for one

		older := link()
		path := link()
		opens(older, http.StatusGone)
		number, secret, _ := strings.Cut(path, ".")
		other := map[bool]string{true: "B", false: "A"}[secret[0] == 'A']
		opens(number+"."+other+secret[1:], http.StatusGone)
		opens(path, http.StatusSeeOther)
		s.clock.advance(61 * time.Minute) // in which the page waits
		enrolls(http.StatusSeeOther)

		path = link()
		s.clock.advance(24*time.Hour + time.Second)
		opens(path, http.StatusGone)
		enrolls(http.StatusSeeOther)
	})
}

// losesApp is a person who has lost their authenticator app: a browser in which they have just signed
// in, their address, and the path of an administrator's link.
func (s *site) losesApp(t *testing.T) (lost *browser, id, path string) {
	t.Helper()
	b, id := s.person(t)
	b.setsUpApp(t, s)
	s.mail.next(t, id)
	path = s.local(t, object(t, s.must(t, "factors", "link", id, "--json"))["url"].(string))
	lost = s.browser(t)
	lost.signIn(id)
	return lost, id, path
}

// byMail is a page of a step-up with the way of a code to the address.
func (b *browser) byMail(page string) string {
	b.t.Helper()
	return page + "&way=" + group(regexp.MustCompile(`way=(account-\d+)`), b.get(page).body)
}

// Who has taken the cookie before the link was opened gains nothing by it.
func TestRow19_AnEnrolmentLinkIsForTheBrowserThatOpensIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	lost, _, path := s.losesApp(t)
	thief := lost.clone()
	lost.post(path).want(t, http.StatusSeeOther, "/account/factors?done=linked")
	thief.post("/account/factors/recovery").want(t, http.StatusSeeOther, "")
	lost.post("/account/factors/recovery").want(t, http.StatusOK, "")
}

// Nor does who has the cookie of before and one factor, and makes theirs the newest by it.
func TestRow19_AnEnrolmentLinkIsNotForWhoProvesWithTheCookieOfBefore(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		s.must(t, "levels", "set", "strong", "--need", "email+totp", "--valid", "email=10m")
		lost, id, path := s.losesApp(t)
		s.clock.advance(20 * time.Minute)
		thief := lost.clone()
		lost.post(path).want(t, http.StatusSeeOther, "/account/factors?done=linked")
		thief.stepsUp(t, s, thief.byMail("/step-up?level=strong"), id).want(t, http.StatusSeeOther, "")
		for _, who := range []*browser{thief, lost} {
			who.post("/account/factors/recovery").want(t, http.StatusSeeOther, "")
		}
	})
}

// Who has opened it may still prove something else before.
func TestAnEnrolmentLinkOutlivesAStepUp(t *testing.T) {
	t.Parallel()
	s := start(t)
	lost, id, path := s.losesApp(t)
	s.clock.advance(20 * time.Minute)
	lost.post(path).want(t, http.StatusSeeOther, "/account/factors?done=linked")
	anew := lost.byMail("/step-up?action=account.delete&next=%2Faccount%2Fdelete")
	lost.stepsUp(t, s, anew, id).want(t, http.StatusSeeOther, "")
	lost.post("/account/factors/recovery").want(t, http.StatusOK, "")
}
