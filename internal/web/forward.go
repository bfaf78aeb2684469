package web

import (
	"mime"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// everybody is the group of all people.
const everybody = "users"

// forwardAuth answers a proxy in front of an app that asks who its visitor is: 200 with
// identity headers, else 401. All four headers are always set and never empty, so that a
// proxy which copies them replaces those that a visitor invented: Caddy skips an empty one
// and forwards the visitor's.
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
