package browser_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// post sends a form of the page's own site that no page has.
func post(path string, fields map[string]string) chromedp.Action[chromedp.Void] {
	script := fmt.Sprintf(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = %q;`, path)
	for name, value := range fields {
		script += fmt.Sprintf(`{ const i = document.createElement("input"); i.name = %q; i.value = %q; f.append(i); }`, name, value)
	}
	script += `document.body.append(f); f.submit(); })()`
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: script})
		return err
	})
}

func TestTheLinkSignsInWhereItWasAskedFor(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	m := p.ask(b, "ann@people.example")
	for range 3 { // looking changes nothing
		b.visit(m.Link())
		b.at("/login/link", 200) // the token has left the address bar
	}
	b.says("Sign in to Example", "a***n@people.example")
	b.arrive("link")
	b.press("Sign in")
	b.at("/account", 200)
	b.visit(m.Link())
	b.at("/login/link", 410)
	b.says("This link was used already")
	b.arrive("link-used")
	b.visit("/login/link/" + strings.Repeat("a", 60))
	b.arrive("link-gone")
}

func TestTheLinkShowsTheCodeElsewhere(t *testing.T) {
	p := newPlace(t)
	asking, reading := p.open(), p.open()
	m := p.ask(asking, "ann@people.example")
	for range 3 {
		reading.visit(m.Link())
		reading.at("/login/link", 200)
	}
	reading.says("Your code", "Type it in the browser where you asked for it.", "If you did not ask, tell nobody this code.", "Chrome on Linux")
	shown := reading.text(".shown")
	if shown != m.Code() {
		t.Errorf("the page shows %q, the message holds %q", shown, m.Code())
	}
	reading.arrive("link-elsewhere")

	// A scanner that submits forms gets nobody in.
	reading.aside(func() { reading.leave(post("/login/link", nil)) })
	reading.at("/login/link", 403)
	reading.says("This browser did not ask for the code")
	reading.arrive("link-forbidden")
	reading.visit("/account")
	reading.at("/login?next=%2Faccount", 200)

	asking.enter(shown)
	asking.at("/account", 200)
	reading.visit(m.Link())
	reading.at("/login/link", 410)
}

func TestItWasNotMeTakesTwoPages(t *testing.T) {
	p := newPlace(t, "LIMITS_RESEND_EVERY=0")
	stranger, owner := p.open(), p.open()
	m := p.ask(stranger, "ann@people.example")
	owner.visit(m.NotMe())
	owner.says("Did you ask for this code?", "Chrome on Linux")
	owner.arrive("not-me")
	owner.press("It was not me")
	owner.says("Stop this sign-in?")
	owner.arrive("not-me-sure")
	owner.press("Yes, stop it")
	owner.says("It is stopped")
	owner.arrive("not-me-done")

	stranger.enter(m.Code())
	stranger.at("/login/code", 410)
	stranger.says("That code no longer works", "This sign-in was stopped.")
	stranger.arrive("ended-stopped")
	stranger.press("Go to the sign-in page")
	stranger.fill("id", "ann@people.example")
	stranger.press("Send me a code") // it looks as ever, and nothing comes
	stranger.at("/login/code", 200)
	p.signIn(owner, "ann@people.example") // whose message is the next one
	if n := len(p.mail.All("ann@people.example")); n != 2 {
		t.Errorf("%d messages came instead of two: the blocked browser still makes some", n)
	}
	if !strings.Contains(p.Errors(), "it wasn't me") {
		t.Error("the log does not tell of it")
	}
}

func TestALinkOfAnAdministratorWorksInAnyBrowser(t *testing.T) {
	p := newPlace(t)
	p.signIn(p.open(), "ann@people.example")
	out, errs, code := p.Run(t, "users", "link", "ann@people.example")
	link := strings.TrimSpace(out[max(0, strings.Index(out, "http")):])
	if code != 0 || !strings.HasPrefix(link, p.URL) {
		t.Fatalf("users link: %d %q %q", code, out, errs)
	}
	b := p.open()
	b.visit(strings.Fields(link)[0])
	b.at("/login/link", 200)
	b.arrive("link-recovery")
	b.press("Sign in")
	b.at("/account", 200)
}
