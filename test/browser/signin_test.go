package browser_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The main job: an address that was never here, a code, and in; then again.
func TestSignUpAndSignInAgain(t *testing.T) {
	p := newPlaceBy(t, &whole)
	b := p.open()
	b.visit("/")
	b.at("/login", 200)
	b.focused()
	if focus := eval[string](b, `document.activeElement.id`); focus != "id" {
		t.Errorf("the focus is on %q, not on the one field", focus)
	}
	b.arrive("login")
	b.fill("id", "Ann.Lee@People.example")
	b.press("Send me a code")
	b.at("/login/code", 200)
	b.says("Ann.Lee@People.example", "Change the address", "left", "Send it again in 0:")
	b.arrive("code")
	m := p.mail.Next(t, "Ann.Lee@people.example")
	if !strings.HasPrefix(m.Subject, m.Code()+" ") || !strings.Contains(m.Text, "Chrome on Linux") {
		t.Errorf("the message %q does not say who asked:\n%s", m.Subject, m.Text)
	}
	b.enter(m.Code())
	b.at("/account", 200)
	b.says("ann.lee@people.example", "Chrome on Linux", "this browser")
	b.arrive("account")
	username := eval[string](b, `document.getElementById("username").value`)

	b.press("Sign out")
	b.at("/login?done=signed_out", 200)
	b.says("You are signed out.")
	b.arrive("login-signed-out")
	b.visit("/account")
	b.at("/login?next=%2Faccount", 200)
	p.signIn(b, "ann.lee@people.example")
	if again := eval[string](b, `document.getElementById("username").value`); again != username {
		t.Errorf("the second time it is %s, the first time %s", again, username)
	}
}

// The picture of the sign-in page in the README is made by UPDATE=1.
func TestPictureOfTheSignInPage(t *testing.T) {
	p := newPlace(t, "BRAND_NAME=djauthy")
	b := p.open(look{width: 800, height: 400, language: "en"})
	b.visit("/login")
	if os.Getenv("UPDATE") != "" {
		keep(t, "../../docs/sign-in.png", b.shoot("readme"))
	}
}

func TestAnAddressThatIsNoneIsToldAtTheField(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	b.visit("/login")
	b.fill("id", "ann.people.example")
	b.press("Send me a code")
	b.at("/login", 422)
	b.alerted("An @ is missing,", "id")
	if kept := eval[string](b, `document.getElementById("id").value`); kept != "ann.people.example" {
		t.Errorf("the field holds %q instead of what was typed", kept)
	}
	b.arrive("login-wrong")
	b.fill("id", "ann@people.example")
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.at("/login/code", 200)
}

// alerted requires that the problem of a page with one field is told once, at the field,
// which has the caret and is in view above a phone's keyboard.
func (b *browser) alerted(what, field string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`document.activeElement.id == %q`, field))
	got := eval[map[string]string](b, `(() => {
		const field = document.activeElement, problem = document.getElementById(field.getAttribute("aria-describedby"));
		return {
			role: problem.getAttribute("role"), said: problem.innerText, title: document.title, invalid: field.getAttribute("aria-invalid"),
			times: String(document.querySelectorAll("[role=alert]").length),
			inView: String(field.getBoundingClientRect().bottom < innerHeight),
		};
	})()`)
	if got["role"] != "alert" || got["times"] != "1" || got["invalid"] != "true" || got["inView"] != "true" || !strings.HasPrefix(got["title"], "Error: ") ||
		!strings.Contains(got["said"], what) {
		b.t.Errorf("%q is told so: %v", what, got)
	}
}

func TestASlipOfTheFingerIsAskedAbout(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	b.visit("/login?next=/account/history")
	b.fill("id", "ann@gmial.com")
	b.press("Send me a code")
	b.at("/login", 422)
	b.alerted("Did you mean ann@gmail.com?", "id")
	b.arrive("login-meant")
	b.press("Yes, send it to ann@gmail.com")
	b.at("/login/code", 200)
	b.enter(p.mail.Next(t, "ann@gmail.com").Code())
	b.at("/account/history", 200)
	other := p.open()
	other.visit("/login")
	other.fill("id", "ann@gmial.com")
	other.press("Send me a code")
	other.press("No, to ann@gmial.com")
	other.at("/login/code", 200)
	p.mail.Next(t, "ann@gmial.com")
}

// The page is in the language of the browser, until another one is chosen at its foot.
func TestALanguageIsChosenAtTheFootOfAPage(t *testing.T) {
	p := newPlace(t, "BRAND_HELP=https://help.example.org/", "BRAND_PRIVACY=mailto:privacy@example.org")
	b := p.open()
	b.visit("/login")
	b.says("Help", "Privacy")
	b.leave(chromedp.Click(chromedp.Search(`//footer//button[@value="de"]`)))
	b.at("/login", 200)
	b.says("Anmelden", "Hilfe", "Datenschutz")
	b.arrive("de-login-frame")
	b.visit("/nowhere")
	b.says("Zur Anmeldeseite")
	b.leave(chromedp.Click(chromedp.Search(`//footer//button[@value="en"]`)))
	b.at("/nowhere", 404)
	b.says("Go to the sign-in page")
}

func TestWhoIsSignedInIsToldSoOnTheSignInPage(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.visit("/login?next=/account/history")
	b.says("You are signed in.")
	b.arrive("login-signed-in")
	b.press("Go on")
	b.at("/account/history", 200)
}

// A phone's keyboard leaves 400 of 667 pixels.
func TestAProblemAndItsFieldAreInViewAboveAPhonesKeyboard(t *testing.T) {
	p := newPlace(t, "LIMITS_RESEND_EVERY=0")
	for _, language := range []string{"en", "de"} {
		b := p.open(look{width: 375, height: 667, language: language})
		inView := func(field string) {
			t.Helper()
			b.await(fmt.Sprintf(`document.activeElement.id == %q`, field))
			at := eval[float64](b, `document.activeElement.getBoundingClientRect().bottom`)
			problem := eval[float64](b, `document.getElementById("problem").getBoundingClientRect().top`)
			if at > 400 || problem < 0 {
				t.Errorf("in %s the field %s ends at %.0f, its problem begins at %.0f", language, field, at, problem)
			}
		}
		b.visit("/login")
		b.leave(chromedp.SendKeys(chromedp.ID("id"), "ann.people.example"+kb.Enter))
		inView("id")
		b.fill("id", "ann@people.example")
		b.leave(chromedp.KeyEvent(kb.Enter))
		b.at("/login/code", 200)
		code := p.mail.Next(t, "ann@people.example").Code()
		b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), wrong(code)+kb.Enter))
		inView("auth_code")
	}
}

// summed requires that a problem of one of many fields is told on top, with a link to it.
func (b *browser) summed(what, field string) {
	b.t.Helper()
	b.await(`document.activeElement.id == "summary"`)
	got := eval[map[string]string](b, `(() => {
		const summary = document.activeElement, link = summary.querySelector("a");
		const field = document.getElementById(link.hash.slice(1));
		return {
			role: summary.getAttribute("role"), text: summary.innerText, field: field.id, title: document.title,
			invalid: field.getAttribute("aria-invalid"),
			said: document.getElementById(field.getAttribute("aria-describedby")).innerText,
		};
	})()`)
	if got["role"] != "alert" || got["field"] != field || got["invalid"] != "true" || !strings.HasPrefix(got["title"], "Error: ") ||
		!strings.Contains(got["text"], what) || !strings.Contains(got["said"], what) {
		b.t.Errorf("%q is told so: %v", what, got)
	}
}

func TestPeopleWithoutScriptSignIn(t *testing.T) {
	p := newPlace(t, "LIMITS_RESEND_EVERY=5s")
	b := p.open()
	b.scripts(false)
	b.visit("/login")
	b.do(chromedp.SendKeys(chromedp.ID("id"), "ann@people.example"))
	b.press("Send me a code")
	b.at("/login/code", 200)
	b.says("works until", "You can send it again in", "Check again")
	first := p.mail.Next(t, "ann@people.example")
	b.do(chromedp.SendKeys(chromedp.ID("auth_code"), wrong(first.Code())))
	b.press("Sign in")
	b.at("/login/code", 422)
	b.says("That code is not right.")
	for !strings.Contains(b.text("main"), "Send it again\n") {
		b.press("Check again")
	}
	b.press("Send it again")
	b.resent()
	m := p.mail.Next(t, "ann@people.example")
	b.do(chromedp.SendKeys(chromedp.ID("auth_code"), m.Code()))
	b.press("Sign in")
	b.at("/account", 200)
	b.press("Sign out")
	b.at("/login?done=signed_out", 200)
	// What the page looks like then, seen with tools that need script.
	p.ask(b, "ben@people.example")
	b.scripts(true)
	b.arrive("code-without-script")
}

func TestPeopleSignInWithAPhone(t *testing.T) {
	p := newPlace(t)
	b := p.open(look{width: 320, height: 640, phone: true, language: "en"})
	b.visit("/login")
	b.do(chromedp.Tap(chromedp.ID("id")), chromedp.SendKeys(chromedp.ID("id"), "ann@people.example"))
	b.leave(chromedp.Tap(words("Send me a code")))
	b.at("/login/code", 200)
	// The field, its button and the next step are on the first screen.
	if bottom := eval[float64](b, `document.querySelector("button.main").getBoundingClientRect().bottom`); bottom > 640 {
		t.Errorf("the button ends at %.0f px: it is not on the first screen", bottom)
	}
	if mode := eval[string](b, `document.getElementById("auth_code").inputMode`); mode != "numeric" {
		t.Errorf("the keyboard is %q", mode)
	}
	if size := eval[float64](b, `parseFloat(getComputedStyle(document.getElementById("auth_code")).fontSize)`); size < 16 {
		t.Errorf("phones zoom into fields with letters of %.0f px", size)
	}
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at("/account", 200)
	b.leave(chromedp.Tap(words("Sign out")))
	b.at("/login?done=signed_out", 200)
}

func TestDarkIsDark(t *testing.T) {
	p := newPlace(t)
	b := p.open(look{width: 1280, height: 800, dark: true, language: "en"})
	b.visit("/login")
	colours := eval[[]string](b, `[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]`)
	if colours[0] != "rgb(20, 22, 26)" || colours[1] != "rgb(232, 233, 237)" {
		t.Errorf("paper and ink in the dark are %v", colours)
	}
	p.signIn(b, "ann@people.example")
}

// With the colours of the system, and with no style at all, for looking at.
func TestPagesStandWithoutOurColoursAndStyle(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.ask(b, "ann@people.example")
	b.media("forced-colors", "active")
	b.shoot("code-forced-colours")
	b.hold(b.as)
	b.aside(func() {
		eval[bool](b, `document.querySelectorAll("link[rel=stylesheet]").forEach(l => l.remove()) ?? true`)
		b.shoot("code-without-style")
	})
	if order := eval[string](b, `[...document.querySelectorAll("h1, label, input:not([type=hidden]), button.main")].map(e => e.localName).join()`); order != "h1,label,input,button" {
		t.Errorf("without style the page reads %s", order)
	}
}
