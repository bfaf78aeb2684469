package web

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/signin"
)

const (
	// browserLife is the longest that browsers keep a cookie.
	browserLife = 400 * 24 * time.Hour
	// attemptLife outlives the attempt, so that a late answer is told that it
	// is late.
	attemptLife = 24 * time.Hour
	linkLife    = 5 * time.Minute
)

type loginPage struct {
	base
	Action          string
	ID, Next        string
	Manual          bool
	Implementations []string
	Implementation  string
	First           bool
}

func (s *Server) loginPage(c *fiber.Ctx, action string) loginPage {
	return loginPage{base: s.base(c), Action: action, Manual: s.Options.Manual, Implementations: accounts.Implementations}
}

func (s *Server) showRoot(c *fiber.Ctx) error {
	sess, err := s.session(c)
	if err != nil {
		return err
	}
	if sess.ID != 0 {
		return c.Redirect("/account", http.StatusSeeOther)
	}
	return c.Redirect("/login", http.StatusSeeOther)
}

func (s *Server) showLogin(c *fiber.Ctx) error {
	s.giveCookie(c)
	if plain := len(c.Context().QueryArgs().QueryString()) == 0 && s.door.Cookie(c, door.SessionCookie) == ""; plain {
		return s.plainLogin(c)
	}
	p := s.loginPage(c, "/login")
	p.Next = s.wayBack(c, door.AskedNext(query(c)))
	switch c.Query("done") {
	case "signed_out":
		p.Notice = p.T("logout.notice")
	case lostCookie:
		p.Alert = p.T("cookies.notice")
	}
	return s.page(c, "signin/login.html", p)
}

// plainLogin is the box for who brings nothing along, the same for everybody of
// one language and the page that is asked for most: it is made once.
func (s *Server) plainLogin(c *fiber.Ctx) error {
	l := s.language(c)
	if made, ok := s.boxes.Load(l.Lang); ok {
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		return c.Send(made.([]byte))
	}
	if err := s.page(c, "signin/login.html", s.loginPage(c, "/login")); err != nil {
		return err
	}
	s.boxes.Store(l.Lang, bytes.Clone(c.Response().Body()))
	return nil
}

func (s *Server) postLogin(c *fiber.Ctx) error {
	return s.ask(c, s.loginPage(c, "/login"), "")
}

// ask is the one box: the ordinary one and the first administrator's.
func (s *Server) ask(c *fiber.Ctx, p loginPage, first string) error {
	if s.keepsNoCookies(c) {
		return s.noCookies(c, p.Action)
	}
	p.ID, p.Next, p.Implementation = form(c, "id"), s.wayBack(c, form(c, "next")), ""
	if s.Options.Manual {
		p.Implementation = form(c, "implementation")
	}
	found, refusal := s.Discovery.Resolve(p.ID, p.Implementation)
	if refusal != "" {
		p.Problem = p.T("problem.id." + string(refusal))
		return s.page(c.Status(http.StatusUnprocessableEntity), "signin/login.html", p)
	}
	by := s.requester(c)
	asked, err := s.Signin.Start(c.UserContext(), signin.Ask{ID: found.ID, Typed: found.Address, Next: p.Next, First: first}, by)
	if err != nil {
		return err
	}
	return s.asked(c, asked, by)
}

// asked answers an ask: on to the code page, or when to ask again.
func (s *Server) asked(c *fiber.Ctx, asked signin.Asked, by signin.Requester) error {
	switch {
	case asked.Gone:
		return s.ended(c, signin.Waiting{Verdict: signin.Gone})
	case asked.Soon:
		c.Status(http.StatusTooManyRequests)
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(door.Seconds(asked.Wait)))
		return s.codePage(c, by, "", true)
	case asked.Wait > 0:
		return &door.Problem{Status: http.StatusTooManyRequests, Key: "too_many", Wait: asked.Wait}
	}
	s.door.SetCookie(c, door.AttemptCookie, asked.Attempt.String(), attemptLife)
	return c.Redirect("/login/code", http.StatusSeeOther)
}

func (s *Server) postResend(c *fiber.Ctx) error {
	by := s.requester(c)
	asked, err := s.Signin.Resend(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.asked(c, asked, by)
}

func (s *Server) showFirst(c *fiber.Ctx) error { return s.first(c, false) }
func (s *Server) postFirst(c *fiber.Ctx) error { return s.first(c, true) }

func (s *Server) first(c *fiber.Ctx, post bool) error {
	token := c.Params("token")
	good, err := s.Signin.First(c.UserContext(), token)
	if err != nil {
		return err
	}
	if !good {
		return s.message(c.Status(http.StatusGone), "first.gone", "/login", "error.go_on")
	}
	p := s.loginPage(c, "/login/first/"+token)
	p.First = true
	if post {
		return s.ask(c, p, token)
	}
	s.giveCookie(c)
	return s.page(c, "signin/login.html", p)
}

func (s *Server) postLogout(c *fiber.Ctx) error {
	if err := s.Signin.SignOut(c.UserContext(), s.requester(c)); err != nil {
		return err
	}
	s.door.DropCookie(c, door.SessionCookie)
	dropPages(c)
	return c.Redirect("/login?done=signed_out", http.StatusSeeOther)
}

// dropPages makes the browser drop the pages it has kept, so that Back shows
// nobody what was on them.
func dropPages(c *fiber.Ctx) { c.Set("Clear-Site-Data", `"cache"`) }
