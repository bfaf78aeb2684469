package proxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/djauthy/djauthy/test/program"
)

// stepLimit is how long one step may take on a machine that has much to do.
const stepLimit = 60 * time.Second

// chromium is one person's browser.
type chromium struct {
	t   *testing.T
	ctx context.Context
}

func openChromium(t *testing.T) *chromium {
	t.Helper()
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(program.Need(t, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))}
	for _, name := range []string{"headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage", "ignore-certificate-errors"} {
		flags = append(flags, chromedp.Flag(name, true))
	}
	flags = append(flags, chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"))
	allocator, end := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(end)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	must(t, chromedp.Do(ctx))
	return &chromium{t, ctx}
}

// leave runs steps that lead to another page, waits for it and requires where it
// is.
func (c *chromium) leave(to string, steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, stepLimit)
	defer cancel()
	_, err := chromedp.RunResponse(ctx, steps...)
	if at := c.at(); err != nil || at != to {
		c.t.Fatalf("the browser is at %s, not at %s: %v", at, to, err)
	}
}

func (c *chromium) at() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, stepLimit)
	defer cancel()
	at, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href`))
	must(c.t, err)
	return at
}

// redirector leads everybody to an address, by its own origin.
func redirector(t *testing.T, to string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
	t.Cleanup(s.Close)
	return s.URL
}

// Chromium holds form-action of the page with the form against each redirect that
// follows, also against those of an app that has a sign-in of its own elsewhere.
func TestAPersonLandsWhereTheAppRedirectsTo(t *testing.T) {
	t.Parallel()
	f := openFront(t, "docs/proxies.md", "nginx")
	goal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "landed") }))
	t.Cleanup(goal.Close)
	landed := goal.URL + "/landed?a=1&b=2"
	f.app.away = redirector(t, landed)
	start := "http://" + f.host + "/app/away?a=1&b=2"
	for _, way := range []string{"code", "link"} {
		t.Run(way, func(t *testing.T) {
			c := openChromium(t)
			c.leave("http://"+f.host+"/login?next=/app/away?a=1&b=2", chromedp.Navigate(start))
			c.leave("http://"+f.host+"/login/code", chromedp.SendKeys(chromedp.ID("id"), way+"@people.example"), chromedp.Click(chromedp.Search("//main//button")))
			m := f.mail.Next(t, way+"@people.example")
			if way == "code" {
				c.leave(landed, chromedp.SendKeys(chromedp.ID("auth_code"), m.Code()))
			} else {
				c.leave("http://"+f.host+"/login/link", chromedp.Navigate(m.Link()))
				c.leave(landed, chromedp.Click(chromedp.Search("//main//button")))
			}
			c.leave("http://"+f.host+"/account", chromedp.Navigate("http://"+f.host+"/account"))
		})
	}
}

// Chromium holds each page under an app's host to its own policy, and the button there against
// each redirect that follows.
func TestAPersonInABrowserUsesSitesAndLeavesOne(t *testing.T) {
	t.Parallel()
	eachProxied(t, func(t *testing.T, f *proxied) {
		c := openChromium(t)
		address := "https://" + f.host("grafana") + "/d/42?a=%25&b=c+d"
		navigate := func(to string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(to) }
		c.goes(navigate(address))
		if at := c.at(); !strings.HasPrefix(at, "https://"+f.host("login")+"/login?next=https://"+f.host("grafana")+"/d/42") {
			t.Fatalf("the browser is at %s", at)
		}
		c.leave("https://"+f.host("login")+"/login/code", chromedp.SendKeys(chromedp.ID("id"), "ben@people.example"), chromedp.Click(chromedp.Search("//main//button")))
		c.leave(address, chromedp.SendKeys(chromedp.ID("auth_code"), f.mail.Next(t, "ben@people.example").Code()))
		c.leave("https://"+f.host("wiki")+"/page", navigate("https://"+f.host("wiki")+"/page"))
		c.styled("This page is not open to you")
		c.leave("https://"+f.host("grafana")+"/.djauthy/leave", navigate("https://"+f.host("grafana")+"/.djauthy/leave"))
		c.styled("Sign out of " + f.host("grafana"))
		c.leave("https://"+f.host("login")+"/account", chromedp.Click(chromedp.Search("//main//button")))
		c.leave(address, navigate(address)) // by the session at djauthy
	})
}

// goes runs steps that lead to another page and waits for it.
func (c *chromium) goes(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, stepLimit)
	defer cancel()
	_, err := chromedp.RunResponse(ctx, steps...)
	must(c.t, err)
}

// styled requires that the page has a heading and its style.
func (c *chromium) styled(heading string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, stepLimit)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("h1").innerText + "|" + getComputedStyle(document.body).maxWidth`))
	must(c.t, err)
	if text, width, _ := strings.Cut(got, "|"); text != heading || width == "none" {
		c.t.Errorf("the page says %q, as wide as %s", text, width)
	}
}
