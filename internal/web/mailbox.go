package web

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/djauthy/djauthy/internal/mailbox"
)

type mailboxPage struct {
	base
	Messages []mailbox.Message
}

// showMailbox shows the local mailbox to who sits at this machine and came by
// its own name.
func (s *Server) showMailbox(c *fiber.Ctx) error {
	p := mailboxPage{s.base(c), s.Mailbox.Messages()}
	p.now = time.Now().UTC()
	return s.page(c, "mailbox.html", p)
}

func (s *Server) metrics(c *fiber.Ctx) error { return adaptor.HTTPHandler(s.Metrics)(c) }
