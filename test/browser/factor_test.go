package browser_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/djauthy/djauthy/internal/totp"
	"github.com/djauthy/djauthy/test/program"
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

// The picture is read by another program, in both schemes of colours.
func TestAnAppIsSetUpByItsPicture(t *testing.T) {
	p := newPlace(t)
	b := p.open(look{width: 320, height: 640, phone: true, language: "en"})
	p.signIn(b, "ann@people.example")
	b.visit("/account/factors")
	b.press("Set up an app")
	if top := eval[float64](b, `document.querySelector(".qr").getBoundingClientRect().top`); top < 0 {
		t.Errorf("the picture is %.0f px above the window", -top)
	}
	b.arrive("app")
	link := eval[string](b, `document.querySelector('a[href^="otpauth:"]').href`)
	if !strings.HasPrefix(link, "otpauth://totp/Example:ann@people.example?secret="+b.text("#totp-secret")+"&issuer=Example&") {
		t.Errorf("an app on the device gets %s", link)
	}
	for _, dark := range []bool{false, true} {
		b.hold(look{width: b.as.width, height: b.as.height, phone: true, dark: dark})
		if got := scanned(t, b.shoot("app-scanned")); got != link {
			t.Errorf("the picture says %q instead of %q", got, link)
		}
	}
	b.hold(b.as)
	b.fill("totp", "000000")
	b.press("Set it up")
	b.at("/account/factors/app/code", 422)
	b.alerted("That is not the code that the app shows now.", "totp")
	b.arrive("app-wrong")
	seed, err := totp.ParseSeed(b.text("#totp-secret"))
	if err != nil {
		t.Fatal(err)
	}
	b.fill("totp", app{seed}.code())
	b.fill("name", "Phone")
	b.press("Set it up")
	b.at("/account/factors?done=app", 200)
	b.says("The app is set up.", "Phone")
	b.arrive("factors-app")
}

// scanned is what a QR code in a picture says.
func scanned(t *testing.T, picture []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program.Need(t, "zbarimg"), "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "png:-")
	cmd.Stdin = bytes.NewReader(picture)
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("zbarimg finds nothing: %v", err)
	}
	return strings.TrimSpace(string(text))
}

// On paper stand the codes, the site and the day, and nothing else.
func TestRecoveryCodesArePrinted(t *testing.T) {
	p := newPlace(t)
	b := p.open(look{width: 1280, height: 800, dark: true, language: "en"})
	p.signIn(b, "ann@people.example")
	b.visit("/account/factors")
	b.press("Make recovery codes")
	b.arrive("recovery")
	codes := b.text(".recovery-code")
	if n := len(strings.Fields(codes)); n != 10 {
		t.Errorf("%d codes:\n%s", n, codes)
	}
	if !eval[bool](b, `(() => { let done = false; window.print = () => done = true; document.querySelector("[data-print] button").click(); return done; })()`) {
		t.Error("the button does not print")
	}
	b.paper(true)
	want := "Recovery codes for Example, " + time.Now().UTC().Format(time.DateOnly) + "\n" + codes
	if got := strings.Join(strings.Fields(b.text("body")), " "); got != strings.Join(strings.Fields(want), " ") {
		t.Errorf("on paper stands:\n%s", got)
	}
	if ink := eval[string](b, `getComputedStyle(document.querySelector(".codes")).color`); ink != "rgb(0, 0, 0)" {
		t.Errorf("the ink is %s", ink)
	}
	b.shoot("recovery-paper")
	b.paper(false)
	b.press("I have them")
	b.at("/account/factors", 200)
	b.says("10 codes left")
	b.arrive("factors-recovery")
}

// paper shows the page as it is printed.
func (b *browser) paper(on bool) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: map[bool]string{true: "print"}[on]})
	if !on {
		b.hold(b.as)
	}
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

// act presses the button of the first row of a list that does something.
func (b *browser) act(path string) {
	b.t.Helper()
	b.leave(chromedp.Click(chromedp.CSS(`form[action="` + path + `"] button`)))
}

func TestAFactorIsRenamedAndRemoved(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	p.setsUpApp(b, "ann@people.example")
	b.act("/account/factors/rename")
	b.says("Authenticator app, set up")
	b.arrive("factor-rename")
	b.press("Save")
	b.at("/account/factors/rename", 422)
	b.alerted("A name has 1 to 60 characters.", "name")
	b.arrive("factor-rename-wrong")
	b.fill("name", "Phone")
	b.press("Save")
	b.at("/account/factors?done=renamed", 200)
	b.says("The name is changed.", "Phone")

	b.act("/account/factors/remove")
	b.says("Phone (an authenticator app) no longer shows that it is you.", "You have no other second proof.")
	b.arrive("factor-remove")
	b.press("Keep it")
	b.at("/account/factors", 200)
	b.act("/account/factors/remove")
	b.press("Yes, remove it")
	b.at("/account/factors?done=removed", 200)
	if text := b.text("main"); strings.Contains(text, "Phone") {
		t.Errorf("it is there still:\n%s", text)
	}
}

func TestAFactorThatOthersAddedIsUndone(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	p.setsUpApp(b, "ann@people.example")
	b.act("/account/factors/remove")
	b.says("An authenticator app no longer shows that it is you.")
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
	b.says("Rename")
}

// For thirty days, or until the person says otherwise.
func TestABrowserThatIsRememberedIsNotAskedAgain(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	a := p.setsUpApp(b, "ann@people.example")
	p.mail.Next(t, "ann@people.example")
	p.must(t, "levels", "set", "strong", "--need", "email+totp")
	again := func() {
		b.visit("/account")
		b.press("Sign out")
		p.signIn(b, "ann@people.example")
		b.visit("/step-up?level=strong&next=" + history)
	}
	again()
	b.headed("Enter the code from your app")
	b.do(chromedp.Click(chromedp.CSS("label.choice")))
	b.fill("totp", a.code())
	b.press("Go on")
	b.at(history, 200)
	again()
	b.at(history, 200)
	b.visit("/account/factors")
	b.says("Browsers that are not asked again", "Chrome on Linux", "Ask again")
	b.arrive("factors-devices")
	b.act("/account/factors/forget")
	b.at("/account/factors?done=forgotten", 200)
	b.says("That browser is asked again.")
	again()
	b.headed("Enter the code from your app")
}

// An administrator's link lets whoever has lost everything add one thing.
func TestAnEnrolmentLinkLetsAddOne(t *testing.T) {
	p := newPlace(t)
	first := p.open()
	p.signIn(first, "ann@people.example")
	p.setsUpApp(first, "ann@people.example")
	p.mail.Next(t, "ann@people.example")
	path := strings.TrimPrefix(strings.TrimSpace(p.must(t, "factors", "link", "ann@people.example")), p.URL)
	b := p.open()
	b.visit(path)
	b.fill("id", "ann@people.example")
	b.press("Send me a code")
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at(path, 200)
	b.headed("Add a way to show it is you")
	b.arrive("enrolment")
	b.press("Go on")
	b.at("/account/factors?done=linked", 200)
	b.says("You can add one now.")
	b.arrive("factors-linked")
	k := b.key(true)
	b.leave(k.touch(true), chromedp.Click(chromedp.ID("add-passkey")))
	b.at("/account/factors?done=passkey", 200)
	first.visit(path)
	first.headed("That link no longer works")
	first.arrive("enrolment-gone")
	stranger := p.open()
	p.signIn(stranger, "bob@people.example")
	stranger.visit(path)
	stranger.headed("That link no longer works")
}

func TestThePagesOfFactorsInGerman(t *testing.T) {
	p := newPlace(t, "LIMITS_TRIES_PER_ID=3/1h")
	b := p.open(look{width: 320, height: 640, phone: true, language: "de"})
	signIn := func() {
		b.visit("/login")
		b.do(chromedp.SendKeys(chromedp.ID("id"), "ann@people.example"))
		b.leave(chromedp.KeyEvent(kb.Enter))
		b.enter(p.mail.Next(t, "ann@people.example").Code())
	}
	signIn()
	p.must(t, "levels", "set", "strong", "--need", "email+totp", "--need", "email+passkey")
	b.visit("/step-up?level=strong")
	b.arrive("de-step-enroll")
	b.visit("/account/factors")
	b.arrive("de-factors-none")
	b.act("/account/factors/app")
	b.arrive("de-app")
	b.leave(chromedp.SendKeys(chromedp.ID("totp"), "000000"+kb.Enter))
	b.arrive("de-app-wrong")
	b.visit("/account/factors")
	b.act("/account/factors/app")
	seed, err := totp.ParseSeed(b.text("#totp-secret"))
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.SendKeys(chromedp.ID("totp"), app{seed}.code()))
	b.leave(chromedp.SendKeys(chromedp.ID("name"), "Telefon in der Küche, zu Hause"+kb.Enter))
	b.at("/account/factors?done=app", 200)
	b.act("/account/factors/recovery")
	b.arrive("de-recovery")
	k := b.key(true)
	b.visit("/account/factors")
	b.leave(k.touch(true), chromedp.Click(chromedp.ID("add-passkey")))
	b.do(k.touch(false))
	b.arrive("de-factors")
	b.act("/account/factors/rename")
	b.arrive("de-factor-rename")
	b.visit("/account/factors")
	b.act("/account/factors/remove")
	b.arrive("de-factor-remove")
	for range 3 {
		p.mail.Next(t, "ann@people.example")
	}
	b.visit(strings.TrimPrefix(strings.TrimSpace(p.must(t, "factors", "link", "ann@people.example")), p.URL))
	b.arrive("de-enrolment")
	b.visit("/account")
	b.act("/logout")
	b.arrive("de-login-passkey")
	signIn()
	for _, way := range []string{"passkey", "totp", "recovery"} {
		b.visit("/step-up?level=strong&way=" + way)
		eval[bool](b, `document.querySelectorAll("details").forEach(d => d.open = true) ?? true`)
		b.arrive("de-step-" + way)
	}
	for range 4 {
		b.visit("/step-up?level=strong&way=totp")
		b.focused()
		b.leave(chromedp.KeyEvent("000000" + kb.Enter))
	}
	b.at("/step-up", 429)
	b.arrive("de-step-later")
}
