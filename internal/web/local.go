package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/mailbox"
	"github.com/djauthy/djauthy/internal/page"
)

type mailboxPage struct {
	page.Base
	Messages []mailbox.Message
}

// showMailbox shows the local mailbox to requests from this machine (page.ThisHost).
func (s *local) showMailbox(c *fiber.Ctx) error {
	p := mailboxPage{Base: s.Base(c).At(time.Now().UTC()), Messages: s.mailbox.Messages()}
	return s.Write(c, "mailbox.html", p)
}

// showMail shows the HTML of a message as a mail program does: without scripts, and with
// nothing from elsewhere.
func (s *local) showMail(c *fiber.Ctx) error {
	for _, m := range s.mailbox.Messages() {
		if strconv.Itoa(m.Number) == c.Params("number") && m.HTML != "" {
			c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-top-navigation-by-user-activation")
			c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
			return c.SendString(m.HTML)
		}
	}
	return door.Fail(http.StatusNotFound)
}

// ready reports whether the database answers and takes writes, and whether the bus, if
// there is one, is connected.
func (s *local) ready(c *fiber.Ctx) error {
	err := s.db.Ready(c.UserContext())
	if err == nil && s.bus != nil {
		err = s.bus()
	}
	if err != nil {
		return &door.Problem{Status: http.StatusServiceUnavailable, Key: "down", Wait: 5 * time.Second, Cause: err}
	}
	return c.SendString("ready\n")
}

// showKeys publishes the keys that verify tokens (RFC 7517 5). They are for everybody, and a
// key is published for much longer than an answer may be kept before it signs.
func (s *local) showKeys(c *fiber.Ctx) error {
	keys, err := s.keys.JWKS(c.UserContext())
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "public, max-age=300")
	c.Set(fiber.HeaderContentType, "application/jwk-set+json")
	return c.Send(keys)
}

func (s *local) showMetrics(c *fiber.Ctx) error { return adaptor.HTTPHandler(s.metrics)(c) }
