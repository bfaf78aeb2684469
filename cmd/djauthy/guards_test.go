package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/multifactor"
)

// guarded are the requests that an action of a level guards.
func guarded(s *site, t testing.TB, id string) map[string][][]string {
	account := fmt.Sprint(s.count(t, "SELECT max(id) FROM accounts WHERE identifier = '"+id+"'"))
	return map[string][][]string{
		multifactor.AddAddress:    {{"/account/add", "id", anID()}},
		multifactor.RemoveAddress: {{"/account/remove", "account", account}},
		multifactor.ChangeFactors: {
			{"/account/factors/app"},
			{"/account/factors/app/code", "totp", "123456"},
			{"/account/factors/recovery"},
			{"/account/factors/passkey", "response", "{}"},
			{"/account/factors/remove", "factor", "1", "sure", "1"},
		},
		multifactor.DeleteAccount: {{"/account/delete"}},
		multifactor.EndSessions:   {{"/account/sessions/end", "session", "1"}, {"/account/sessions/end-others"}},
	}
}

// unguarded are the requests of a signed-in person that no level guards, and why.
var unguarded = map[string]string{
	"/account/settings":            "name and language open nothing",
	"/account/username":            "it signs nobody in",
	"/account/factors/rename":      "a name proves nothing",
	"/account/factors/forget":      "it takes away",
	"/account/factors/link/:token": "the link is the permission, once",
	"/account/merge":               "nobody gets there but by address.add, which is asked for again",
	"/step-up":                     "it is where levels are reached",
}

// Row 41. A route that changes something is guarded by a level, or says why not.
func TestRow41_EveryRouteHasItsActionOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	s := shared(t)
	_, id := s.person(t)
	has := map[string]bool{}
	for _, requests := range guarded(s, t, id) {
		for _, r := range requests {
			has[r[0]] = true
		}
	}
	for _, r := range s.house.routes(t) {
		if r.who != signedIn || r.method != http.MethodPost {
			continue
		}
		if why := unguarded[r.path]; has[r.path] == (why != "") {
			t.Errorf("POST %s: guarded %v, unguarded because %q", r.path, has[r.path], why)
		}
	}
}

// Row 41. Each action that a level guards is tried by somebody who has just signed in and does
// not hold the level.
func TestRow41_NoActionIsDoneBelowItsLevel(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		for _, action := range multifactor.Actions {
			if action == multifactor.Administer { // its pages do not exist yet
				continue
			}
			s.must(t, "levels", "set", "l-"+action, "--need", "email+totp", "--for-action", action)
		}
		b, id := s.person(t)
		other := s.browser(t)
		other.signIn(id)
		all := guarded(s, t, id)
		for _, action := range multifactor.Actions {
			if action != multifactor.Administer && len(all[action]) == 0 {
				t.Errorf("nothing tries %s", action)
			}
			for _, request := range all[action] {
				a := b.post(request[0], request[1:]...)
				to := a.header.Get("Location")
				if a.status != http.StatusForbidden && !(a.status == http.StatusSeeOther && strings.HasPrefix(to, "/step-up?action="+action)) {
					t.Errorf("%v answers %d to %q", request, a.status, to)
				}
			}
		}
		if !b.in() || !other.in() || len(list(t, s.must(t, "factors", "list", id, "--json"))) != 0 {
			t.Error("something was done")
		}
		if n := len(object(t, s.must(t, "users", "show", id, "--json"))["addresses"].([]any)); n != 1 {
			t.Errorf("%d addresses", n)
		}
	})
}

// A level that comes while somebody is on their way holds for them as well.
func TestALevelThatChangesDuringAStepUpHolds(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		second := anID()
		b.post("/account/add", "id", second).want(t, http.StatusSeeOther, "/login/code")
		code := s.mail.next(t, second).code()
		s.must(t, "levels", "set", "strong", "--need", "email+totp", "--for-action", "address.add")
		b.submit(code).want(t, http.StatusSeeOther, "/step-up?action=address.add&next=%2Faccount%2Fadd")
		if n := len(object(t, s.must(t, "users", "show", id, "--json"))["addresses"].([]any)); n != 1 {
			t.Errorf("%d addresses", n)
		}
		s.must(t, "levels", "set", "strong", "--need", "email", "--for-action", "address.add")
		b.submit(code).want(t, http.StatusSeeOther, "/account?done=added")

		// and one that is there no more leads on
		s.must(t, "levels", "set", "gone", "--need", "totp", "--for-action", "account.delete")
		b.get("/step-up?action=account.delete&next=/account/delete").want(t, http.StatusOK, "")
		s.must(t, "levels", "delete", "gone")
		b.get("/step-up?action=account.delete&next=/account/delete").want(t, http.StatusSeeOther, "/account/delete")
	})
}

func TestTwoBrowsersThatEnrollOrRemoveAtOnceLeaveOneOutcome(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		b.setsUpApp(t, s)
		number := digitsOf(list(t, s.must(t, "factors", "list", id, "--json"))[0]["number"])
		others := []*browser{b, b.clone(), b.clone(), b.clone()}
		s.mail.next(t, id)
		atOnce := func(do func(x *browser)) {
			var all sync.WaitGroup
			for _, x := range others {
				all.Go(func() { do(x) })
			}
			all.Wait()
		}
		atOnce(func(x *browser) { x.post("/account/factors/remove", "factor", number, "sure", "1") })
		if m := s.mail.next(t, id); !strings.Contains(m.text, "was removed") {
			t.Errorf("%s", m.text)
		}
		atOnce(func(x *browser) { x.post("/account/factors/recovery") })
		all := list(t, s.must(t, "factors", "list", id, "--json"))
		if len(all) != 1 || all[0]["factor"] != "recovery" || all[0]["left"] != 10.0 {
			t.Errorf("enrolled: %v", all)
		}
	})
}

func TestAFactorThatIsRemovedBetweenQuestionAndAnswerProvesNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		a := b.setsUpApp(t, s)
		s.mail.next(t, id)
		s.must(t, "levels", "set", "strong", "--need", "email+totp")
		x := s.browser(t)
		x.signIn(id)
		s.clock.advance(31e9)
		fields := x.get("/step-up?level=strong").want(t, http.StatusOK, "").fields(t, "/step-up")
		number := digitsOf(list(t, s.must(t, "factors", "list", id, "--json"))[0]["number"])
		s.must(t, "factors", "remove", id, number)
		x.post("/step-up", append(fields, "totp", a.code(0))...).want(t, http.StatusUnprocessableEntity, "")
		b.get("/step-up?level=strong").want(t, http.StatusOK, "") // what it had proved before counts no longer
	})
}
