package web

import (
	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/browser"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
)

// browserKey is the key under which a request keeps the browser that it gave a cookie.
const browserKey = "browser"

// browser is the sender's browser. One without browser cookie gets one.
func (s *signIn) browser(c *fiber.Ctx) browser.Browser {
	if b, ok := c.Locals(browserKey).(browser.Browser); ok {
		return b
	}
	b, isNew := s.signin.ReadBrowser(s.Door.Cookie(c, door.BrowserCookie))
	if isNew {
		s.Door.SetCookie(c, door.BrowserCookie, s.signin.Cookie(b), browserLife)
		c.Locals(browserKey, b)
	}
	return b
}

// requester describes the sender of a request.
func (s *signIn) requester(c *fiber.Ctx) signin.Requester {
	address := s.Door.Address(c)
	return signin.Requester{
		Browser: s.browser(c), Network: door.Network(address), Client: s.Client(c), Words: s.Language(c),
		Session: s.SessionToken(c), Next: s.NextToken(c), Attempt: s.Door.Token(c, door.AttemptCookie), Device: s.Door.Token(c, door.DeviceCookie),
		AfterResponse: func(fn func()) { door.AfterResponse(c, fn) },
	}
}

// owner is the person who acts on their own account.
func owner(s *page.Site, c *fiber.Ctx) directory.Owner {
	return directory.Owner{
		Session: s.SessionToken(c), Next: s.NextToken(c), Client: s.Client(c), Words: s.Language(c), AfterResponse: func(fn func()) { door.AfterResponse(c, fn) },
	}
}

// owner is the person, with the browser to which the use of a passkey is bound.
func (s *signIn) owner(c *fiber.Ctx) directory.Owner {
	own, b := owner(s.Site, c), s.browser(c)
	own.Browser = b.ID[:]
	return own
}
