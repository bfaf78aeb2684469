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

var goOn = regexp.MustCompile(`id="go-on" href="([^"]*)"`)

func TestWhoSetsUpAFactorIsLedBackToWhatNeedsIt(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	b, id := s.person(t)
	at := visitor{s.browser(t), "http://grafana.test"}
	at.enters(t, s, b, "/d").want(t, http.StatusFound, "")
	s.clock.advance(6 * time.Minute) // so that enrolling needs a fresh proof, too
	const wanted = "/admin/users?a=1&b=%26"
	step := s.local(t, at.asks(http.MethodGet, wanted, nil).want(t, http.StatusFound, "").header.Get("Location"))
	lacks := b.get(step).want(t, http.StatusOK, "")
	if text := seen(lacks.body); !strings.Contains(text, "What you want to open at grafana.test needs one more proof (strong).") {
		t.Errorf("the step-up says\n%s", text)
	}
	setUp := html.UnescapeString(group(regexp.MustCompile(`href="(/account/factors[^"]*)"`), lacks.body))
	page := b.get(setUp).want(t, http.StatusOK, "")
	if goOn.MatchString(page.body) {
		t.Error("it leads back before anything is set up")
	}
	proof := b.post("/account/factors/app", page.fields(t, "/account/factors/app")...).want(t, http.StatusSeeOther, "").header.Get("Location")
	page = b.leads(b.stepsUp(t, s, proof, id)).want(t, http.StatusOK, "")
	app := b.post("/account/factors/app", page.fields(t, "/account/factors/app")...).want(t, http.StatusOK, "")
	seed, err := totp.ParseSeed(group(secretOf, app.body))
	if err != nil {
		t.Fatal(err)
	}
	code := authApp{seed, s}.code(0)
	done := b.leads(b.post("/account/factors/app/code", append(app.fields(t, "/account/factors/app/code"), "totp", code)...))
	to := html.UnescapeString(group(goOn, done.body))
	handed := b.get(b.get(to).want(t, http.StatusSeeOther, "").header.Get("Location")).want(t, http.StatusSeeOther, "").header.Get("Location")
	enters, found := strings.CutPrefix(handed, at.origin)
	if !found {
		t.Fatalf("%q leads to %q", to, handed)
	}
	at.asks(http.MethodGet, enters, nil).want(t, http.StatusFound, at.origin+wanted)
}

func TestAPageOfFactorsLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := shared(t)
	b, _ := s.person(t)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"} {
		page := b.get("/account/factors?done=app&next="+next).want(t, http.StatusOK, "")
		if strings.Contains(page.body, "evil") || strings.Contains(page.body, "alert") || goOn.MatchString(page.body) {
			t.Errorf("next=%s is on the page", next)
		}
	}
}

// An address that is too long to be kept is not a broken page.
func TestALongWayOnIsNotKeptWhileAFactorIsSetUp(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.must(t, "levels", "set", "needs-app", "--need", "email+totp")
	b, _ := s.person(t)
	lacks := b.get("/step-up?level=needs-app&next=/account?"+strings.Repeat("%2525", 1500)).want(t, http.StatusOK, "")
	if !strings.Contains(lacks.body, `href="/account/factors"`) {
		t.Errorf("no way to set one up:\n%s", seen(lacks.body))
	}
}

func TestABrowserIsRememberedOnlyWhereThatHolds(t *testing.T) {
	t.Parallel()
	s := start(t)
	b, id := s.person(t)
	b.setsUpApp(t, s)
	s.mail.next(t, id)
	x := s.browser(t)
	x.signIn(id)
	for _, c := range []struct {
		valid string
		want  bool
	}{{"totp=1h", false}, {"totp=719h", false}, {"totp=720h", true}, {"email=1h", true}} {
		s.must(t, "levels", "set", "strong", "--need", "email+totp", "--valid", c.valid)
		if got := strings.Contains(x.get("/step-up?level=strong").want(t, http.StatusOK, "").body, `name="remember"`); got != c.want {
			t.Errorf("--valid %s: offered %v", c.valid, got)
		}
	}
	s.clock.advance(6 * time.Minute)
	if strings.Contains(x.get("/step-up?action=factors.change").want(t, http.StatusOK, "").body, `name="remember"`) {
		t.Error("offered for a change of factors, which asks every time")
	}
}
