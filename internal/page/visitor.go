package page

import (
	"errors"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/words"
)

// sessionKey is the key under which a request keeps its session after the lookup.
const sessionKey = "session"

// Session returns the request's session, looked up once; the zero value is none.
func (s *Site) Session(c *fiber.Ctx) (session.Session, error) {
	if sess, ok := c.Locals(sessionKey).(session.Session); ok {
		return sess, nil
	}
	t := s.Door.Token(c, door.SessionCookie)
	if t.ID == 0 {
		return session.Session{}, nil
	}
	sess, err := s.Sessions.Check(c.UserContext(), t)
	if errors.Is(err, db.ErrNotFound) {
		err = nil
	}
	if sess.Bound && !s.holds(c, sess) && !sess.IsBinding(s.Now()) { // a cookie without its device
		sess = session.Session{}
	}
	if err == nil {
		c.Locals(sessionKey, sess)
	}
	return sess, err
}

// holds reports whether the browser has the short-lived cookie of its bound session.
func (s *Site) holds(c *fiber.Ctx, sess session.Session) bool {
	return s.Holds != nil && s.Holds(sess.ID, s.Door.Cookie(c, door.BoundCookie))
}

// SessionToken is the token of the session's cookie; zero without one, for a bound session
// without its device, and if that cannot be read.
func (s *Site) SessionToken(c *fiber.Ctx) seal.Token {
	t := s.Door.Token(c, door.SessionCookie)
	if t.ID == 0 || s.Holds == nil {
		return t
	}
	if sess, err := s.Session(c); err != nil || sess.ID == 0 {
		return seal.Token{}
	}
	return t
}

// RenewSession gives the browser the next token of its session, because a proof was added to
// it: for the one it has, the proof does not count.
func (s *Site) RenewSession(c *fiber.Ctx) error {
	sess, err := s.Session(c)
	if err != nil || sess.ID == 0 {
		return err
	}
	s.Door.SetCookie(c, door.SessionCookie, s.NextToken(c).String(), sess.Expires.Sub(s.Now()))
	return nil
}

// nextKey is the key under which a request keeps its NextToken.
const nextKey = "next token"

// NextToken is the token that takes the place of the session's if this request adds a proof to
// it.
func (s *Site) NextToken(c *fiber.Ctx) seal.Token {
	if t, ok := c.Locals(nextKey).(seal.Token); ok {
		return t
	}
	t := session.Next(s.Door.Token(c, door.SessionCookie))
	c.Locals(nextKey, t)
	return t
}

// ForgetSession makes the rest of the request one without session, because it has ended.
func (s *Site) ForgetSession(c *fiber.Ctx) { c.Locals(sessionKey, session.Session{}) }

// Language is the signed-in person's language, else the browser's.
func (s *Site) Language(c *fiber.Ctx) *words.Language {
	if sess, ok := c.Locals(sessionKey).(session.Session); ok && sess.User.Language != "" && s.Door.Cookie(c, door.LanguageCookie) == "" {
		return s.Words.Get(sess.User.Language)
	}
	return s.browserLanguage(c)
}

// browserLanguage is the language that was chosen in this browser, else the one that it asks
// for.
func (s *Site) browserLanguage(c *fiber.Ctx) *words.Language {
	if chosen := s.Door.Cookie(c, door.LanguageCookie); slices.Contains(words.Languages, chosen) {
		return s.Words.Get(chosen)
	}
	return s.Words.Match(c.Get(fiber.HeaderAcceptLanguage))
}

// Client is the browser as history shows it.
func (s *Site) Client(c *fiber.Ctx) audit.Client {
	return audit.Client{Prefix: door.Prefix(s.Door.Address(c)), Agent: door.Agent(c.Get(fiber.HeaderUserAgent))}
}

// Form returns a field of the form in the request's body.
func Form(c *fiber.Ctx, name string) string { return door.FormValue(c, name) }

// HasForm reports whether the form in the request's body has a field, be it empty.
func HasForm(c *fiber.Ctx, name string) bool {
	return c.Request().PostArgs().Has(name) || Form(c, name) != ""
}

// DropPages makes the browser clear its cache, so that the Back button does not show pages
// of an ended session.
func DropPages(c *fiber.Ctx) { c.Set("Clear-Site-Data", `"cache"`) }
