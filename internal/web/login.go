package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
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
	// attemptLife is longer than an attempt, so that a late code gets a page that says so.
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
	FirstAdmin      bool
	Ways            []string // what the implementations are called
	Kinds           string   // of addresses: "Email, Jabber"; "" for email alone
	Buttons         []button
	Passkeys        bool   // people can sign in by a passkey
	Unknown         string // a passkey that nobody has enrolled, for the browser to forget
	Meant, Typed    string // an address that was meant, most likely, and what was typed; "": nothing is asked
}

// Here is the page's address, also after a form.
func (p loginPage) Here() string {
	if p.FirstAdmin {
		return p.Action
	}
	return page.LoginFor(p.Next)
}

func (s *signIn) loginPage(c *fiber.Ctx, action string) loginPage {
	p := loginPage{Base: s.Base(c).WithField(), Action: action, Manual: s.manual, Implementations: s.discovery.Implementations()}
	var kinds []string
	for _, name := range p.Implementations {
		provider, ok := s.signin.Federation.Provider(name)
		if !ok {
			provider.Label = p.Way(name)
		}
		if !ok && name != accounts.OpenID { // who has one knows that the box takes it
			kinds = append(kinds, provider.Label)
		}
		p.Ways = append(p.Ways, provider.Label)
	}
	if len(kinds) > 1 {
		p.Kinds = strings.Join(kinds, ", ")
	}
	if action == "/login" {
		p.Buttons, p.Passkeys = s.buttons(""), s.hasPasskeys()
		s.allow(c)
	}
	return p
}

// hasPasskeys reports whether people can sign in by passkeys.
func (s *signIn) hasPasskeys() bool {
	return s.signin.Enrolled != nil && s.signin.Enrolled.HasPasskeys()
}

// allow lets the sign-in page's form lead to providers, and its script ask for the options of
// passkeys.
func (s *signIn) allow(c *fiber.Ctx, more ...string) {
	door.AllowFormTo(c, append(more, s.signin.Federation.Origins()...))
	if s.hasPasskeys() {
		door.AllowFetch(c)
	}
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
	if len(c.Context().QueryArgs().QueryString()) == 0 && s.Door.Cookie(c, door.SessionCookie) == "" {
		return s.cachedLogin(c)
	}
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	requested := door.RequestedNext(page.Query(c))
	next := s.WayBackBy(c, requested, c.Query("bind"))
	if sess.ID != 0 && strings.HasPrefix(next, page.LeadsToSite) && strings.HasPrefix(requested, "http") {
		return c.Redirect(next, http.StatusSeeOther)
	}
	p := s.loginPage(c, "/login")
	p.Next = next
	if origin := s.SiteOrigin(next); origin != "" { // to which a sign-in by a passkey redirects
		s.allow(c, origin)
	}
	p.Buttons = s.buttons(p.Next)
	switch c.Query("done") {
	case "signed_out":
		p.Notice = p.T("logout.notice")
	case page.LostCookie:
		p.Alert = p.T("cookies.notice")
	}
	return s.Write(c, "signin/login.html", p)
}

// cachedLogin serves the sign-in page to requests without query or session. It is the
// page requested most and depends on the language alone, so it is rendered once for each.
func (s *signIn) cachedLogin(c *fiber.Ctx) error {
	l := s.Language(c)
	if made, ok := s.cached.Load(l.Lang); ok {
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		s.allow(c)
		return c.Send(made.([]byte))
	}
	if err := s.Write(c, "signin/login.html", s.loginPage(c, "/login")); err != nil {
		return err
	}
	s.cached.Store(l.Lang, bytes.Clone(c.Response().Body()))
	return nil
}

func (s *signIn) postLogin(c *fiber.Ctx) error {
	return s.start(c, s.loginPage(c, "/login"), "")
}

// start handles the sign-in form, the ordinary one and the first administrator's.
func (s *signIn) start(c *fiber.Ctx, p loginPage, adminToken string) error {
	if s.keepsNoCookies(c) {
		return s.noCookies(c, p.Action)
	}
	p.ID, p.Next, p.Implementation = page.Form(c, "id"), s.WayBack(c, page.Form(c, "next")), ""
	if s.manual {
		p.Implementation = page.Form(c, "implementation")
	}
	if s.manual && p.Implementation == "" {
		return s.refuse(c, p, accounts.NoWay)
	}
	return s.discover(c, p, adminToken)
}

// started responds to a request to sign in: the code page, or when to try again.
func (s *signIn) started(c *fiber.Ctx, started signin.Started, by signin.Requester) error {
	switch {
	case started.Gone:
		return s.ended(c, signin.Waiting{Verdict: signin.Gone})
	case started.Closed:
		return s.codePage(c.Status(http.StatusServiceUnavailable), by, "", "")
	case started.Soon:
		c.Status(http.StatusTooManyRequests)
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(door.Seconds(started.Wait)))
		return s.codePage(c, by, "", s.Language(c).T("code.resend_soon"))
	case started.Wait > 0:
		return &door.Problem{Status: http.StatusTooManyRequests, Key: "too_many", Wait: started.Wait}
	}
	s.Door.SetCookie(c, door.AttemptCookie, started.Attempt.String(), attemptLife)
	return c.Redirect("/login/code", http.StatusSeeOther)
}

func (s *signIn) postResend(c *fiber.Ctx) error {
	by := s.requester(c)
	started, err := s.signin.Resend(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.started(c, started, by)
}

func (s *signIn) showFirstAdmin(c *fiber.Ctx) error { return s.firstAdmin(c, false) }
func (s *signIn) postFirstAdmin(c *fiber.Ctx) error { return s.firstAdmin(c, true) }

func (s *signIn) firstAdmin(c *fiber.Ctx, post bool) error {
	token := c.Params("token")
	good, err := s.signin.IsAdminToken(c.UserContext(), token)
	if err != nil {
		return err
	}
	if !good {
		return s.Say(c.Status(http.StatusGone), "first.gone", "/login", "error.go_on")
	}
	p := s.loginPage(c, "/login/first/"+token)
	p.FirstAdmin = true
	if post {
		return s.start(c, p, token)
	}
	s.giveCookie(c)
	return s.Write(c, "signin/login.html", p)
}

func (s *signIn) postLogout(c *fiber.Ctx) error {
	if _, err := s.Session(c); err != nil { // or whoever could not be read would be told that they are out
		return err
	}
	if err := s.directory.SignOut(c.UserContext(), s.owner(c)); err != nil {
		return err
	}
	s.Door.DropCookie(c, door.SessionCookie)
	if s.binding != nil {
		s.Door.DropCookie(c, door.BoundCookie)
	}
	page.DropPages(c)
	return c.Redirect("/login?done=signed_out", http.StatusSeeOther)
}
