package page

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// Route is a page or another endpoint.
type Route struct {
	Method, Path string
	Who          Who
	Handle       fiber.Handler
}

// Get is a route that reads.
func Get(path string, who Who, handle fiber.Handler) Route {
	return Route{Method: http.MethodGet, Path: path, Who: who, Handle: handle}
}

// Post is a route that changes something.
func Post(path string, who Who, handle fiber.Handler) Route {
	return Route{Method: http.MethodPost, Path: path, Who: who, Handle: handle}
}

// Who may use a route. The zero value is nobody, so that a route that says nothing is
// closed.
type Who int

// Who may use a route.
const (
	Nobody Who = iota
	Anybody
	AnyHost // anybody, under any host name
	// AnyOrigin is anybody, with forms of other sites' pages, too.
	AnyOrigin
	Person   // signed in; others are redirected to /login
	ThisHost // a peer at this machine, not through a proxy
)

// checksHost reports whether the server has to be reached by its own name.
func (w Who) checksHost() bool { return w != AnyHost && w != ThisHost }

// guard wraps a handler with the check of who may use it.
func (s *Site) guard(w Who, handle fiber.Handler) fiber.Handler {
	switch w {
	case Anybody, AnyHost, AnyOrigin:
		return handle
	case Person:
		return func(c *fiber.Ctx) error {
			sess, err := s.Session(c)
			if err != nil {
				return err
			}
			if sess.ID == 0 {
				return s.toLogin(c)
			}
			return handle(c)
		}
	case ThisHost:
		return func(c *fiber.Ctx) error {
			if !s.Door.AtThisMachine(c) {
				return door.Fail(http.StatusNotFound)
			}
			return handle(c)
		}
	}
	return func(*fiber.Ctx) error { return door.Fail(http.StatusForbidden) }
}

// toLogin redirects a browser to sign in, and from there back here.
func (s *Site) toLogin(c *fiber.Ctx) error {
	next := "/account"
	if c.Method() == http.MethodGet {
		next = s.WayBack(c, c.OriginalURL())
	}
	return c.Redirect(s.signInURL(c, next), http.StatusSeeOther)
}
