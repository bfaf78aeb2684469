package browser_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// scripts switches the page's own scripts; the test's go on.
func (b *browser) scripts(on bool) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scriptless = !on
}

// wrong is a code that is not right.
func wrong(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

func TestAWrongCodeIsToldAndTriesAreCounted(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	code := p.ask(b, "ann@people.example").Code()

	b.press("Sign in")
	b.at("/login/code", 422)
	b.alerted("Type the code we sent you.", "auth_code")
	b.arrive("code-empty")
	b.visit("/login/code")
	b.enter(wrong(code))
	b.at("/login/code", 422)
	b.alerted("That code is not right.", "auth_code")
	b.arrive("code-wrong")
	if text := b.text("main"); strings.Contains(text, "left.") {
		t.Errorf("tries left are told after one try:\n%s", text)
	}
	for _, left := range []string{"3 tries left.", "2 tries left.", "One try left."} {
		// After a mistake nothing is sent before the person says so.
		b.do(chromedp.SendKeys(chromedp.ID("auth_code"), wrong(code)))
		b.at("/login/code", 422)
		b.leave(chromedp.KeyEvent(kb.Enter))
		b.at("/login/code", 422)
		b.alerted(left, "auth_code")
	}
	b.arrive("code-tries-left")
	b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), wrong(code)+kb.Enter))
	b.arrive("code-last-try")
	b.visit("/login/code")
	b.at("/login/code", 410)
	b.says("That code is used up")
	b.arrive("ended-exhausted")

	b.press("Send me a new code")
	b.at("/login/code", 200)
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at("/account", 200)
}

// The count reaches its end on the page, the code no longer opens, and a new
// one does.
func TestAnExpiredCodeIsToldAndReplaced(t *testing.T) {
	p := newPlace(t, "EXPIRY_TIME_EMAIL=1m")
	b := p.open()
	code := p.ask(b, "ann@people.example").Code()
	b.await(`document.getElementById("until").innerText == "Time is up. Send it again."`)
	if lead := b.text(".lead"); lead != "We sent it to ann@people.example. Change the address" {
		t.Errorf("then the lead says %q", lead)
	}
	b.arrive("code-over")
	b.enter(code)
	b.at("/login/code", 410)
	b.says("That code has expired", "Send a new one to a***n@people.example.")
	b.arrive("ended-expired")
	b.press("Send me a new code")
	b.resent()
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at("/account", 200)
}

// Whoever sees a typing error on the page of the code goes back and mends it.
func TestATypingErrorIsSeenAndMended(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	b.visit("/login")
	mistyped := strings.Repeat("Anm", 20) + "@" + strings.Repeat("people.", 20) + "example"
	b.fill("id", mistyped)
	b.press("Send me a code")
	b.at("/login/code", 200)
	b.says("on its way to " + mistyped + ".")
	b.arrive("code-typed")
	b.press("Change the address")
	b.at("/login", 200)
	b.enter(p.ask(b, "Ann@people.example").Code())
	b.at("/account", 200)
}

// Two codes on their way: the first arrives last, and works.
func TestACodeThatComesLateWorks(t *testing.T) {
	p := newPlace(t, "LIMITS_RESEND_EVERY=0")
	b := p.open()
	late := p.ask(b, "ann@people.example")
	b.press("Send it again")
	b.resent()
	second := p.mail.Next(t, "ann@people.example")
	b.arrive("code-sent-again")
	b.enter(late.Code())
	b.at("/account", 200)

	// A success voids all others.
	other := p.open()
	third := p.ask(other, "ann@people.example")
	other.enter(second.Code())
	other.at("/login/code", 422)
	other.leave(chromedp.SendKeys(chromedp.ID("auth_code"), third.Code()+kb.Enter))
	other.at("/account", 200)
}

// What cannot be the code takes no try, and the page says what the code looks like.
func TestTheShapeOfTheCodeIsTold(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	code := p.ask(b, "ann@people.example").Code()
	for _, typed := range []string{code[:5], "abcdef", "12345O", code + "1", "Code", "x"} {
		b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), typed+kb.Enter))
		b.at("/login/code", 422)
		b.alerted("That cannot be the code: it has 6 digits.", "auth_code")
	}
	b.arrive("code-shape")
	b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), "Your code: "+code+"."+kb.Enter))
	b.at("/account", 200)
}

// One clipboard serves all windows of a machine.
var clipboard sync.Mutex

func TestACodeIsPastedAsItStands(t *testing.T) {
	p := newPlace(t, "LIMITS_RESEND_EVERY=0")
	for name, form := range map[string]func(code string) string{
		"with a blank":  func(c string) string { return c[:3] + " " + c[3:] },
		"with a hyphen": func(c string) string { return c[:3] + "-" + c[3:] },
		"with blanks":   func(c string) string { return " " + c + " " },
	} {
		t.Run(name, func(t *testing.T) {
			b := p.by.open(t, p.Site)
			text := form(p.ask(b, "ann@people.example").Code())
			clipboard.Lock()
			defer clipboard.Unlock()
			b.visit("/login")
			b.do(chromedp.SendKeys(chromedp.ID("id"), text), command("selectAll"), command("copy"))
			b.visit("/login/code")
			b.leave(chromedp.Focus(chromedp.ID("auth_code")), command("paste"))
			b.at("/account", 200)
		})
	}
	t.Run("full-width", func(t *testing.T) {
		b := p.by.open(t, p.Site)
		text := strings.Map(func(r rune) rune { return r - '0' + '０' }, p.ask(b, "ann@people.example").Code())
		b.focused()
		b.leave(insert(text))
		b.at("/account", 200)
	})
}

func TestTheCodeIsShownAndHidden(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	code := p.ask(b, "ann@people.example").Code()
	kind := func() string { return eval[string](b, `document.getElementById("auth_code").type`) }
	if kind() != "password" {
		t.Errorf("at first the field is of type %s", kind())
	}
	// Who corrects a digit sends the form by hand.
	b.do(chromedp.SendKeys(chromedp.ID("auth_code"), code[:5]+"\b"+code[4:]))
	b.do(chromedp.Click(words("Show")))
	if name := eval[string](b, `document.querySelector(".code button").ariaLabel`); kind() != "text" || name != "Hide the code" {
		t.Errorf("after Show the field is of type %s and the button is called %q", kind(), name)
	}
	b.at("/login/code", 200)
	b.arrive("code-shown")
	b.do(chromedp.Click(words("Hide")))
	if kind() != "password" {
		t.Errorf("after hiding the field is of type %s", kind())
	}
	b.press("Sign in")
	b.at("/account", 200)
}

func TestSendingAgainCountsDown(t *testing.T) {
	p := newPlace(t, "LIMITS_RESEND_EVERY=12s")
	b := p.open()
	p.ask(b, "ann@people.example")
	b.says("Send it again in 0:")
	// Whoever asks sooner all the same is told when.
	b.aside(func() { b.leave(post("/login/resend", nil)) })
	b.at("/login/resend", 429)
	if said := b.text("main [role=status]"); said != "We sent it a moment ago. Below you see when you can send it again." {
		t.Errorf("of the wait it says %q", said)
	}
	if eval[bool](b, `document.title.startsWith("Error") || document.querySelector("[role=alert], [aria-invalid]") !== null`) {
		t.Error("waiting is told as a mistake")
	}
	b.arrive("code-sent-too-soon")
	b.visit("/login/code")
	b.await(`document.querySelector("form[action='/login/resend']") !== null`)
	b.press("Send it again")
	b.resent()
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at("/account", 200)
}

// Many wrong tries of strangers make the code longer, and do not lock out.
func TestALongCodeTakesThePlaceOfARefusal(t *testing.T) {
	p := newPlace(t, "LIMITS_TRIES_PER_ID=1/1h")
	b := p.open()
	code := p.ask(b, "ann@people.example").Code()
	b.enter(wrong(code))
	b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), code+kb.Enter))
	b.at("/login/code", 410)
	b.says("A longer code is needed")
	b.arrive("ended-spent")
	other := p.open()
	m := p.ask(other, "ann@people.example")
	other.says("ten letters long")
	other.arrive("code-long")
	other.leave(chromedp.SendKeys(chromedp.ID("auth_code"), strings.ToLower(m.Code())+kb.Enter))
	other.at("/account", 200)
}

func TestAChannelThatIsDownIsTold(t *testing.T) {
	p := newPlace(t, "EMAIL_PORT=1")
	b := p.open()
	b.visit("/login")
	b.fill("id", "ann@people.example")
	b.press("Send me a code")
	for !strings.Contains(b.text("main"), "We cannot send codes this way") {
		b.visit("/login/code")
	}
	b.at("/login/code", 200)
	b.arrive("code-channel-down")
}

func TestPeopleChooseTheWayWhereTheModeIsManual(t *testing.T) {
	p := newPlace(t, "MODE=manual")
	b := p.open()
	b.visit("/login")
	b.arrive("login-manual")
	p.signIn(b, "ann@people.example")
}
