package web

import (
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/words"
)

// requester gathers who is at the other end. A browser without a browser cookie is
// given one, whatever it asks for.
func (s *Server) requester(c *fiber.Ctx) signin.Requester {
	address := s.door.Address(c)
	browser, isNew := s.Signin.ReadBrowser(s.door.Cookie(c, door.BrowserCookie))
	if isNew {
		s.door.SetCookie(c, door.BrowserCookie, s.Signin.Cookie(browser), browserLife)
	}
	return signin.Requester{
		Browser: browser, Network: door.Network(address), Client: s.client(c), Words: s.language(c),
		Session: s.door.Token(c, door.SessionCookie), Attempt: s.door.Token(c, door.AttemptCookie),
		Answered: func(fn func()) { door.Answered(c, fn) },
	}
}

// owner is the person who acts on their own account.
func (s *Server) owner(c *fiber.Ctx) directory.Owner {
	return directory.Owner{Session: s.door.Token(c, door.SessionCookie), Client: s.client(c)}
}

// form returns a field of the form in the request's body.
func form(c *fiber.Ctx, name string) string { return door.FormValue(c, name) }

func (s *Server) client(c *fiber.Ctx) audit.Client {
	return audit.Client{Prefix: door.Prefix(s.door.Address(c)), Agent: door.Agent(c.Get(fiber.HeaderUserAgent))}
}

// session returns the request's session, looked up once; its zero value is
// none.
func (s *Server) session(c *fiber.Ctx) (session.Session, error) {
	const key = "session"
	if sess, ok := c.Locals(key).(session.Session); ok {
		return sess, nil
	}
	t := s.door.Token(c, door.SessionCookie)
	if t.ID == 0 {
		return session.Session{}, nil
	}
	sess, err := s.Signin.Sessions.Check(c.UserContext(), t)
	if errors.Is(err, db.ErrNotFound) {
		err = nil
	}
	if err == nil {
		c.Locals(key, sess)
	}
	return sess, err
}

// language is the person's own after a proof, else the browser's.
func (s *Server) language(c *fiber.Ctx) *words.Language {
	if sess, ok := c.Locals("session").(session.Session); ok && sess.User.Language != "" {
		return s.Words.Get(sess.User.Language)
	}
	return s.Words.Match(c.Get(fiber.HeaderAcceptLanguage))
}

// toLogin leads a browser to sign in and then back here.
func (s *Server) toLogin(c *fiber.Ctx) error {
	next := "/account"
	if c.Method() == http.MethodGet {
		next = s.wayBack(c, c.OriginalURL())
	}
	return c.Redirect(s.signInURL(c, next), http.StatusSeeOther)
}
