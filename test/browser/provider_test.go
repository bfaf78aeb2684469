package browser_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/djauthy/djauthy/internal/federation/federationtest"
	"github.com/djauthy/djauthy/test/program"
)

// led is a site whose people can sign in at an issuer of the test.
func led(t *testing.T, settings ...string) (*place, *federationtest.Issuer) {
	t.Helper()
	i := federationtest.New(t)
	i.Person = map[string]any{"sub": "ann-1", "preferred_username": "ann"}
	return newPlace(t, append([]string{
		"LIMITS_RESEND_EVERY=0", "FETCH_ALLOW=127.0.0.0/8", "PROVIDER_0_NAME=corp", "PROVIDER_0_KIND=openid", "PROVIDER_0_ISSUER=" + i.URL, "PROVIDER_0_LABEL=Example Corp",
		"PROVIDER_0_CLIENT_ID=djauthy", "PROVIDER_0_CLIENT_SECRET=secret", "PROVIDER_0_DOMAINS=corp.example",
	}, settings...)...), i
}

// knows makes the browser's requests to the hosts of some servers expected.
func (b *browser) knows(urls ...string) *browser {
	for _, u := range urls {
		b.friends[strings.TrimPrefix(u, "http://")] = true
	}
	return b
}

// Chromium holds form-action against the redirect that follows the form's POST.
func TestPeopleSignInAtAConfiguredProvider(t *testing.T) {
	p, i := led(t)
	b := p.open().knows(i.URL)
	b.visit("/login")
	b.arrive("login-provider")
	b.press("Sign in with Example Corp")
	b.at("/account", 200)
	b.says("ann (127.0.0.1")
	b.arrive("account-provider")
	for _, typed := range []string{"corp:ann", "ann@corp.example"} {
		other := p.open().knows(i.URL)
		other.visit("/login?next=/account/history")
		other.fill("id", typed)
		other.leave(chromedp.KeyEvent(kb.Enter))
		other.at("/account/history", 200)
	}
}

func TestPeopleSignInAtAnIssuerThatNobodyConfigured(t *testing.T) {
	p, _ := led(t)
	i := federationtest.New(t)
	i.WebFinger["acct:ann@"+strings.TrimPrefix(i.URL, "http://")] = i.URL
	for n, typed := range []string{i.URL, "acct:ann@" + strings.TrimPrefix(i.URL, "http://"), strings.TrimPrefix(i.URL, "http://")} {
		b := p.open().knows(i.URL)
		b.scripts(n > 0) // the page that leads on needs none
		b.visit("/login")
		b.do(chromedp.SendKeys(chromedp.ID("id"), typed))
		b.leave(chromedp.KeyEvent(kb.Enter))
		b.awaitPath("/account")
	}
}

func TestThePageThatLeadsToAProvider(t *testing.T) {
	p, _ := led(t)
	i := federationtest.New(t)
	i.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/authorize" {
			w.WriteHeader(http.StatusNoContent) // the browser stays where it is
		}
		return r.URL.Path == "/authorize"
	}
	b := p.open().knows(i.URL)
	b.visit("/login")
	b.fill("id", i.URL)
	b.press("Send me a code")
	b.says("Go on to 127.0.0.1")
	b.aside(func() { b.arrive("leave") })
}

func TestPeopleSignInWithOAuth(t *testing.T) {
	o := federationtest.NewOAuth(t)
	p := newPlace(t, "PROVIDER_0_NAME=forge", "PROVIDER_0_DRIVER=gitea", "PROVIDER_0_ISSUER="+o.URL, "PROVIDER_0_LABEL=Forge", "PROVIDER_0_CLIENT_ID=djauthy", "PROVIDER_0_CLIENT_SECRET=secret")
	b := p.open().knows(o.URL)
	b.visit("/login")
	b.fill("id", "forge:ann")
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.at("/account", 200)
	b.says("ann (forge)")
}

func TestPeopleSignInWithOpenID2(t *testing.T) {
	o := federationtest.NewOpenID2(t)
	o.Pages["ann"] = o.Links("ann")
	p := newPlace(t, "FETCH_ALLOW=127.0.0.0/8")
	b := p.open().knows(o.URL)
	b.visit("/login")
	b.fill("id", o.URL+"/page/ann")
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.awaitPath("/account")
	b.says(o.URL + "/page/ann")
}

// Who waits for mail in a browser that is known may sign in at their provider instead.
func TestAKnownBrowserShowsAnotherWayIn(t *testing.T) {
	p, i := led(t)
	b := p.open().knows(i.URL)
	p.signIn(b, "ann@people.example")
	b.visit("/account/add")
	b.press("Add Example Corp")
	b.at("/account?done=added", 200)
	b.press("Sign out")
	b.visit("/login")
	b.fill("id", "ann@people.example")
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.at("/login/code", 200)
	b.do(chromedp.Click(words("Sign in another way")))
	b.arrive("code-others")
	b.press("Sign in with Example Corp")
	b.at("/account", 200)
	b.says("ann (127.0.0.1")
}

// A provider's page posts the response: the browser sends it without our cookies.
func TestAProviderPostsItsResponse(t *testing.T) {
	p, i := led(t)
	back := make(chan [2]string, 1)
	i.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/posting" {
			return false
		}
		response := <-back
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>provider</title><link rel="icon" href="data:,"><main><form method="post" action="%s/login/corp/callback">
			<input type="hidden" name="code" value="%s"><input type="hidden" name="state" value="%s"><button>Yes, it is me</button></form></main></html>`, p.URL, html.EscapeString(response[0]), html.EscapeString(response[1]))
		return true
	}
	i.Return = func(w http.ResponseWriter, r *http.Request, code, state string) {
		back <- [2]string{code, state}
		http.Redirect(w, r, "/posting", http.StatusFound)
	}
	b := p.open().knows(i.URL)
	b.visit("/login/corp")
	b.press("Yes, it is me")
	b.at("/account", 200)
}

func TestWhatGoesWrongAtAProviderLeavesAnotherWay(t *testing.T) {
	p, i := led(t)
	b := p.open().knows(i.URL)
	i.Stop()
	b.visit("/login")
	b.fill("id", "ann@corp.example")
	b.aside(func() { b.press("Send me a code") }) // Chromium logs each page of a 502
	b.at("/login", 502)
	b.says("Example Corp does not answer")
	b.aside(func() { b.arrive("provider-down") })
	b.press("Sign in another way")
	b.at("/login/choose", 200)
	b.arrive("choose")
	b.press("Send me a code by Email")
	b.at("/login/code", 200)
	b.enter(p.mail.Next(t, "ann@corp.example").Code())
	b.at("/account", 200)
}

func TestAnAddressIsAddedMergedAndUndone(t *testing.T) {
	p, _ := led(t)
	bob := p.open()
	p.signIn(bob, "bob@people.example")
	b := p.open()
	p.signIn(b, "ann@people.example")
	b.do(chromedp.SendKeys(chromedp.ID("id"), "work@people.example"))
	b.press("Add it")
	b.at("/login/code", 200)
	b.arrive("code-adding")
	b.enter(p.mail.Next(t, "work@people.example").Code())
	b.at("/account?done=added", 200)
	b.says("The address is yours now.", "work@people.example")
	b.arrive("account-added")
	told := p.mail.Next(t, "ann@people.example")

	b.do(chromedp.SendKeys(chromedp.ID("id"), "nobody"))
	b.press("Add it")
	b.at("/account/add", 422)
	b.alerted("An @ is missing", "id")
	b.arrive("add-wrong")
	b.fill("id", "bob@people.example")
	b.press("Add it")
	b.at("/login/code", 200)
	b.enter(p.mail.Next(t, "bob@people.example").Code())
	b.at("/account/merge", 200)
	b.says("Is this you, too?", "bob@people.example")
	b.arrive("merge")
	b.press("Yes, make them one")
	b.at("/account?done=merged", 200)
	b.says("The two accounts are one now.", "bob@people.example")
	undoOf(t, p.mail.Next(t, "ann@people.example"))
	b.do(chromedp.SetValue(chromedp.ID("username"), "Ann"))
	b.press("Change it")
	b.at("/account/username", 422)
	b.summed("That cannot be a username.", "username")
	b.arrive("username-wrong")

	other := p.open()
	other.visit(undoOf(t, told))
	other.says("was added to your account")
	other.arrive("undo")
	other.press("It was not me: undo it")
	other.says("It is undone")
	other.arrive("undo-done")
	if m := p.mail.Next(t, "ann@people.example"); !strings.Contains(m.Text, "was undone") {
		t.Errorf("ann is told\n%s", m.Text)
	}
	b.visit("/account")
	b.at("/login?next=%2Faccount", 200)

	p.signIn(b, "ann@people.example")
	p.age(t)
	b.do(chromedp.SendKeys(chromedp.ID("id"), "more@people.example"))
	b.press("Add it")
	b.at("/step-up?action=address.add&next=%2Faccount%2Fadd", 200)
	b.arrive("step-up")
	b.press("Send me a code")
	b.arrive("step-up-code")
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at("/account/add", 200)
	b.arrive("add-after-step-up")
	b.press("Add it")
	b.at("/login/code", 200)
	b.enter(p.mail.Next(t, "more@people.example").Code())
	b.at("/account?done=added", 200)
}

// undoOf is the path that undoes what a message tells of.
func undoOf(t *testing.T, m program.Mail) string {
	t.Helper()
	path := m.Undo()
	if path == "" {
		t.Fatal("the message undoes nothing")
	}
	return path
}

func TestThePagesOfProvidersInGerman(t *testing.T) {
	p, i := led(t)
	b := p.open(look{width: 320, height: 640, phone: true, language: "de"}).knows(i.URL)
	b.visit("/login")
	b.arrive("de-login-provider")
	i.Stop()
	b.do(chromedp.SendKeys(chromedp.ID("id"), "ann@corp.example"))
	b.aside(func() {
		b.leave(chromedp.KeyEvent(kb.Enter))
		b.arrive("de-provider-down")
	})
	b.visit("/login/choose")
	b.arrive("de-choose")
	b.visit("/login")
	b.do(chromedp.SendKeys(chromedp.ID("id"), "ann@people.example"))
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.enter(p.mail.Next(t, "ann@people.example").Code())
	b.at("/account", 200)
	b.arrive("de-account-provider")
	b.visit("/account/add")
	b.arrive("de-add")
	b.visit("/step-up")
	b.arrive("de-step-up")
}

// awaitPath waits until the browser has come to a path, over pages that lead on by
// themselves.
func (b *browser) awaitPath(path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*stepLimit)
	defer cancel()
	for {
		// Between two pages there is nobody to ask.
		at, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState == "complete" ? location.pathname : ""`))
		if err == nil && at == path {
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("at %s instead of %s; the page says:\n%s", at, path, b.text("body"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}
