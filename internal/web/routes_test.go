package web

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"

	"github.com/djauthy/djauthy/internal/page"
)

// Row 64: every way in says who may use it.
func TestNoRouteIsForNobody(t *testing.T) {
	s, site := opened(t)
	for _, r := range s.Routes(site) {
		if r.Who == page.Nobody {
			t.Errorf("%s %s is for nobody", r.Method, r.Path)
		}
	}
}

// A message begun before the response would tell by its time which ids get one.
func TestWhatARequestCausesBeginsAfterItsResponse(t *testing.T) {
	_, site := opened(t)
	keys, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	in := &signIn{Site: site, signin: signin.New(nil, nil, nil, nil, nil, keys, signin.Settings{}, nil)}
	began, early := make(chan bool, 1), false
	site.Door.App.Get("/probe", func(c *fiber.Ctx) error {
		in.requester(c).AfterResponse(func() { began <- true })
		early = len(began) > 0
		return c.SendString("yes")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = site.Door.Serve(l) }()
	defer site.Door.Shutdown(l, 10*time.Second)
	resp, err := http.Get("http://" + l.Addr().String() + "/probe")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	select {
	case <-began:
	case <-time.After(10 * time.Second):
		t.Error("it never begins")
	}
	if early || resp.StatusCode != http.StatusOK {
		t.Errorf("it began before the response: %v, status %d", early, resp.StatusCode)
	}
}
