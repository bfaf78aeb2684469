package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// losing is a way to the site on which cookies of one name are lost; "*": all.
func (p *place) losing(t *testing.T, name *atomic.Value) (address string) {
	t.Helper()
	to, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	way := httputil.NewSingleHostReverseProxy(to)
	way.ModifyResponse = func(r *http.Response) error {
		lost := name.Load().(string)
		r.Header["Set-Cookie"] = slices.DeleteFunc(r.Header["Set-Cookie"], func(line string) bool {
			return lost == "*" || strings.HasPrefix(line, lost+"=")
		})
		return nil
	}
	s := httptest.NewServer(way)
	t.Cleanup(s.Close)
	return s.URL
}

// through opens a browser that reaches the site that way.
func (p *place) through(address string) *browser {
	b := p.open()
	b.friends[strings.TrimPrefix(address, "http://")] = true
	return b
}

func TestABrowserWithoutCookiesIsToldSoAndGetsNoMessage(t *testing.T) {
	p := newPlace(t)
	var lost atomic.Value
	lost.Store("*")
	way := p.losing(t, &lost)
	b := p.through(way)
	b.visit(way + "/login")
	b.fill("id", "ann@people.example")
	b.press("Send me a code")
	b.at("/login", 422)
	b.says("Your browser does not keep our cookie", "we sent no code", p.URL)
	b.arrive("cookies")
	lost.Store("nothing")
	b.press("Try again")
	b.at("/login", 200)
	b.fill("id", "ann@people.example")
	b.press("Send me a code")
	b.at("/login/code", 200)
	b.enter(p.mail.Next(t, "ann@people.example").Code()) // the only one
	b.at("/account", 200)
}

func TestEachCookieThatIsLostIsTold(t *testing.T) {
	p := newPlace(t)
	var lost atomic.Value
	lost.Store("djauthy_attempt")
	way := p.losing(t, &lost)
	b := p.through(way)
	b.visit(way + "/login")
	b.fill("id", "ann@people.example")
	b.press("Send me a code")
	b.at("/login?done=no_cookies", 200)
	b.says("so the sign-in was lost")
	b.arrive("login-no-cookies")
	p.mail.Next(t, "ann@people.example")

	lost.Store("djauthy")
	b.fill("id", "ben@people.example")
	b.press("Send me a code")
	m := p.mail.Next(t, "ben@people.example")
	b.enter(m.Code())
	b.at("/login?done=no_cookies&next=%2Faccount", 200)
	b.says("so the sign-in was lost")

	lost.Store("djauthy_link")
	b.visit(way + strings.TrimPrefix(m.Link(), p.URL))
	b.at("/login/link", 410)
	b.says("Open the link once more", "allow cookies")
	b.arrive("link-lost")
}

func TestAWrongAddressIsAPageThatLeadsToTheRightOne(t *testing.T) {
	port := program.Port(t)
	public := fmt.Sprintf("http://login.of-a-long-name.site.example:%d", port)
	p := newPlace(t, fmt.Sprintf("LISTEN=127.0.0.1:%d", port), "PUBLIC_URL="+public)
	p.URL = public
	b := p.open()
	alias := fmt.Sprintf("alias.site.example:%d", port)
	b.friends[alias] = true
	b.visit("http://" + alias + "/account/history?before=5")
	b.at("/account/history?before=5", 421)
	b.says("This site has another address", public)
	b.arrive("error-wrong-address")
	b.press("Go to the right address")
	b.at("/login?next=%2Faccount%2Fhistory%3Fbefore%3D5", 200)
	if at := eval[string](b, `location.origin`); at != public {
		t.Errorf("the button leads to %s", at)
	}
	p.signIn(b, "ann@people.example")
}

func TestHTTPForHTTPSIsToldBeforeAMessageIsSent(t *testing.T) {
	port := program.Port(t)
	p := newPlace(t, fmt.Sprintf("LISTEN=127.0.0.1:%d", port), fmt.Sprintf("PUBLIC_URL=https://login.site.example:%d", port))
	p.URL = fmt.Sprintf("http://login.site.example:%d", port)
	b := p.open()
	b.visit("/login")
	b.fill("id", "ann@people.example")
	b.press("Send me a code")
	b.at("/login", 403)
	b.says("This site has another address", fmt.Sprintf("https://login.site.example:%d", port))
}
