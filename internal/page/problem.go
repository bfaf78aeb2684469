package page

import (
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

type errorPage struct {
	Base
	Heading, Text  string
	Link, LinkText string
	Wait           int    // seconds to count down until it may work again, or 0
	Again          string // the same in words
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
	return s.Write(c, "error.html", s.errorPage(c, p, s.base(s.browserLanguage(c), false)))
}

func (s *Site) errorPage(c *fiber.Ctx, p *door.Problem, b Base) errorPage {
	l := b.Language
	e := errorPage{Base: b, Heading: l.T("error." + p.Key + ".heading"), Link: "/login", LinkText: l.T("error.go_on")}
	if p.Link != "" {
		e.Link, e.LinkText = p.Link, l.T("error.go_to")
	}
	e.Text = l.T("error."+p.Key+".text", "Address", s.Options.PublicURL)
	if p.Wait > 0 {
		e.Again = l.T("error.again", "When", l.In(p.Wait))
	}
	if p.Wait <= time.Hour { // nobody watches longer
		e.Wait = door.Seconds(p.Wait)
	}
	if p.Status == http.StatusTooManyRequests && s.Door.Cookie(c, door.AttemptCookie) != "" {
		e.Link, e.LinkText = "/login/code", l.T("error.enter_code")
	}
	return e
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
