package browser_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/djauthy/djauthy/internal/totp"
)

const history = "/account/history"

// heading is what the page says on top.
func (b *browser) heading() string {
	b.t.Helper()
	return b.text("h1")
}

// headed requires the heading of the page, which is its title as well.
func (b *browser) headed(text string) {
	b.t.Helper()
	if b.heading() != text || !strings.Contains(eval[string](b, `document.title`), text) {
		b.t.Errorf("%s is headed %q, with the title %q, instead of %q", b.path(), b.heading(), eval[string](b, `document.title`), text)
	}
}

// turnTo chooses another way of a step-up.
func (b *browser) turnTo(way string) {
	b.t.Helper()
	b.do(chromedp.Click(words("Use another way")))
	b.press(way)
}

func TestALevelIsReachedByAnApp(t *testing.T) {
	p := newPlace(t)
	first := p.open()
	p.signIn(first, "ann@people.example")
	a := p.setsUpApp(first, "ann@people.example")
	p.mail.Next(t, "ann@people.example")
	p.must(t, "levels", "set", "strong", "--need", "email+totp", "--need", "email+passkey", "--for-action", "account.delete")
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.press("Delete your account")
	b.press("Show it is you")
	b.headed("Enter the code from your app")
	b.says("You are about to delete your account.")
	b.arrive("step-app")
	b.do(chromedp.Click(words("Use another way")), chromedp.Click(words("Why am I asked?")))
	b.says("The level “strong” needs:", "a code by email and an authenticator app", "or a code by email and a passkey", "Lost all of them?")
	b.arrive("step-app-why")
	b.fill("totp", wrong(a.code()))
	b.press("Go on")
	b.at("/step-up", 422)
	b.alerted("That is not the code that the app shows now.", "totp")
	b.arrive("step-app-wrong")
	b.fill("totp", a.code())
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.at("/account/delete", 200)
	b.says("Yes, delete my account")
}

func TestALevelIsReachedByAPasskey(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	k := p.addsPasskey(b, "ann@people.example", true)
	p.must(t, "levels", "set", "strong", "--need", "email+passkey")
	b.visit("/account")
	b.press("Sign out")
	p.signIn(b, "ann@people.example")
	b.visit("/step-up?level=strong&next=" + history)
	b.headed("Use your passkey")
	b.says("What you want to open needs one more proof (strong).")
	b.arrive("step-passkey")
	k.use()
	b.at(history, 200)
}

func TestALevelIsReachedByASecondAddress(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.fill("id", "work@people.example")
	b.press("Add it")
	b.enter(p.mail.Next(t, "work@people.example").Code())
	p.mail.Next(t, "ann@people.example") // which tells of it
	b.press("Sign out")
	p.must(t, "levels", "set", "strong", "--need", "email+email")
	p.signIn(b, "ann@people.example")
	b.visit("/step-up?level=strong&next=" + history)
	b.headed("Show once more that it is you")
	b.says("work@people.example")
	b.arrive("step-address")
	b.press("Send me a code")
	b.headed("Enter the code")
	b.says("work@people.example", "Send it again in 0:")
	b.arrive("step-code")
	code := p.mail.Next(t, "work@people.example").Code()
	b.enter(wrong(code))
	b.at("/step-up", 422)
	b.alerted("That code is not right.", "auth_code")
	b.arrive("step-code-wrong")
	b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), code+kb.Enter))
	b.at(history, 200)
}

func TestARecoveryCodeStandsForALostApp(t *testing.T) {
	p := newPlace(t)
	first := p.open()
	p.signIn(first, "ann@people.example")
	p.setsUpApp(first, "ann@people.example")
	first.press("Make recovery codes")
	codes := strings.Fields(first.text(".recovery-code"))
	p.mail.Next(t, "ann@people.example")
	p.mail.Next(t, "ann@people.example")
	p.must(t, "levels", "set", "strong", "--need", "email+totp")
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.visit("/step-up?level=strong&next=" + history)
	b.turnTo("A recovery code")
	b.headed("Enter a recovery code")
	b.arrive("step-recovery")
	b.fill("recovery_code", "aaaaa-aaaaa")
	b.press("Go on")
	b.at("/step-up", 422)
	b.alerted("That is not one of your recovery codes, or it was used.", "recovery_code")
	b.arrive("step-recovery-wrong")
	b.fill("recovery_code", strings.ToUpper(strings.ReplaceAll(codes[4], "-", " ")))
	b.press("Go on")
	b.at(history, 200)
	b.says("A recovery code was used")
	b.visit("/account/factors")
	b.says("9 codes left")
}

// Who is asked for something that they have not set up is told where that is done, if it is
// done by them at all.
func TestWhatIsNotSetUpIsSaidWithTheWayThere(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	p.must(t, "levels", "set", "app", "--need", "email+totp")
	p.must(t, "levels", "set", "two", "--need", "email+email")
	b.visit("/step-up?level=app&next=" + history)
	b.headed("Set up one more way first")
	b.says("you have not set it up yet", "an authenticator app")
	b.arrive("step-enroll")
	b.press("Set it up")
	const wanted = "next=%2Fstep-up%3Flevel%3Dapp%26next%3D%252Faccount%252Fhistory"
	b.at("/account/factors?"+wanted, 200)
	b.press("Set up an app")
	seed, err := totp.ParseSeed(b.text("#totp-secret"))
	if err != nil {
		t.Fatal(err)
	}
	b.fill("totp", app{seed}.code())
	b.press("Set it up")
	b.at("/account/factors?done=app&"+wanted, 200)
	b.arrive("factors-go-on")
	b.press("Go on to what you wanted to open")
	b.at(history, 200)
	b.visit("/step-up?level=two")
	b.press("Set it up")
	b.at("/account/add", 200)

	p.must(t, "levels", "set", "app", "--need", "email+totp", "--for-action", "factors.change")
	p.exec(t, `DELETE FROM authenticators`)
	p.exec(t, `DELETE FROM proofs WHERE factor = 'totp'`)
	b.visit("/account/factors")
	b.press("Set up an app")
	b.at("/step-up?action=factors.change&next=%2Faccount%2Ffactors", 200)
	b.says("Only a link from the administrator of this site lets you set it up.")
	b.arrive("step-enroll-closed")
	if eval[bool](b, `!!document.querySelector('main a[href="/account/factors"]')`) {
		t.Error("a link leads round in a circle")
	}
}

// Wrong codes of an app count for recovery codes, too. What does not count goes on.
func TestTooManyWrongCodesLeaveTheOtherWays(t *testing.T) {
	p := newPlace(t, "LIMITS_TRIES_PER_ID=3/1h", "LIMITS_SEND_PER_ID=2/1h", "LIMITS_RESEND_EVERY=0")
	b := p.open()
	p.signIn(b, "ann@people.example")
	p.setsUpApp(b, "ann@people.example")
	p.mail.Next(t, "ann@people.example")
	p.age(t)
	b.visit("/step-up?action=address.add&way=totp&next=" + history)
	for range 4 {
		b.fill("totp", "12345")
		b.press("Go on")
		b.at("/step-up", 422)
		b.alerted("That cannot be the code: it has six digits.", "totp") // which costs no try
	}
	for range 3 {
		b.fill("totp", "000000")
		b.press("Go on")
		b.at("/step-up", 422)
	}
	b.fill("totp", "000000")
	b.press("Go on")
	b.at("/step-up", 429)
	b.headed("Too many tries for now")
	b.says("That works again in", "Use another way", "A code to ann@people.example")
	if text := b.text("main"); strings.Contains(text, "authenticator app") || eval[bool](b, `!!document.querySelector('main a[href="/login"], main a[href="/login/code"]')`) {
		t.Errorf("what does not work now is offered:\n%s", text)
	}
	b.arrive("step-later")
	b.press("A code to ann@people.example")
	b.press("Send me a code")
	b.press("Send it again")
	b.press("Send it again")
	b.at("/step-up", 429)
	b.says("One that we sent may still work.")
	b.press("A code to ann@people.example")
	b.headed("Enter the code")
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at(history, 200)
}

// Passkeys need script, and the page says so. All else works without.
func TestFactorsWithoutScript(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	b.scripts(false)
	b.do(chromedp.SendKeys(chromedp.ID("auth_code"), p.ask(b, "ann@people.example").Code()))
	b.press("Sign in")
	b.visit("/account/factors")
	b.says("Passkeys need JavaScript.")
	b.press("Add a passkey")
	b.at("/account/factors/passkey", 422)
	if n := strings.Count(b.text("main"), "Passkeys need JavaScript."); n != 2 {
		t.Errorf("the page says it %d times:\n%s", n, b.text("main"))
	}
	a := p.setsUpApp(b, "ann@people.example")
	b.press("Make recovery codes")
	if eval[bool](b, `!!document.querySelector("[data-print] button")`) {
		t.Error("a button prints nothing")
	}
	b.press("I have them")
	p.must(t, "levels", "set", "strong", "--need", "email+totp", "--valid", "totp=1h")
	p.age(t)
	b.visit("/step-up?level=strong&next=" + history)
	b.turnTo("A recovery code")
	b.turnTo("A code from the authenticator app")
	b.fill("totp", a.code())
	b.press("Go on")
	b.at(history, 200)
	p.age(t)
	b.visit("/step-up?action=address.add&way=x&next=" + history)
	b.turnTo("A code to ann@people.example")
	b.press("Send me a code")
	b.says("You can send it again in", "Check again")
	b.press("Check again")
	b.headed("Enter the code")
	b.scripts(true)
	b.arrive("step-code-without-script")
}

// tabTo goes by Tab to what has a text or a name.
func (b *browser) tabTo(what string) {
	b.t.Helper()
	for range 40 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if eval[bool](b, `[document.activeElement.innerText?.trim(), document.activeElement.name].includes(`+strconv.Quote(what)+`)`) {
			b.ringed(b.path())
			return
		}
	}
	b.t.Fatalf("%s: Tab does not come to %q", b.path(), what)
}

func TestFactorsByTheKeyboardAlone(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.visit("/account/factors")
	k := b.key(true)
	b.tabTo("Add a passkey")
	b.leave(k.touch(true), chromedp.KeyEvent(kb.Enter))
	b.at("/account/factors?done=passkey", 200)
	b.do(k.touch(false))
	b.tabTo("Set up an app")
	b.leave(chromedp.KeyEvent(kb.Enter))
	seed, err := totp.ParseSeed(b.text("#totp-secret"))
	if err != nil {
		t.Fatal(err)
	}
	b.tabTo("totp")
	b.leave(chromedp.KeyEvent(app{seed}.code() + kb.Enter))
	b.at("/account/factors?done=app", 200)
	p.exec(t, `UPDATE authenticators SET counter = 0 WHERE kind = 'totp'`)
	p.must(t, "levels", "set", "strong", "--need", "email+totp", "--need", "email+passkey", "--valid", "totp=1h", "--valid", "passkey=1h")
	p.age(t)
	b.visit("/step-up?level=strong&next=" + history)
	b.tabTo("Use another way")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.tabTo("A code from the authenticator app")
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.focused()
	b.ringed("step-app")
	b.leave(chromedp.KeyEvent(app{seed}.code() + kb.Enter))
	b.at(history, 200)
}
