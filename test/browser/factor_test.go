package browser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/djauthy/djauthy/internal/totp"
)

// app is an authenticator app that somebody has set up.
type app struct{ seed []byte }

// code is what it shows.
func (a app) code() string { return totp.Code(a.seed, totp.Step(time.Now())) }

// setsUpApp sets an app up for the person of a browser.
func (p *place) setsUpApp(b *browser, id string) app {
	p.t.Helper()
	b.visit("/account/factors")
	b.press("Set up an app")
	seed, err := totp.ParseSeed(b.text("#totp-secret"))
	if err != nil {
		p.t.Fatalf("%v: %s", err, b.text("main"))
	}
	a := app{seed}
	b.fill("totp", a.code())
	b.press("Set it up")
	b.at("/account/factors?done=app", 200)
	// Its code counts once. The next is half a minute away.
	p.exec(p.t, `UPDATE authenticators SET counter = 0 WHERE kind = 'totp'`)
	return a
}

// speak chooses a language at the foot of the page.
func (b *browser) speak(language string) {
	b.t.Helper()
	b.leave(chromedp.Click(chromedp.CSS(`footer button[value="` + language + `"]`)))
}

// What answers a form has no address of its own to lead back to.
func TestALanguageIsChosenWhereAFormWasAnswered(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.visit("/account/factors")
	b.press("Set up an app")
	b.at("/account/factors/app", 200)
	b.speak("de")
	b.at("/account/factors", 200)
	b.speak("en")
	b.press("Make recovery codes")
	b.at("/account/factors/recovery", 200)
	if n := eval[int](b, `document.querySelectorAll(".recovery-code").length`); n != 10 {
		t.Errorf("%d codes are shown", n)
	}
	if eval[bool](b, `!!document.querySelector("footer button")`) {
		t.Error("another language would take the codes away")
	}
	p.age(t)
	b.visit("/step-up?action=address.add&next=/account/history")
	b.press("Send me a code")
	b.press("Go on")
	b.at("/step-up", 422)
	b.speak("de")
	if at := b.path(); !strings.HasPrefix(at, "/step-up?action=address.add&way=account-") || !strings.HasSuffix(at, "&next=%2Faccount%2Fhistory") {
		t.Errorf("the step-up leads to %s", at)
	}
	b.speak("en")
	b.visit("/login/passkey") // as whoever types the address of a refused passkey once more
	b.at("/login", 200)
}

func TestAFactorThatOthersAddedIsUndone(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	p.setsUpApp(b, "ann@people.example")
	b.leave(chromedp.Click(chromedp.CSS(`form[action="/account/factors/remove"] button`)))
	b.says("An authenticator app no longer shows that it is you.")
	b.arrive("factor-remove")
	b.press("Yes, remove it")
	b.at("/account/factors?done=removed", 200)
	added, removed := p.mail.Next(t, "ann@people.example"), p.mail.Next(t, "ann@people.example")
	other := p.open()
	other.visit(undoOf(t, added))
	other.says("An authenticator app was set up for your account", "it no longer shows that it is you")
	other.arrive("undo-factor")
	other.visit(undoOf(t, removed))
	other.says("An authenticator app was removed from your account")
	other.press("It was not me: undo it")
	other.says("It is undone")
	p.mail.Next(t, "ann@people.example") // which tells of it
	p.signIn(b, "ann@people.example")
	b.visit("/account/factors")
	b.says("an authenticator app")
}
