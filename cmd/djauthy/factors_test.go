package main

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
)

// app is an authenticator app that a test has set up.
type authApp struct {
	seed []byte
	s    *site
}

// code is what the app shows; off is how many steps its clock is off.
func (a authApp) code(off int64) string { return totp.Code(a.seed, totp.Step(a.s.clock.Now())+off) }

var (
	secretOf   = regexp.MustCompile(`id="totp-secret">([A-Z2-7]+)<`)
	recoveryOf = regexp.MustCompile(`class="recovery-code">([a-z-]+)<`)
)

// setsUpApp enrolls an authenticator app for the person of the browser.
func (b *browser) setsUpApp(t testing.TB, s *site) authApp {
	t.Helper()
	page := b.post("/account/factors/app").want(t, http.StatusOK, "")
	seed, err := totp.ParseSeed(group(secretOf, page.body))
	if err != nil {
		t.Fatalf("%v: %s", err, seen(page.body))
	}
	a := authApp{seed, s}
	wrong := b.post("/account/factors/app/code", append(page.fields(t, "/account/factors/app/code"), "totp", "000000")...)
	if wrong.status != http.StatusUnprocessableEntity || group(secretOf, wrong.body) != group(secretOf, page.body) {
		t.Errorf("a wrong code answers %d with the seed %s", wrong.status, group(secretOf, wrong.body))
	}
	b.post("/account/factors/app/code", append(page.fields(t, "/account/factors/app/code"), "totp", a.code(0), "name", "Phone")...).want(t, http.StatusSeeOther, "/account/factors?done=app")
	return a
}

// proves posts a field of the step-up's page.
func (b *browser) proves(t testing.TB, page, field, value string) answer {
	t.Helper()
	return b.post("/step-up", append(b.get(page).want(t, http.StatusOK, "").fields(t, "/step-up"), field, value)...)
}

func TestAnAuthenticatorAppIsASecondFactor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		s.must(t, "levels", "set", "strong", "--need", "email+totp", "--valid", "totp=1h", "--for-action", "account.delete")
		if page := seen(b.get("/step-up?level=strong").body); !strings.Contains(page, "an authenticator app") || !strings.Contains(page, "Set it up") {
			t.Errorf("the page says\n%s", page)
		}
		a := b.setsUpApp(t, s)
		if m := s.mail.next(t, id); !strings.Contains(m.text, "Phone (an authenticator app) was set up") || !strings.Contains(m.text, "/account/undo/") {
			t.Errorf("the message is\n%s", m.text)
		}
		b.get("/step-up?level=strong").want(t, http.StatusSeeOther, "/account") // setting it up proves it

		b = s.browser(t)
		b.signIn(id)
		b.post("/account/delete").want(t, http.StatusForbidden, "")
		const step = "/step-up?level=strong&next=/account/delete"
		b.proves(t, step, "totp", a.code(0)).want(t, http.StatusUnprocessableEntity, "") // used up by setting it up
		s.clock.advance(totp.Period)
		b.proves(t, step, "totp", "123").want(t, http.StatusUnprocessableEntity, "")
		b.proves(t, step, "totp", a.code(2)).want(t, http.StatusUnprocessableEntity, "")
		b.proves(t, step, "totp", a.code(-1)).want(t, http.StatusUnprocessableEntity, "") // the step that set it up
		b.proves(t, step, "totp", a.code(1)).want(t, http.StatusSeeOther, "/step-up?level=strong&next=%2Faccount%2Fdelete")
		b.get(step).want(t, http.StatusSeeOther, "/account/delete")
		if !strings.Contains(b.get("/account/delete").body, `action="/account/delete"`) {
			t.Error("the level is not held")
		}
		if page := b.get("/account").body; !strings.Contains(page, "strong") || !strings.Contains(page, "shown in this browser") {
			t.Error("the account does not say which levels are held")
		}
		s.clock.advance(61 * time.Minute) // the level takes it for an hour
		if page := b.get("/account").body; strings.Contains(page, "shown in this browser") || !strings.Contains(page, "Show it now") {
			t.Error("the account says that the level is held")
		}
		b.get(step).want(t, http.StatusOK, "")
	})
}

func TestANameOfAFactorHasABound(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	page := b.post("/account/factors/app").want(t, http.StatusOK, "")
	seed, err := totp.ParseSeed(group(secretOf, page.body))
	if err != nil {
		t.Fatal(err)
	}
	fields := append(page.fields(t, "/account/factors/app/code"), "totp", authApp{seed, s}.code(0))
	for _, name := range []string{strings.Repeat("a", 61), "a\nb"} {
		b.post("/account/factors/app/code", append(fields, "name", name)...).want(t, http.StatusUnprocessableEntity, "")
		b.post("/account/factors/passkey", append(b.get("/account/factors").fields(t, "/account/factors/passkey"), "name", name)...).want(t, http.StatusUnprocessableEntity, "")
	}
	if got := list(t, s.must(t, "factors", "list", id, "--json")); len(got) != 0 {
		t.Errorf("set up: %v", got)
	}
	b.post("/account/factors/app/code", append(fields, "name", strings.Repeat("ä", 60))...).want(t, http.StatusSeeOther, "/account/factors?done=app")
}

func TestTriesAtAuthenticatorCodesHaveABudgetOfThePerson(t *testing.T) {
	t.Parallel()
	s := start(t, "DJAUTHY_LIMITS_TRIES_PER_ID=6/1h")
	b, id := s.person(t)
	s.must(t, "levels", "set", "strong", "--need", "totp")
	a := b.setsUpApp(t, s)
	s.mail.next(t, id)
	const step = "/step-up?level=strong"
	browsers := []*browser{s.browser(t), s.browser(t)}
	for _, x := range browsers {
		x.signIn(id)
	}
	for i := range 6 {
		browsers[i%2].proves(t, step, "totp", "000000").want(t, http.StatusUnprocessableEntity, "")
	}
	s.clock.advance(time.Minute)
	for _, x := range browsers {
		if got := x.proves(t, step, "totp", a.code(0)); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
			t.Errorf("the right code after six wrong ones answers %d", got.status)
		}
	}
	stranger := s.browser(t)
	stranger.signIn(anID()) // burns nothing of the person's
	stranger.post("/step-up", "level", "strong", "totp", "000000")
	s.clock.advance(time.Hour)
	browsers[0].proves(t, step, "totp", a.code(0)).want(t, http.StatusSeeOther, "")
}

func TestRecoveryCodesStandForALostFactorOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		s.must(t, "levels", "set", "strong", "--need", "email+totp")
		b.setsUpApp(t, s)
		s.mail.next(t, id)
		page := b.post("/account/factors/recovery").want(t, http.StatusOK, "")
		var codes []string
		for _, m := range recoveryOf.FindAllStringSubmatch(page.body, -1) {
			codes = append(codes, html.UnescapeString(m[1]))
		}
		if len(codes) != 10 {
			t.Fatalf("%d codes: %s", len(codes), seen(page.body))
		}
		s.mail.next(t, id)
		if strings.Contains(b.get("/account/factors").body, codes[0]) {
			t.Error("the codes are shown again")
		}
		const step = "/step-up?level=strong&way=recovery"
		use := func(code string) answer {
			t.Helper()
			x := s.browser(t)
			x.signIn(id)
			return x.proves(t, step, "recovery_code", code)
		}
		use("aaaaa-aaaaa").want(t, http.StatusUnprocessableEntity, "")
		use(strings.ToUpper(strings.ReplaceAll(codes[3], "-", " "))).want(t, http.StatusSeeOther, "/step-up?level=strong&next=%2Faccount")
		if m := s.mail.next(t, id); !strings.Contains(m.text, "9 are left") {
			t.Errorf("the message is\n%s", m.text)
		}
		use(codes[3]).want(t, http.StatusUnprocessableEntity, "")
		use(codes[4]).want(t, http.StatusSeeOther, "")
		s.mail.next(t, id)
		b.post("/account/factors/recovery").want(t, http.StatusOK, "") // void the old
		s.mail.next(t, id)
		use(codes[5]).want(t, http.StatusUnprocessableEntity, "")
	})
}

func TestWhoHasASecondFactorProvesItBeforeChangingAny(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		a := b.setsUpApp(t, s)
		undo := s.mail.next(t, id)
		thief := s.browser(t)
		thief.signIn(id) // who reads the mail
		number := list(t, s.must(t, "factors", "list", id, "--json"))[0]["number"]
		const step = "/step-up?action=factors.change&next=%2Faccount%2Ffactors"
		for path, field := range map[string]string{"/account/factors/app": "", "/account/factors/recovery": "", "/account/factors/passkey": "response", "/account/factors/app/code": "totp"} {
			thief.post(path, field, "x").want(t, http.StatusSeeOther, step)
		}
		thief.post("/account/factors/remove", "factor", digitsOf(number), "sure", "1").want(t, http.StatusSeeOther, step)
		s.clock.advance(time.Minute)
		thief.proves(t, step, "totp", a.code(0)).want(t, http.StatusSeeOther, step)
		thief.get(step).want(t, http.StatusSeeOther, "/account/factors")
		thief.post("/account/factors/remove", "factor", digitsOf(number)).want(t, http.StatusOK, "") // which asks
		thief.post("/account/factors/remove", "factor", digitsOf(number), "sure", "1").want(t, http.StatusSeeOther, "/account/factors?done=removed")
		if m := s.mail.next(t, id); !strings.Contains(m.text, "Phone (an authenticator app) was removed") {
			t.Errorf("the message is\n%s", m.text)
		}
		if left := list(t, s.must(t, "factors", "list", id, "--json")); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
		_ = undo
	})
}

func TestAnAddedFactorIsUndoneFromAnAddress(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	b.setsUpApp(t, s)
	path := s.mail.next(t, id).undoPath(t)
	other := s.browser(t)
	other.get(path).want(t, http.StatusOK, "")
	other.post(path).want(t, http.StatusOK, "")
	if left := list(t, s.must(t, "factors", "list", id, "--json")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if b.in() {
		t.Error("who added it is signed in still")
	}
}

func TestAnEnrolmentLinkWorksOnceAndForOnePerson(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	b.setsUpApp(t, s)
	s.mail.next(t, id)
	s.must(t, "levels", "set", "strong", "--need", "totp", "--for-action", "factors.change")
	lost := s.browser(t)
	lost.signIn(id)
	lost.post("/account/factors/app").want(t, http.StatusSeeOther, "/step-up?action=factors.change&next=%2Faccount%2Ffactors")
	url := object(t, s.must(t, "factors", "link", id, "--json"))["url"].(string)
	path := url[strings.Index(url, "/account"):]
	stranger := s.browser(t)
	stranger.get(path).want(t, http.StatusSeeOther, "/login?next="+strings.ReplaceAll(path, "/", "%2F"))
	stranger.signIn(anID())
	stranger.get(path).want(t, http.StatusGone, "")
	stranger.post(path).want(t, http.StatusGone, "")
	lost.get(path).want(t, http.StatusOK, "")
	lost.post("/account/factors/app").want(t, http.StatusSeeOther, "/step-up?action=factors.change&next=%2Faccount%2Ffactors") // looking changes nothing
	lost.post(path).want(t, http.StatusSeeOther, "/account/factors?done=linked")
	number := list(t, s.must(t, "factors", "list", id, "--json"))[0]["number"]
	lost.post("/account/factors/remove", "factor", digitsOf(number), "sure", "1").want(t, http.StatusSeeOther, "/step-up?action=factors.change&next=%2Faccount%2Ffactors") // it adds alone
	lost.setsUpApp(t, s)
	s.mail.next(t, id)
	again := s.browser(t)
	again.signIn(id)
	again.get(path).want(t, http.StatusGone, "")
	again.post("/account/factors/recovery").want(t, http.StatusSeeOther, "/step-up?action=factors.change&next=%2Faccount%2Ffactors")
	s.must(t, "factors", "remove", id, digitsOf(number))
	if left := list(t, s.must(t, "factors", "list", id, "--json")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestARememberedBrowserSkipsTheSecondFactorForAWhile(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	a := b.setsUpApp(t, s)
	s.mail.next(t, id)
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	s.must(t, "levels", "set", "young", "--need", "email+totp", "--valid", "totp=1h")
	x := s.browser(t)
	x.signIn(id)
	s.clock.advance(time.Minute)
	x.post("/step-up", append(x.get("/step-up?level=strong").fields(t, "/step-up"), "totp", a.code(0), "remember", "1")...).want(t, http.StatusSeeOther, "")
	x.post("/logout").want(t, http.StatusSeeOther, "")
	s.clock.advance(2 * time.Hour)
	x.get("/step-up?level=strong").want(t, http.StatusSeeOther, "/login?next=%2Fstep-up%3Flevel%3Dstrong") // never the first
	x.signIn(id)
	x.get("/step-up?level=strong").want(t, http.StatusSeeOther, "/account")
	x.get("/step-up?level=young").want(t, http.StatusOK, "")
	x.post("/account/factors/recovery").want(t, http.StatusSeeOther, "/step-up?action=factors.change&next=%2Faccount%2Ffactors")
	x.signIn(anID()) // another person in the same browser
	x.get("/step-up?level=strong").want(t, http.StatusOK, "")
	x.signIn(id)
	device := group(regexp.MustCompile(`name="device" value="(\d+)"`), x.get("/account/factors").body)
	x.post("/account/factors/forget", "device", device).want(t, http.StatusSeeOther, "/account/factors?done=forgotten")
	x.signIn(id)
	x.get("/step-up?level=strong").want(t, http.StatusOK, "")
}

// digitsOf is a number of a command's JSON as forms and commands take it.
func digitsOf(number any) string {
	s, _ := number.(string)
	return s
}
