package main

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

var removal = regexp.MustCompile(`action="/account/remove"><input type="hidden" name="account" value="(\d+)"><button class="way">Remove<span class="unseen">: ([^<]+)<`)

// removals are the numbers of the addresses that can be removed.
func (b *browser) removals() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	for _, m := range removal.FindAllStringSubmatch(b.get("/account").body, -1) {
		all[html.UnescapeString(m[2])] = m[1]
	}
	return all
}

// undoPath is the path that undoes what a message tells of.
func (l letter) undoPath(t testing.TB) string {
	t.Helper()
	_, after, found := strings.Cut(l.text, "/account/undo/")
	if !found {
		t.Fatalf("the message undoes nothing:\n%s", l.text)
	}
	return "/account/undo/" + strings.Fields(after)[0]
}

func TestAnAddressIsAddedAndRemovedOnTheAccountPage(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		work := anID()
		if len(b.removals()) != 0 {
			t.Error("the last address can be removed")
		}
		b.post("/account/add", "id", work).want(t, http.StatusSeeOther, "/login/code")
		code := b.get("/login/code").want(t, http.StatusOK, "")
		if !strings.Contains(code.body, work) || !strings.Contains(code.body, ">Add it</button>") || !strings.Contains(code.body, `href="/account/add"`) {
			t.Errorf("the code page is %s", seen(code.body))
		}
		b.submit("000000").want(t, http.StatusUnprocessableEntity, "")
		b.submit(s.mail.next(t, work).code()).want(t, http.StatusSeeOther, "/account?done=added")
		told := s.mail.next(t, id)
		if !strings.Contains(told.text, "was added to your account") || strings.Contains(told.text, work) {
			t.Errorf("the message says\n%s", told.text)
		}
		page := b.get("/account?done=added").body
		if !strings.Contains(page, "The address is yours now.") || len(b.removals()) != 2 {
			t.Errorf("%s", seen(page))
		}
		other := s.browser(t)
		other.signIn(work)
		b.post("/account/remove", "account", b.removals()[work]).want(t, http.StatusSeeOther, "/account?done=removed")
		if other.in() || !b.in() || len(b.removals()) != 0 {
			t.Error("the address still signs in, or the wrong browser is signed out")
		}
		undo := s.mail.next(t, id).undoPath(t)
		if gone := s.mail.next(t, work); strings.Contains(gone.text, "/account/undo/") { // it is told, too, but came last
			t.Errorf("the address that went may undo that:\n%s", gone.text)
		}
		stranger := s.browser(t)
		if page := stranger.get(undo).want(t, http.StatusOK, ""); !strings.Contains(page.body, "was removed from your account") {
			t.Errorf("%s", seen(page.body))
		}
		if !b.in() {
			t.Error("opening the link has done something")
		}
		stranger.post(undo).want(t, http.StatusOK, "")
		if b.in() {
			t.Error("undoing signs nobody out")
		}
		for _, to := range []string{id, work} {
			if m := s.mail.next(t, to); !strings.Contains(m.text, "was undone") {
				t.Errorf("%s is told\n%s", to, m.text)
			}
		}
		b.signIn(work)
		if len(b.removals()) != 2 {
			t.Error("the address is not back")
		}
		for _, path := range []string{undo + "x", "/account/undo/x", "/account/undo/" + aToken} {
			stranger.get(path).want(t, http.StatusGone, "")
			stranger.post(path).want(t, http.StatusGone, "")
		}
	})
}

func TestChangingAddressesNeedsAFreshProof(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	s.clock.advance(6 * time.Minute)
	more := anID()
	const step = "/step-up?action=address.add&next=%2Faccount%2Fadd"
	b.post("/account/add", "id", more).want(t, http.StatusSeeOther, step)
	page := b.get(step).want(t, http.StatusOK, "")
	if !strings.Contains(page.body, id) || !strings.Contains(page.body, `name="next" value="/account/add"`) {
		t.Errorf("the page is\n%s", page.body)
	}
	b.post("/account/remove", "account", "1").want(t, http.StatusSeeOther, "/step-up?action=address.remove&next=%2Faccount")
	b.leads(b.stepsUp(t, s, step, id)).want(t, http.StatusOK, "")
	b.post("/account/add", "id", more).want(t, http.StatusSeeOther, "/login/code") // it is fresh
	s.mail.next(t, more)
	s.clock.advance(6 * time.Minute)
	b.post("/account/add", "id", more).want(t, http.StatusSeeOther, step)
	b.stepsUp(t, s, step, id).want(t, http.StatusSeeOther, step)
	if form := b.get("/account/add"); !strings.Contains(form.body, `value="`+more+`"`) {
		t.Errorf("what was typed is lost:\n%s", seen(form.body))
	}
	if form := b.get("/account/add"); strings.Contains(form.body, more) {
		t.Error("what was typed is shown twice")
	}
	s.clock.advance(6 * time.Minute)
	b.post("/account/add", "id", more).want(t, http.StatusSeeOther, step)
	b.signIn(anID()) // somebody else, in the same browser
	if form := b.get("/account/add"); strings.Contains(form.body, more) {
		t.Error("what somebody else has typed is shown")
	}
	b.signIn(id)
	b.post("/account/add", "id", anID()).want(t, http.StatusSeeOther, "/login/code")
	s.browser(t).get("/step-up").want(t, http.StatusSeeOther, "/login?next=%2Fstep-up")
	b.get("/step-up?next=//evil.example").want(t, http.StatusSeeOther, "/account")
}

func TestTheLastAddressStays(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, id := s.person(t)
	account := s.count(t, "SELECT max(id) FROM accounts WHERE identifier = '"+id+"'")
	if a := b.post("/account/remove", "account", fmt.Sprint(account)).want(t, http.StatusUnprocessableEntity, ""); !strings.Contains(a.body, "last way to sign in") {
		t.Errorf("%s", seen(a.body))
	}
	b.post("/account/remove", "account", "1").want(t, http.StatusSeeOther, "/account?done=removed")
	b.post("/account/remove", "account", "x").want(t, http.StatusBadRequest, "")
	b.post("/account/remove").want(t, http.StatusBadRequest, "")
	if !b.in() {
		t.Error("signed out")
	}
}

func TestTwoPeopleWhoAreOneAreMergedAndUnmerged(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		other, second := s.person(t)
		b, first := s.person(t)
		b.post("/account/add", "id", second).want(t, http.StatusSeeOther, "/login/code")
		b.submit(s.mail.next(t, second).code()).want(t, http.StatusSeeOther, "/account/merge")
		page := b.get("/account/merge").want(t, http.StatusOK, "")
		if !strings.Contains(page.body, second) || !strings.Contains(page.body, "this can be undone") {
			t.Errorf("%s", seen(page.body))
		}
		other.get("/account/merge").want(t, http.StatusGone, "")
		other.post("/account/merge").want(t, http.StatusGone, "")
		b.post("/account/merge").want(t, http.StatusSeeOther, "/account?done=merged")
		if other.in() || len(b.removals()) != 2 {
			t.Error("they are not one")
		}
		s.mail.next(t, first).undoPath(t)
		s.mail.next(t, second).undoPath(t)
		other.signIn(second)
		if !strings.Contains(other.get("/account").body, first) {
			t.Error("the other address leads elsewhere")
		}
		alias := s.count(t, "SELECT id FROM users WHERE merged_into <> 0")
		if out := s.must(t, "users", "show", "--json", fmt.Sprint(alias)); !strings.Contains(out, first) || !strings.Contains(out, second) {
			t.Errorf("the alias leads to\n%s", out)
		}
		if out := s.must(t, "users", "unmerge", "--json", fmt.Sprint(alias)); strings.Contains(out, first) || !strings.Contains(out, second) {
			t.Errorf("unmerged:\n%s", out)
		}
		if b.in() || other.in() {
			t.Error("somebody is still signed in")
		}
		s.must(t, "users", "unmerge", fmt.Sprint(alias))
	})
}

func TestAUsernameIsChosenOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		other, _ := s.person(t)
		for _, name := range []string{"", "ab", "Ann", "1ann", "ann smith", "admin", "root", "djauthy", "ann@example.org", strings.Repeat("a", 31), "añn", "-ann"} {
			a := b.post("/account/username", "username", name).want(t, http.StatusUnprocessableEntity, "")
			if !strings.Contains(a.body, "That cannot be a username") || !strings.Contains(a.body, `id="username_problem"`) {
				t.Errorf("%q: %s", name, seen(a.body))
			}
		}
		b.post("/account/username", "username", "ann.lee").want(t, http.StatusSeeOther, "/account?done=renamed")
		if page := b.get("/account").body; !strings.Contains(page, `value="ann.lee"`) {
			t.Error("the page has another name")
		}
		taken := other.post("/account/username", "username", "ann.lee").want(t, http.StatusUnprocessableEntity, "")
		if !strings.Contains(taken.body, "Somebody else has that username") {
			t.Errorf("%s", seen(taken.body))
		}
		b.post("/account/username", "username", "ann-2").want(t, http.StatusSeeOther, "")
		other.post("/account/username", "username", "ann.lee").want(t, http.StatusUnprocessableEntity, "") // it was given up
		b.post("/account/username", "username", "ann.lee").want(t, http.StatusSeeOther, "")                // and is hers
		if out := s.must(t, "users", "rename", "--json", id, "lee"); !strings.Contains(out, `"username": "lee"`) {
			t.Errorf("%s", out)
		}
		s.must(t, "users", "rename", "lee", "lee")
		for _, name := range []string{"Lee", "admin"} {
			if _, stderr, code := s.command("users", "rename", "lee", name); code != exitFailed || !strings.Contains(stderr, "a username is") {
				t.Errorf("%s: exit %d, %s", name, code, stderr)
			}
		}
	})
}

// Who reads a person's mail must not put an address of their own in its place.
func TestWhoHasASecondFactorProvesItBeforeChangingAddresses(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		app := b.setsUpApp(t, s)
		s.mail.next(t, id)
		thief, more := s.browser(t), anID()
		thief.signIn(id)
		const add, remove = "/step-up?action=address.add&next=%2Faccount%2Fadd", "/step-up?action=address.remove&next=%2Faccount"
		thief.post("/account/add", "id", more).want(t, http.StatusSeeOther, add)
		thief.post("/account/remove", "account", "1").want(t, http.StatusSeeOther, remove)
		s.clock.advance(time.Minute)
		owner := thief // who has the app as well
		owner.proves(t, add, "totp", app.code(0)).want(t, http.StatusSeeOther, add)
		owner.post("/account/add", "id", more).want(t, http.StatusSeeOther, "/login/code")
		owner.submit(s.mail.next(t, more).code()).want(t, http.StatusSeeOther, "/account?done=added")
		s.mail.next(t, id) // which tells of it
		owner.post("/account/remove", "account", owner.removals()[more]).want(t, http.StatusSeeOther, "/account?done=removed")
	})
}
