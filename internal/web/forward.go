package web

import (
	"mime"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// everybody is the group that every person is in.
const everybody = "users"

// forwardAuth tells a proxy in front of an app who its visitor is: 200 with
// identity headers, else 401. All four headers are always there and never empty,
// so that a proxy which copies them overwrites what a visitor made up: Caddy skips
// an empty one, and hands on the visitor's own.
func (s *local) forwardAuth(c *fiber.Ctx) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	if sess.ID == 0 {
		return door.Fail(http.StatusUnauthorized)
	}
	h, u := &c.Response().Header, sess.User
	h.Set("Remote-User", u.Username)
	h.Set("Remote-Email", nonEmpty(u.Email, u.Username+"@noreply."+s.Host()))
	h.Set("Remote-Name", mime.QEncoding.Encode("utf-8", nonEmpty(u.Name(), u.Username)))
	h.Set("Remote-Groups", everybody)
	return nil
}
