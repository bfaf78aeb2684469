package browser_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/djauthy/djauthy/test/program"
)

// secure starts a site behind a proxy that speaks HTTPS, as sites are run.
func secure(t *testing.T) (*place, *httptest.Server) {
	t.Helper()
	t.Parallel()
	mail := program.OpenSink(t, program.SinkOptions{})
	site := program.New(t, binary, append(mail.Settings(), "BRAND_NAME=Example", "TRUSTED_PROXIES=127.0.0.1/32")...)
	to, err := url.Parse(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.StartTLS()
	t.Cleanup(front.Close)
	site.Set("PUBLIC_URL=" + front.URL)
	site.Start(t)
	site.URL = front.URL
	return &place{site, t, mail, &whole}, front
}

// cookies are those of the site that the browser has, by name.
func (b *browser) cookies() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	for _, c := range call(b, network.GetCookies, network.GetCookiesParams{}).Cookies {
		all[c.Name] = c.Value
	}
	return all
}

// A browser that can binds its session by itself: what a thief copies opens nothing, and the
// person notices nothing when the short-lived cookie is over.
func TestChromiumsSessionIsBoundToItsDevice(t *testing.T) {
	p, front := secure(t)
	b := binding(t, front, "").open(t, p.Site)
	p.signIn(b, "ann@people.example")
	for deadline := time.Now().Add(stepLimit); b.cookies()["__Host-djauthy_bound"] == ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the session is not bound: %v", b.cookies())
		}
	}
	b.visit("/account")
	b.says("bound to this device")
	b.arrive("account-bound")

	stolen := b.cookies()
	status := func(names ...string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/account", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			r.AddCookie(&http.Cookie{Name: name, Value: stolen[name]})
		}
		a, err := front.Client().Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		return a.StatusCode
	}
	if got := status("__Host-djauthy", "__Host-djauthy_bound"); got != http.StatusOK {
		t.Fatalf("with both cookies: %d", got)
	}
	p.exec(t, `UPDATE sessions SET bound_at = bound_at - 60000`) // it was no moment ago
	if got := status("__Host-djauthy"); got != http.StatusSeeOther {
		t.Errorf("with the session's cookie alone: %d", got)
	}

	call(b, network.DeleteCookies, network.DeleteCookiesParams{Name: "__Host-djauthy_bound", URL: front.URL}) // as after ten minutes
	b.visit("/account")
	b.at("/account", 200)
	if now := b.cookies()["__Host-djauthy_bound"]; now == "" || now == stolen["__Host-djauthy_bound"] {
		t.Errorf("the short-lived cookie is %q", now)
	}
	b.press("Sign out")
	b.visit("/account")
	b.at("/login?next=%2Faccount", 200)
}
