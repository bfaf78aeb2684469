package web

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
)

// giveCookie sets the browser cookie together with the sign-in form, so that the form's
// POST shows whether the browser keeps cookies.
func (s *signIn) giveCookie(c *fiber.Ctx) {
	if s.Door.Cookie(c, door.BrowserCookie) == "" {
		browser, _ := s.signin.ReadBrowser("")
		s.Door.SetCookie(c, door.BrowserCookie, s.signin.Cookie(browser), browserLife)
	}
}

// keepsNoCookies reports whether a form that was shown with a cookie is posted without one.
// It does not apply to programs that post without the form's hidden field.
func (s *signIn) keepsNoCookies(c *fiber.Ctx) bool {
	return page.Form(c, "cookies") != "" && !s.Door.HasCookies(c)
}

// noCookies says that signing in needs cookies, with a link back to the form. No message
// is sent: no browser could use its code.
func (s *signIn) noCookies(c *fiber.Ctx, back string) error {
	b := s.Base(c)
	p := page.Message{Base: b, Heading: b.T("cookies.heading"), Text: b.T("cookies.text", "Address", s.Options.PublicURL), Link: back, LinkText: b.T("cookies.again")}
	return s.WriteMessage(c.Status(http.StatusUnprocessableEntity), p)
}

// withoutAttempt redirects a browser without attempt cookie to the sign-in page. If it
// comes from the form there, the cookie was set by the last response and is lost.
func (s *signIn) withoutAttempt(c *fiber.Ctx) error {
	if from := s.Door.Referer(c); from == "/login" || strings.HasPrefix(from, "/login/first/") {
		return c.Redirect("/login?done="+page.LostCookie, http.StatusSeeOther)
	}
	return c.Redirect("/login", http.StatusSeeOther)
}
