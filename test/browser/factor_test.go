package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

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
