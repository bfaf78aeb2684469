package web

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/words"
)

// opened is the door with the server's pages.
func opened(t *testing.T, s *Server) *door.Door {
	t.Helper()
	d, err := door.New(door.Options{PublicURL: s.Options.PublicURL, Log: slog.New(slog.DiscardHandler), Observe: func(string, string, int, time.Duration) {}})
	if err == nil {
		err = s.Open(d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The page of a fresh code is precompiled; it has to be the very page
// that the template would make, whatever somebody's id is.
func TestThePouredCodePageIsTheTemplates(t *testing.T) {
	texts, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Words: texts, Options: Options{PublicURL: "http://localhost:8080"}}
	opened(t, s)
	app := fiber.New()
	for _, lang := range words.Languages {
		for _, masked := range []string{"a…@example.org", `"<b>&'"@example.org`, "xqMarkOfValue3qx"} {
			for form := range 64 {
				bit := func(n int) bool { return form>>n&1 == 1 }
				p := codePage{base: base{Language: texts.Get(lang), SignedIn: bit(0), Brand: Brand{Name: "R & D"}}, codeForm: codeForm{
					Digits: bit(1), Long: bit(2), Waits: bit(3), Usual: bit(4), ChannelDown: bit(5), Mailbox: bit(5), Length: 6,
				}}
				for i, v := range p.values() {
					*v = []string{masked, loginFor("/a?b=c d&e=+%" + masked), "599", "12:34 UTC", "29", "in 29 seconds", "usually at once"}[i]
				}
				var want bytes.Buffer
				if err := s.views.execute(&want, "signin/code.html", p); err != nil {
					t.Fatal(err)
				}
				c := app.AcquireCtx(&fasthttp.RequestCtx{})
				if err := s.plainCode(c, p); err != nil {
					t.Fatal(err)
				}
				if got := string(c.Response().Body()); got != want.String() {
					t.Fatalf("%s %06b: the page is\n%s\nwant\n%s", lang, form, got, want.String())
				}
				app.ReleaseCtx(c)
			}
		}
	}
}
