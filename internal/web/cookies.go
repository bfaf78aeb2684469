package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// giveCookie gives a browser its browser cookie together with the form that asks
// for a code, so that the form's answer tells whether the browser keeps cookies.
func (s *Server) giveCookie(c *fiber.Ctx) {
	if s.door.Cookie(c, door.BrowserCookie) == "" {
		browser, _ := s.Signin.ReadBrowser("")
		s.door.SetCookie(c, door.BrowserCookie, s.Signin.Cookie(browser), browserLife)
	}
}

// keepsNoCookies reports whether a form that was shown with a cookie came back
// with none. A program that posts without the form's hidden field is not asked.
func (s *Server) keepsNoCookies(c *fiber.Ctx) bool {
	return form(c, "cookies") != "" && !s.door.HasCookies(c)
}

// noCookies says that signing in needs cookies, with a way back to the form. No
// message is sent: its code could be used nowhere.
func (s *Server) noCookies(c *fiber.Ctx, back string) error {
	b := s.base(c)
	p := messagePage{base: b, Heading: b.T("cookies.heading"), Text: b.T("cookies.text", "Address", s.Options.PublicURL), Link: back, LinkText: b.T("cookies.again")}
	return s.page(c.Status(http.StatusUnprocessableEntity), "message.html", p)
}

// lostCookie is the value of done by which the sign-in page says that a cookie
// was lost.
const lostCookie = "no_cookies"

// withoutAttempt leads a browser without attempt cookie to the sign-in page. If
// it comes from the form there, it was given the cookie a moment ago.
func (s *Server) withoutAttempt(c *fiber.Ctx) error {
	if from := s.door.Referer(c); from == "/login" || strings.HasPrefix(from, "/login/first/") {
		return c.Redirect("/login?done="+lostCookie, http.StatusSeeOther)
	}
	return c.Redirect("/login", http.StatusSeeOther)
}

// signInURL is the sign-in page for a browser without a session, which is to
// come back to next. If it comes from where the session began, its cookie is lost.
func (s *Server) signInURL(c *fiber.Ctx, next string) string {
	query := url.Values{"next": {next}}
	from := s.door.Referer(c)
	if s.door.Cookie(c, door.SessionCookie) == "" && (from == "/login/code" || from == "/login/link") {
		query.Set("done", lostCookie)
	}
	return "/login?" + query.Encode()
}
