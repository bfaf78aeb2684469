package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
)

// severalWays is the key under which a request keeps that its id fits several ways.
const severalWays = "several ways"

// askedLife is how long a browser keeps what was typed.
const askedLife = 10 * time.Minute

type choosePage struct {
	page.Base
	Typed string
	Ways  []wayRow
}

// wayRow is a button: its name in the form, and what it does.
type wayRow struct{ Name, Text string }

// discover finds out which way a person goes who typed an id, and goes it. Where several fit
// equally well, a page asks.
func (s *signIn) discover(c *fiber.Ctx, p loginPage, adminToken string) error {
	by := s.requester(c)
	choice, refusal, err := s.signin.Discover(c.UserContext(), p.ID, p.Implementation, by)
	if err != nil {
		return err
	}
	if refusal != "" {
		return s.refuse(c, p, refusal)
	}
	asked := signin.Asked{Text: p.ID, Next: p.Next, AdminToken: adminToken}
	if !choice.Clear() {
		return s.ask(c, asked, by)
	}
	if len(choice) > 1 {
		if err := s.keepAsked(c, asked, by); err != nil {
			return err
		}
	}
	if w := choice[0]; w.ID.Implementation == accounts.Email && w.Why == accounts.BySyntax && page.Form(c, "sure") == "" {
		if p.Meant = accounts.Suggest(w.Address); p.Meant != "" {
			p.Typed, p.Problem = string(w.Address), p.T("problem.id.slip", "Meant", p.Meant)
			return s.Write(c.Status(http.StatusUnprocessableEntity), "signin/login.html", p)
		}
	}
	return s.goWay(c, p, choice[0], asked, by)
}

// ask lets a person choose between ways that fit equally well.
func (s *signIn) ask(c *fiber.Ctx, a signin.Asked, by signin.Requester) error {
	return orRedirect(c, s.keepAsked(c, a, by), "/login/choose")
}

// keepAsked has the browser keep what was typed, for the page that asks.
func (s *signIn) keepAsked(c *fiber.Ctx, a signin.Asked, by signin.Requester) error {
	sealed, err := s.signin.SealAsked(a, by)
	if err != nil {
		return err
	}
	s.Door.SetCookie(c, door.AskedCookie, sealed, askedLife)
	c.Locals(severalWays, true)
	return nil
}

// refuse shows the sign-in form again, with what is wrong with the id.
func (s *signIn) refuse(c *fiber.Ctx, p loginPage, refusal accounts.Refusal) error {
	p.Problem = p.T("problem.id." + string(refusal))
	return s.Write(c.Status(http.StatusUnprocessableEntity), "signin/login.html", p)
}

// goWay sends a code, or leads to a provider.
func (s *signIn) goWay(c *fiber.Ctx, p loginPage, w signin.Way, a signin.Asked, by signin.Requester) error {
	req := w.Request()
	req.Next, req.AdminToken = a.Next, a.AdminToken
	if accounts.Redirects(w.ID.Implementation) {
		return s.leadFromForm(c, p, w, req)
	}
	return s.send(c, p, req, by)
}

// send sends a code. p is the page for a channel that does not work.
func (s *signIn) send(c *fiber.Ctx, p loginPage, req signin.Request, by signin.Requester) error {
	started, err := s.signin.Start(c.UserContext(), req, by)
	if err != nil {
		return err
	}
	if started.Closed {
		p.Problem = p.T("problem.id.closed", "Channel", p.Way(req.ID.Implementation))
		return s.Write(c.Status(http.StatusServiceUnavailable), "signin/login.html", p)
	}
	return s.started(c, started, by)
}

// asked is what the browser keeps of an id that several ways fit, and the ways.
func (s *signIn) asked(c *fiber.Ctx, by signin.Requester) (a signin.Asked, choice signin.Choice, err error) {
	a, ok := s.signin.OpenAsked(s.Door.Cookie(c, door.AskedCookie), by)
	if !ok {
		return a, nil, nil
	}
	choice, _, err = s.signin.Discover(c.UserContext(), a.Text, "", by)
	return a, choice, err
}

func (s *signIn) showChoose(c *fiber.Ctx) error {
	a, choice, err := s.asked(c, s.requester(c))
	if err != nil || len(choice) == 0 {
		return orRedirect(c, err, "/login")
	}
	return s.writeChoose(c, a, choice, "")
}

func (s *signIn) writeChoose(c *fiber.Ctx, a signin.Asked, choice signin.Choice, problem string) error {
	p := choosePage{Base: s.Base(c), Typed: a.Text}
	for _, w := range choice {
		p.Ways = append(p.Ways, wayRow{w.Name(), s.wayText(p.Base, w)})
	}
	p.Problem = problem
	door.AllowFormTo(c, s.signin.Federation.Origins())
	return s.Write(c, "signin/choose.html", p)
}

// wayText says what a way does.
func (s *signIn) wayText(b page.Base, w signin.Way) string {
	if accounts.Redirects(w.ID.Implementation) {
		return b.T("login.with", "Provider", s.placeOf(w))
	}
	return b.T("choose.code", "Way", b.Way(w.ID.Implementation))
}

func (s *signIn) postChoose(c *fiber.Ctx) error {
	by := s.requester(c)
	a, choice, err := s.asked(c, by)
	if err != nil || len(choice) == 0 {
		return orRedirect(c, err, "/login")
	}
	name := page.Form(c, "implementation")
	at := slices.IndexFunc(choice, func(w signin.Way) bool { return w.Name() == name })
	if at < 0 {
		return s.writeChoose(c.Status(http.StatusUnprocessableEntity), a, choice, s.Language(c).T("problem.id.no_way"))
	}
	s.Door.SetCookie(c, door.BrowserCookie, s.signin.Chooses(by.Browser, choice[at]), browserLife)
	if a.Adding {
		return s.addWay(c, a.Text, choice[at], by)
	}
	p := s.loginPage(c, "/login")
	p.ID, p.Next = a.Text, a.Next
	return s.goWay(c, p, choice[at], a, by)
}
