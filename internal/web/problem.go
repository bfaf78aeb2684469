package web

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

type errorPage struct {
	base
	Status         int
	Heading, Text  string
	Link, LinkText string
}

// showProblem tells a problem in words, as a page where a page was asked for.
func (s *Server) showProblem(c *fiber.Ctx, p *door.Problem) error {
	if accept := c.Get(fiber.HeaderAccept); accept != "" && !strings.Contains(accept, "text/html") && !strings.Contains(accept, "*/*") {
		text := http.StatusText(p.Status)
		if p.Link != "" {
			text += ": use " + s.Options.PublicURL
		}
		return c.SendString(text + "\n")
	}
	// No session: with the database down, asking for one would fail, too.
	l := s.Words.Match(c.Get(fiber.HeaderAcceptLanguage))
	e := errorPage{base: s.plain(l, false), Status: p.Status, Heading: l.T("error." + p.Key + ".heading"), Link: "/login", LinkText: l.T("error.go_on")}
	if p.Link != "" {
		e.Link, e.LinkText = p.Link, l.T("error.go_to")
	}
	e.Text = l.T("error."+p.Key+".text", "When", l.In(p.Wait), "Address", s.Options.PublicURL)
	return s.page(c, "error.html", e)
}

type messagePage struct {
	base
	Heading, Text  string
	Link, LinkText string
}

// message is a page that says one thing: KEY.heading, KEY.text and a way on.
func (s *Server) message(c *fiber.Ctx, key, link, linkText string) error {
	b := s.base(c)
	return s.page(c, "message.html", messagePage{b, b.T(key + ".heading"), b.T(key + ".text"), link, b.T(linkText)})
}
