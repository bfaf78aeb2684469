package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/djauthy/djauthy/test/program"
)

func TestErrorsArePagesWithAWayOn(t *testing.T) {
	p := newPlace(t)
	b := p.open()
	b.visit("/nowhere")
	b.at("/nowhere", 404)
	b.says("There is no page here")
	b.arrive("error-404")
	b.press("Go to the sign-in page")
	b.at("/login", 200)
	b.aside(func() { b.leave(post("/account/history", nil)) })
	b.arrive("error-method")
	b.visit("/login/code")
	b.at("/login", 200)
	b.aside(func() { b.leave(post("/login/code", map[string]string{"auth_code": "123456"})) })
	b.at("/login/code", 410)
	b.says("No sign-in is under way here")
	b.arrive("ended-gone")
	b.visit("/login/first/" + strings.Repeat("a", 60))
	b.arrive("first-gone")
}

func TestTooManyAsksAreToldWhenAgain(t *testing.T) {
	p := newPlace(t, "LIMITS_SEND_PER_IP=1/15m", "LIMITS_RESEND_EVERY=0")
	b := p.open()
	p.ask(b, "ann@people.example")
	b.visit("/login")
	b.fill("id", "ben@people.example")
	b.press("Send me a code")
	b.at("/login", 429)
	b.says("Too many requests for now", "Asking works again in")
	b.arrive("error-429")
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	p := newPlace(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>evil</title><link rel="icon" href="data:,"><main>
			<form method="post" action="%s/login"><input type="hidden" name="id" value="ann@people.example"><button>Win</button></form></main></html>`, p.URL)
	}))
	t.Cleanup(evil.Close)
	b := p.open()
	b.friends[strings.TrimPrefix(evil.URL, "http://")] = true
	b.visit(evil.URL)
	b.press("Win")
	b.at("/login", 403)
	b.says("That came from another site")
	b.arrive("error-403")
}

// A fresh machine: no settings but where to listen. Messages are read in the
// local mailbox, and the first to come becomes the administrator.
func TestAFreshMachineHasAMailboxAndAFirstAdministrator(t *testing.T) {
	t.Parallel()
	chromium.start(t)
	s := program.Start(t, binary)
	b := chromium.open(t, s)
	b.visit("/mailbox")
	b.arrive("mailbox-empty")
	first := regexp.MustCompile(`First administrator: (\S+)`).FindStringSubmatch(s.Errors())
	if first == nil {
		t.Fatalf("no word on the first administrator:\n%s", s.Errors())
	}
	b.visit(first[1])
	b.says("Become the first administrator")
	b.arrive("first")
	b.fill("id", "ann@people.example")
	b.press("Send me a code")
	b.at("/login/code", 200)
	b.says("This is a test server.")
	b.arrive("code-mailbox")
	code := regexp.MustCompile(`\b\d{6}\b`)
	for !code.MatchString(b.text("pre")) {
		b.visit("/mailbox")
	}
	b.arrive("mailbox")
	found := code.FindString(b.text("pre"))
	b.leave(chromedp.Click(chromedp.Search(`//main//li/a[contains(@href, "/login/link/")]`)))
	b.at("/login/link", 200)
	b.visit("/login/code")
	b.enter(found)
	b.at("/account", 200)
	b.says("Administrator")
	b.arrive("account-administrator")
	other := chromium.open(t, s)
	other.visit(first[1])
	other.says("This link has ended")
}
