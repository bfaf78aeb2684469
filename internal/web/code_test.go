package web

import (
	"log/slog"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/words"
)

// opened is a server whose pages are added to a door, without what is below them.
func opened(t *testing.T) (*Server, *page.Site) {
	t.Helper()
	texts, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, log := &Server{DB: &db.DB{Now: time.Now}}, slog.New(slog.DiscardHandler)
	o := page.Options{PublicURL: "http://localhost:8080", Brand: page.Brand{Name: "R & D"}}
	d, err := door.New(door.Options{PublicURL: o.PublicURL, Log: slog.New(slog.DiscardHandler), Observe: func(string, string, int, time.Duration) {}})
	if err != nil {
		t.Fatal(err)
	}
	site := &page.Site{Words: texts, Log: log, Options: o, Now: time.Now, Door: d}
	if err := site.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := site.Open(s.Routes(site)...); err != nil {
		t.Fatal(err)
	}
	return s, site
}

// The page of a fresh code is precompiled; it has to be the very page
// that the template would make, whatever somebody's id is.
func TestThePrecompiledCodePageIsTheTemplates(t *testing.T) {
	_, site := opened(t)
	in := &signIn{Site: site}
	app := fiber.New()
	for _, lang := range words.Languages {
		r := &fasthttp.RequestCtx{}
		r.Request.Header.Set(fiber.HeaderAcceptLanguage, lang)
		first := app.AcquireCtx(r)
		b := site.Base(first)
		app.ReleaseCtx(first)
		for _, masked := range []string{"a…@example.org", `"<b>&'"@example.org`, "xqMarkOfValue3qx"} {
			for form := range 128 {
				bit := func(n int) bool { return form>>n&1 == 1 }
				p := codePage{Base: b, codeForm: codeForm{
					Digits: bit(1), Long: bit(2), Waits: bit(3), Usual: bit(4), ChannelDown: bit(5), Mailbox: bit(5), Asks: bit(6), Length: 6,
				}}
				p.SignedIn = bit(0)
				for i, v := range p.values() {
					*v = []string{masked, "KQRTUV", page.LoginFor("/a?b=c d&e=+%" + masked), "599", "12:34 UTC", "29", "in 29 seconds", "usually at once"}[i]
				}
				write := func(fn func(c *fiber.Ctx, p codePage) error) string {
					c := app.AcquireCtx(&fasthttp.RequestCtx{})
					defer app.ReleaseCtx(c)
					if err := fn(c, p); err != nil {
						t.Fatal(err)
					}
					return string(c.Response().Body())
				}
				want := write(func(c *fiber.Ctx, p codePage) error { return site.Write(c, "signin/code.html", p) })
				if got := write(in.freshCode); got != want {
					t.Fatalf("%s %07b: the page is\n%s\nwant\n%s", lang, form, got, want)
				}
			}
		}
	}
}
