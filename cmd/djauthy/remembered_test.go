package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// remembers has the browser of a person be remembered, with a second factor that was proved.
func (b *browser) remembers(t testing.TB, s *site, id string, app authApp) {
	t.Helper()
	b.signIn(id)
	s.clock.advance(time.Minute)
	b.post("/step-up", append(b.get("/step-up?level=strong").want(t, http.StatusOK, "").fields(t, "/step-up"), "totp", app.code(0), "remember", "1")...).want(t, http.StatusSeeOther, "")
	if b.cookies["djauthy_device"] == "" {
		t.Fatal("the browser is not remembered")
	}
}

func TestARememberedBrowserIsForgotten(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	app := b.setsUpApp(t, s)
	s.mail.next(t, id)
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	x := s.browser(t)
	stands := func(status int) {
		t.Helper()
		x.signIn(id)
		x.get("/step-up?level=strong").want(t, status, "")
	}

	x.remembers(t, s, id, app)
	s.clock.advance(30*24*time.Hour - time.Hour)
	stands(http.StatusSeeOther)
	s.clock.advance(time.Hour + time.Second) // what it stands for ends with it, in a session that goes on
	x.get("/step-up?level=strong").want(t, http.StatusOK, "")
	stands(http.StatusOK)

	x.remembers(t, s, id, app)
	number, secret, _ := strings.Cut(x.cookies["djauthy_device"], ".")
	good := x.cookies["djauthy_device"]
	x.cookies["djauthy_device"] = number + "." + map[bool]string{true: "B", false: "A"}[secret[0] == 'A'] + secret[1:]
	stands(http.StatusOK)
	x.cookies["djauthy_device"] = good
	stands(http.StatusSeeOther)

	other := s.browser(t) // nobody else ends it
	other.signIn(anID())
	device := group(regexp.MustCompile(`name="device" value="(\d+)"`), x.get("/account/factors").body)
	other.post("/account/factors/forget", "device", device)
	stands(http.StatusSeeOther)

	b.signIn(id)
	b.post("/account/sessions/end-others").want(t, http.StatusSeeOther, "")
	stands(http.StatusOK)

	x.remembers(t, s, id, app)
	s.must(t, "factors", "remove", id, digitsOf(list(t, s.must(t, "factors", "list", id, "--json"))[0]["number"]))
	stands(http.StatusOK) // without the factor it stands for nothing
}
