package web

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
)

// giveCookie gives a browser its browser cookie together with the form that asks
// for a code, so that the form's answer tells whether the browser keeps cookies.
func (s *signIn) giveCookie(c *fiber.Ctx) {
	if s.Door.Cookie(c, door.BrowserCookie) == "" {
		browser, _ := s.signin.ReadBrowser("")
		s.Door.SetCookie(c, door.BrowserCookie, s.signin.Cookie(browser), browserLife)
	}
}

// keepsNoCookies reports whether a form that was shown with a cookie came back
// with none. A program that posts without the form's hidden field is not asked.
func (s *signIn) keepsNoCookies(c *fiber.Ctx) bool {
	return page.Form(c, "cookies") != "" && !s.Door.HasCookies(c)
}

// noCookies says that signing in needs cookies, with a way back to the form. No
// message is sent: its code could be used nowhere.
func (s *signIn) noCookies(c *fiber.Ctx, back string) error {
	b := s.Base(c)
	p := page.Message{Base: b, Heading: b.T("cookies.heading"), Text: b.T("cookies.text", "Address", s.Options.PublicURL), Link: back, LinkText: b.T("cookies.again")}
	return s.WriteMessage(c.Status(http.StatusUnprocessableEntity), p)
}

// withoutAttempt leads a browser without attempt cookie to the sign-in page. If
// it comes from the form there, it was given the cookie a moment ago.
func (s *signIn) withoutAttempt(c *fiber.Ctx) error {
	if from := s.Door.Referer(c); from == "/login" || strings.HasPrefix(from, "/login/first/") {
		return c.Redirect("/login?done="+page.LostCookie, http.StatusSeeOther)
	}
	return c.Redirect("/login", http.StatusSeeOther)
}
