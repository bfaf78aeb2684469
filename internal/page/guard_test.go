package page

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/words"
)

// Row 64: a route whose author forgot to say who may use it is closed.
func TestARouteThatSaysNothingIsForNobody(t *testing.T) {
	texts, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	const url = "http://localhost:8080"
	d, err := door.New(door.Options{PublicURL: url, Log: slog.New(slog.DiscardHandler), Observe: func(string, string, int, time.Duration) {}})
	if err != nil {
		t.Fatal(err)
	}
	s := &Site{Words: texts, Log: slog.New(slog.DiscardHandler), Options: Options{PublicURL: url}, Now: time.Now, Door: d}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(Route{Method: http.MethodGet, Path: "/forgotten", Handle: func(c *fiber.Ctx) error { return c.SendString("inside") }}); err != nil {
		t.Fatal(err)
	}
	if s.Open() == nil { // the second time would forget whose the first pages are
		t.Error("a site is opened twice")
	}
	r := httptest.NewRequest(http.MethodGet, "/forgotten", nil)
	r.Host = "localhost:8080"
	res, err := d.App.Test(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("answered %d, want 403", res.StatusCode)
	}
}
