package web

import (
	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/signin"
)

// requester describes the sender of a request. A browser without browser cookie gets one.
func (s *signIn) requester(c *fiber.Ctx) signin.Requester {
	address := s.Door.Address(c)
	browser, isNew := s.signin.ReadBrowser(s.Door.Cookie(c, door.BrowserCookie))
	if isNew {
		s.Door.SetCookie(c, door.BrowserCookie, s.signin.Cookie(browser), browserLife)
	}
	return signin.Requester{
		Browser: browser, Network: door.Network(address), Client: s.Client(c), Words: s.Language(c),
		Session: s.Door.Token(c, door.SessionCookie), Attempt: s.Door.Token(c, door.AttemptCookie),
		AfterResponse: func(fn func()) { door.AfterResponse(c, fn) },
	}
}
