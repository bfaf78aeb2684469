package web

import (
	"mime"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// forwardAuth tells a proxy in front of an app who its visitor is: 200 with
// identity headers, else 401. All four headers are always there, so that a
// proxy which copies them overwrites what a visitor made up.
func (s *Server) forwardAuth(c *fiber.Ctx) error {
	sess, err := s.session(c)
	if err != nil {
		return err
	}
	if sess.ID == 0 {
		return door.Fail(http.StatusUnauthorized)
	}
	h := &c.Response().Header
	h.Set("Remote-User", sess.User.Username)
	h.Set("Remote-Email", sess.User.Email)
	h.Set("Remote-Name", mime.QEncoding.Encode("utf-8", sess.User.Name()))
	h.Set("Remote-Groups", "")
	return nil
}
