package web

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/door"
)

// postBind takes the key to which a browser binds its session.
func (s *signIn) postBind(c *fiber.Ctx) error {
	if s.binding == nil {
		return c.SendStatus(http.StatusUnauthorized)
	}
	out, err := s.access.Bind(c.UserContext(), s.binding, c.Get(boundkey.HeaderProof))
	return s.bound(c, out, err)
}

// postRefresh takes a browser's proof that it still has the key.
func (s *signIn) postRefresh(c *fiber.Ctx) error {
	if s.binding == nil {
		return c.SendStatus(http.StatusUnauthorized)
	}
	out, err := s.access.Refresh(c.UserContext(), s.binding, c.Get(boundkey.HeaderSession), c.Get(boundkey.HeaderProof))
	return s.bound(c, out, err)
}

// bound responds to a browser's proof.
func (s *signIn) bound(c *fiber.Ctx, out access.Bound, err error) error {
	switch {
	case err != nil:
		return err
	case out.Challenge != "":
		c.Set(boundkey.HeaderChallenge, out.Challenge)
		return c.SendStatus(http.StatusForbidden)
	case !out.OK:
		return c.SendStatus(http.StatusUnauthorized)
	}
	s.Door.SetCookie(c, door.BoundCookie, out.Cookie, boundkey.CookieLife)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(out.Body)
}
