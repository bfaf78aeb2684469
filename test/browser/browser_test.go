package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/djauthy/djauthy/test/program"
)

// stepLimit is how long one step may take on a machine that has much to do.
const stepLimit = 60 * time.Second

// place is a site with the mail server that takes its messages.
type place struct {
	*program.Site
	t    *testing.T
	mail *program.Sink
	by   *chromiumProcess // with which it is visited
}

// newPlace starts a site for a test that runs beside others.
func newPlace(t *testing.T, settings ...string) *place {
	t.Helper()
	return newPlaceBy(t, &chromium, settings...)
}

func newPlaceBy(t *testing.T, by *chromiumProcess, settings ...string) *place {
	t.Helper()
	t.Parallel()
	by.start(t)
	mail := program.OpenSink(t, program.SinkOptions{})
	return &place{program.Start(t, binary, append(append(mail.Settings(), "BRAND_NAME=Example"), settings...)...), t, mail, by}
}

// browser is a browser of one person: a profile of its own with one window.
type browser struct {
	t    *testing.T
	site *program.Site
	ctx  context.Context
	as   look

	status int64 // of the page
	header network.Headers

	mu       sync.Mutex
	deaf     bool // while the test itself does things in the page
	friends  map[string]bool
	problems []string

	scriptless bool
}

// look is how a browser is held and set.
type look struct {
	width, height int64
	phone         bool
	dark          bool
	language      string // Accept-Language; Chromium adds the weights
}

var desk = look{width: 1280, height: 800, language: "en-GB,en"}

// open opens a browser that was never here.
func (p *place) open(looks ...look) *browser { return p.by.open(p.t, p.Site, looks...) }

func (c *chromiumProcess) open(t *testing.T, site *program.Site, looks ...look) *browser {
	t.Helper()
	as := desk
	if len(looks) > 0 {
		as = looks[0]
	}
	b := &browser{t: t, site: site, as: as, friends: map[string]bool{}}
	ctx, cancel := chromedp.NewContext(c.start(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	b.ctx = ctx
	b.friends[b.host()] = true
	if err := chromedp.Do(ctx); err != nil { // without a time limit, which would bind the window's life
		t.Fatal(err)
	}
	agent := eval[string](b, `navigator.userAgent.replace("HeadlessChrome", "Chrome")`)
	_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: as.language})
	if err == nil { // or only the window opened last believes that it has the focus
		_, err = chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, audits.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	b.hold(as)
	t.Cleanup(b.quiet)
	return b
}

func (b *browser) host() string {
	_, host, _ := strings.Cut(b.site.URL, "://")
	return host
}

// hold sets size and colours.
func (b *browser) hold(l look) {
	b.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.media("prefers-color-scheme", scheme)
	options := []chromedp.EmulateViewportOption{}
	if l.phone {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.do(chromedp.EmulateViewport(l.width, l.height, options...))
}

func (b *browser) media(name, value string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: name, Value: value}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// hear notes what no page may do. It runs in the loop that reads events.
func (b *browser) hear(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deaf {
		return
	}
	note := func(format string, args ...any) { b.problems = append(b.problems, fmt.Sprintf(format, args...)) }
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(ev.Request.URL)
		if err != nil || strings.HasPrefix(u.Scheme, "http") && !b.friends[u.Host] {
			note("a request to a foreign host: %s", ev.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		note("an exception: %s", ev.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		note("console.%s", ev.Type)
	case *log.EventEntryAdded:
		e := ev.Entry
		// Chromium reports pages that have an error's status, and that it
		// dropped what it kept.
		page := e.Source == log.EntrySourceNetwork && strings.HasPrefix(e.Text, "Failed to load resource: the server responded with a status of 4")
		dropped := e.Level == log.EntryLevelInfo && strings.HasPrefix(e.Text, "Clear-Site-Data header on ")
		// It holds back a header from pages over http that are not of this machine.
		plain := strings.Contains(e.URL, foreignNames) && strings.HasPrefix(e.Text, "The Cross-Origin-Opener-Policy header has been ignored")
		// Without scripts nothing tells a test that the page has put the cursor into its field.
		faster := b.scriptless && strings.HasPrefix(e.Text, "Autofocus processing was blocked because a document already has a focused element")
		if !dropped && !plain && !faster && !(page && !strings.Contains(e.URL, "/static/") && !strings.HasSuffix(e.URL, ".ico")) {
			note("the browser's log: %s %s %s: %s", e.Level, e.Source, e.URL, e.Text)
		}
	case *audits.EventIssueAdded:
		if ev.Issue.Code == audits.InspectorIssueCodeBounceTrackingIssue { // a provider of the tests sends people back at once
			return
		}
		text, err := json.Marshal(ev.Issue)
		note("the browser's issues: %s %v", text, err)
	}
}

// quiet fails the test if a page did what no page may do.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Errorf("%s", p)
	}
	b.problems = nil
}

// aside does something in the page that is not the page's doing.
func (b *browser) aside(do func()) {
	set := func(deaf bool) {
		b.mu.Lock()
		b.deaf = deaf
		b.mu.Unlock()
	}
	set(true)
	defer set(false)
	do()
}

// do runs steps that stay on the page.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("at %s: %v", b.path(), err)
	}
}

// leave runs steps that lead to another page, and waits for it.
func (b *browser) leave(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	r, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		b.t.Fatalf("leaving %s: %v", b.path(), err)
	}
	b.status, b.header = r.Status, r.Headers
	b.quiet()
}

// visit types an address into the address bar. A path is one of the site.
func (b *browser) visit(address string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.site.URL + address
	}
	b.leave(chromedp.Navigate(address))
}

// at requires where the browser is and with which status.
func (b *browser) at(path string, status int64) {
	b.t.Helper()
	if got := b.path(); got != path || b.status != status {
		b.t.Fatalf("at %s with status %d, instead of %s with %d; the page says:\n%s", got, b.status, path, status, b.text("body"))
	}
}

// path is the path of the page, with its query.
func (b *browser) path() string {
	b.t.Helper()
	return eval[string](b, `location.pathname + location.search`)
}

// words finds what can be pressed by its words, as people do.
func words(text string) chromedp.Search {
	return chromedp.Search(fmt.Sprintf(`//main//*[self::a or self::button or self::summary][normalize-space(.)=%[1]q] | //header//*[self::a or self::button][normalize-space(.)=%[1]q]`, text))
}

// press presses a button or a link that leads to another page.
func (b *browser) press(text string) {
	b.t.Helper()
	b.leave(chromedp.Click(words(text)))
}

// fill types into a field in place of what it holds.
func (b *browser) fill(id, text string) {
	b.t.Helper()
	b.do(chromedp.Focus(chromedp.ID(id)), command("selectAll"), chromedp.KeyEvent(text))
}

// command does what a menu of the browser does: selectAll, copy, paste.
func command(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: "Unidentified", Commands: []string{name}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// insert is text from an input method or another keyboard.
func insert(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// eval asks the page.
func eval[T any](b *browser, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// text is what people read in a part of the page.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.innerText).join("\n")`, selector))
}

// says requires that the page says something.
func (b *browser) says(all ...string) {
	b.t.Helper()
	body := b.text("body")
	for _, text := range all {
		if !strings.Contains(body, text) {
			b.t.Errorf("%s does not say %q; it says:\n%s", b.path(), text, body)
		}
	}
}

// await waits until a condition on the page holds.
func (b *browser) await(condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*stepLimit)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](condition, chromedp.WithPollingTimeout(2*stepLimit)))
		if err == nil {
			return
		}
		// The page before may be the one that was asked, if the machine has much to do.
		if ctx.Err() != nil || !strings.Contains(err.Error(), "Cannot find context") {
			b.t.Fatalf("waiting for %s: %v; the page says:\n%s", condition, err, b.text("body"))
		}
	}
}

// ask asks for a code and returns the message that brings it.
func (p *place) ask(b *browser, id string) program.Mail {
	p.t.Helper()
	b.visit("/login")
	b.fill("id", id)
	b.press("Send me a code")
	b.at("/login/code", 200)
	return p.mail.Next(p.t, id)
}

// resent requires that another code is on its way and that the page says so.
func (b *browser) resent() {
	b.t.Helper()
	b.at("/login/code", 200)
	b.says("We sent a new code.")
}

// enter types the code; the last digit sends it.
func (b *browser) enter(code string) {
	b.t.Helper()
	b.leave(chromedp.SendKeys(chromedp.ID("auth_code"), code))
}

// signIn signs a person in.
func (p *place) signIn(b *browser, id string) {
	p.t.Helper()
	b.enter(p.ask(b, id).Code())
	b.at("/account", 200)
}
