package main

import (
	"net/http"
	"testing"
	"time"
)

// A session of somebody who has walked away enrolls nothing, and removes nothing: not even
// with the proof of a second factor, which is as old.
func TestChangingFactorsNeedsAFreshProof(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	const step = "/step-up?action=factors.change&next=%2Faccount%2Ffactors"
	refuses := func(requests ...[]string) {
		t.Helper()
		s.clock.advance(6 * time.Minute)
		for _, request := range requests {
			b.post(request[0], request[1:]...).want(t, http.StatusSeeOther, step)
		}
		b.get("/step-up").want(t, http.StatusOK, "") // nor has it proved anew who they are
	}
	refuses([]string{"/account/factors/app"}, []string{"/account/factors/app/code", "totp", "123456"}, []string{"/account/factors/recovery"}, []string{"/account/factors/passkey", "response", "{}"})
	b.stepsUp(t, s, step, id).want(t, http.StatusSeeOther, step)
	app := b.setsUpApp(t, s)
	s.mail.next(t, id)
	number := digitsOf(list(t, s.must(t, "factors", "list", id, "--json"))[0]["number"])
	remove := []string{"/account/factors/remove", "factor", number, "sure", "1"}
	refuses(remove, []string{"/account/factors/recovery"})
	b.proves(t, step, "totp", app.code(0)).want(t, http.StatusSeeOther, step)
	b.post(remove[0], remove[1:]...).want(t, http.StatusSeeOther, "/account/factors?done=removed")
}
