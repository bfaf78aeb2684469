package page

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

type errorPage struct {
	Base
	Status         int
	Heading, Text  string
	Link, LinkText string
}

// showProblem writes a problem as a page, or as text for clients that do not accept HTML.
func (s *Site) showProblem(c *fiber.Ctx, p *door.Problem) error {
	if accept := c.Get(fiber.HeaderAccept); accept != "" && !strings.Contains(accept, "text/html") && !strings.Contains(accept, "*/*") {
		text := http.StatusText(p.Status)
		if p.Link != "" {
			text += ": use " + s.Options.PublicURL
		}
		return c.SendString(text + "\n")
	}
	// No session: with the database down, reading it would fail, too.
	l := s.Words.Match(c.Get(fiber.HeaderAcceptLanguage))
	e := errorPage{Base: s.base(l, false), Status: p.Status, Heading: l.T("error." + p.Key + ".heading"), Link: "/login", LinkText: l.T("error.go_on")}
	if p.Link != "" {
		e.Link, e.LinkText = p.Link, l.T("error.go_to")
	}
	e.Text = l.T("error."+p.Key+".text", "When", l.In(p.Wait), "Address", s.Options.PublicURL)
	return s.Write(c, "error.html", e)
}

// Message is a page with a heading, a text and a link.
type Message struct {
	Base
	Heading, Text  string
	Link, LinkText string
}

// Say responds with the texts KEY.heading and KEY.text and a link.
func (s *Site) Say(c *fiber.Ctx, key, link, linkText string) error {
	b := s.Base(c)
	return s.WriteMessage(c, Message{Base: b, Heading: b.T(key + ".heading"), Text: b.T(key + ".text"), Link: link, LinkText: b.T(linkText)})
}

// WriteMessage responds with a Message.
func (s *Site) WriteMessage(c *fiber.Ctx, m Message) error { return s.Write(c, "message.html", m) }
