package web

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
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
	page.Base
	Action          string
	ID, Next        string
	Manual          bool
	Implementations []string
	Implementation  string
	First           bool
}

func (s *signIn) loginPage(c *fiber.Ctx, action string) loginPage {
	return loginPage{Base: s.Base(c), Action: action, Manual: s.manual, Implementations: accounts.Implementations()}
}

func (s *signIn) showRoot(c *fiber.Ctx) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	if sess.ID != 0 {
		return c.Redirect("/account", http.StatusSeeOther)
	}
	return c.Redirect("/login", http.StatusSeeOther)
}

func (s *signIn) showLogin(c *fiber.Ctx) error {
	s.giveCookie(c)
	if plain := len(c.Context().QueryArgs().QueryString()) == 0 && s.Door.Cookie(c, door.SessionCookie) == ""; plain {
		return s.plainLogin(c)
	}
	p := s.loginPage(c, "/login")
	p.Next = s.WayBack(c, door.RequestedNext(page.Query(c)))
	switch c.Query("done") {
	case "signed_out":
		p.Notice = p.T("logout.notice")
	case page.LostCookie:
		p.Alert = p.T("cookies.notice")
	}
	return s.Write(c, "signin/login.html", p)
}

// plainLogin is the box for who brings nothing along, the same for everybody of
// one language and the page that is asked for most: it is made once.
func (s *signIn) plainLogin(c *fiber.Ctx) error {
	l := s.Language(c)
	if made, ok := s.boxes.Load(l.Lang); ok {
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		return c.Send(made.([]byte))
	}
	if err := s.Write(c, "signin/login.html", s.loginPage(c, "/login")); err != nil {
		return err
	}
	s.boxes.Store(l.Lang, bytes.Clone(c.Response().Body()))
	return nil
}

func (s *signIn) postLogin(c *fiber.Ctx) error {
	return s.ask(c, s.loginPage(c, "/login"), "")
}

// ask is the one box: the ordinary one and the first administrator's.
func (s *signIn) ask(c *fiber.Ctx, p loginPage, first string) error {
	if s.keepsNoCookies(c) {
		return s.noCookies(c, p.Action)
	}
	p.ID, p.Next, p.Implementation = page.Form(c, "id"), s.WayBack(c, page.Form(c, "next")), ""
	if s.manual {
		p.Implementation = page.Form(c, "implementation")
	}
	found, refusal := s.discovery.Resolve(p.ID, p.Implementation)
	if refusal != "" {
		p.Problem = p.T("problem.id." + string(refusal))
		return s.Write(c.Status(http.StatusUnprocessableEntity), "signin/login.html", p)
	}
	by := s.requester(c)
	asked, err := s.signin.Start(c.UserContext(), signin.Request{ID: found.ID, Typed: found.Address, Next: p.Next, AdminToken: first}, by)
	if err != nil {
		return err
	}
	return s.started(c, asked, by)
}

// started answers an ask: on to the code page, or when to ask again.
func (s *signIn) started(c *fiber.Ctx, asked signin.Started, by signin.Requester) error {
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
	s.Door.SetCookie(c, door.AttemptCookie, asked.Attempt.String(), attemptLife)
	return c.Redirect("/login/code", http.StatusSeeOther)
}

func (s *signIn) postResend(c *fiber.Ctx) error {
	by := s.requester(c)
	asked, err := s.signin.Resend(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.started(c, asked, by)
}

func (s *signIn) showFirst(c *fiber.Ctx) error { return s.first(c, false) }
func (s *signIn) postFirst(c *fiber.Ctx) error { return s.first(c, true) }

func (s *signIn) first(c *fiber.Ctx, post bool) error {
	token := c.Params("token")
	good, err := s.signin.IsAdminToken(c.UserContext(), token)
	if err != nil {
		return err
	}
	if !good {
		return s.Say(c.Status(http.StatusGone), "first.gone", "/login", "error.go_on")
	}
	p := s.loginPage(c, "/login/first/"+token)
	p.First = true
	if post {
		return s.ask(c, p, token)
	}
	s.giveCookie(c)
	return s.Write(c, "signin/login.html", p)
}

func (s *signIn) postLogout(c *fiber.Ctx) error {
	if err := s.signin.SignOut(c.UserContext(), s.requester(c)); err != nil {
		return err
	}
	s.Door.DropCookie(c, door.SessionCookie)
	page.DropPages(c)
	return c.Redirect("/login?done=signed_out", http.StatusSeeOther)
}
