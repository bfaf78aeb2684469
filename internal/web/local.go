package web

import (
	"net/http"
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

func (s *local) showMetrics(c *fiber.Ctx) error { return adaptor.HTTPHandler(s.metrics)(c) }
