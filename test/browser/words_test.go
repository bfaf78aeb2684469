package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var german = look{width: 1280, height: 800, language: "de-CH,de,en"}

func (b *browser) speaks(language string) {
	b.t.Helper()
	if got := eval[string](b, `document.documentElement.lang`); got != language {
		b.t.Errorf("%s is in %q instead of %q", b.path(), got, language)
	}
}

func TestGermanByTheBrowser(t *testing.T) {
	p := newPlace(t)
	b := p.open(german)
	b.visit("/login")
	b.speaks("de")
	b.arrive("de-login")
	b.leave(chromedp.SendKeys(chromedp.ID("id"), "ann@people.example"+kb.Enter))
	b.at("/login/code", 200)
	b.speaks("de")
	b.arrive("de-code")
	m := p.mail.Next(t, "ann@people.example")
	if !strings.Contains(m.Subject, m.Code()+" ist Ihr Code") && !strings.Contains(m.Subject, m.Code()+" ist dein Code") {
		t.Errorf("the message's subject is %q", m.Subject)
	}
	b.enter(wrong(m.Code()))
	b.at("/login/code", 422)
	b.arrive("de-code-wrong")
	other := p.open(german)
	other.visit(m.Link())
	other.arrive("de-link-elsewhere")
	other.visit(m.NotMe())
	other.arrive("de-not-me")
	b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), m.Code()+kb.Enter))
	b.at("/account", 200)
	b.speaks("de")
	b.arrive("de-account")
	b.visit("/account/history")
	b.arrive("de-history")
	b.visit("/account/delete")
	b.arrive("de-delete")
	b.visit("/nowhere")
	b.speaks("de")
	b.arrive("de-error-404")
}

func TestGermanByTheAccountsSetting(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.speaks("en")
	b.do(chromedp.SetValue(chromedp.ID("language"), "de"))
	b.press("Save")
	b.at("/account?done=saved", 200)
	b.speaks("de")
	b.visit("/account/history")
	b.speaks("de")
	// Before a proof the browser's language counts: or it would tell who has an
	// account.
	other := p.open()
	p.ask(other, "ann@people.example")
	other.speaks("en")
}

// From the address bar to signing out without a mouse; whatever has the focus
// shows it.
func TestTheKeyboardAloneIsEnough(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	b.visit("/login")
	b.ringed("login")
	b.leave(chromedp.KeyEvent("ann@people.example" + kb.Enter))
	b.at("/login/code", 200)
	b.ringed("code")
	b.do(chromedp.KeyEvent(kb.Tab))
	if on := eval[string](b, `document.activeElement.innerText`); on != "Show" {
		t.Errorf("after the code comes %q", on)
	}
	b.do(chromedp.KeyEvent(" "))
	if kind := eval[string](b, `document.getElementById("auth_code").type`); kind != "text" {
		t.Errorf("Show by the keyboard leaves the field of type %s", kind)
	}
	b.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	b.leave(chromedp.KeyEvent(p.mail.Next(t, "ann@people.example").Code()))
	b.at("/account", 200)
	seen := b.tabThrough("account")
	for _, want := range []string{"Sign out", "Save", "Activity", "Download your data (JSON)", "Delete your account"} {
		if !strings.Contains(strings.Join(seen, "\n"), want) {
			t.Errorf("the keyboard does not reach %q, only %q", want, seen)
		}
	}
	b.visit("/account")
	for range 10 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if eval[string](b, `document.activeElement.innerText`) == "Sign out" {
			break
		}
	}
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.at("/login?done=signed_out", 200)
}

// focused waits for the field that takes what is typed at once: the browser gives
// it the focus some time after the page has loaded.
func (b *browser) focused() {
	b.t.Helper()
	b.await(`document.activeElement != document.body`)
}

// ringed requires that what has the focus shows it, thickly.
func (b *browser) ringed(page string) {
	b.t.Helper()
	b.focused()
	ring := eval[map[string]any](b, `(() => {
		const s = getComputedStyle(document.activeElement);
		return {what: document.activeElement.outerHTML.slice(0, 100), style: s.outlineStyle, width: parseFloat(s.outlineWidth)};
	})()`)
	if ring["style"] != "solid" || ring["width"].(float64) < 3 {
		b.t.Errorf("%s: the focus shows so: %v", page, ring)
	}
}

// tabThrough walks over the page by Tab and returns what it met.
func (b *browser) tabThrough(page string) (seen []string) {
	b.t.Helper()
	for range 40 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if eval[bool](b, `document.activeElement == document.body || document.activeElement.dataset.met == "yes"`) {
			return seen
		}
		b.ringed(page)
		seen = append(seen, eval[string](b, `(document.activeElement.dataset.met = "yes") && (document.activeElement.innerText || document.activeElement.name || "")`))
	}
	b.t.Errorf("%s: Tab does not come to an end", page)
	return seen
}
