package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/words"
)

// Row 64: a route whose author forgot to say who may use it is closed.
func TestARouteThatSaysNothingIsForNobody(t *testing.T) {
	texts, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{DB: &db.DB{Now: time.Now}, Words: texts, Log: slog.New(slog.DiscardHandler), Options: Options{PublicURL: "http://localhost:8080"}}
	app := opened(t, s).App
	for _, r := range s.routes() {
		if r.who == nobody {
			t.Errorf("%s %s is for nobody", r.method, r.path)
		}
	}
	var forgotten route
	app.Get("/forgotten", s.guard(forgotten.who, func(c *fiber.Ctx) error { return c.SendString("inside") }))
	r := httptest.NewRequest(http.MethodGet, "/forgotten", nil)
	r.Host = "localhost:8080"
	res, err := app.Test(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("answered %d, want 403", res.StatusCode)
	}
}
