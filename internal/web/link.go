package web

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

// openLink takes the token out of the address bar at once. It looks nothing up,
// so opening a link, however often, changes nothing.
func (s *Server) openLink(c *fiber.Ctx) error {
	if _, ok := seal.ParseToken(c.Params("token")); !ok {
		return s.message(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	s.door.SetCookie(c, door.LinkCookie, c.Params("token"), linkLife)
	return c.Redirect("/login/link", http.StatusSeeOther)
}

type linkPage struct {
	base
	Asking, Recovery bool
	Masked, Code     string
	Browser, Place   string
	At               time.Time
	NotMe, Login     string
}

func (s *Server) showLink(c *fiber.Ctx) error {
	if s.door.Cookie(c, door.LinkCookie) == "" {
		return s.message(c.Status(http.StatusGone), "link.lost", "/login", "error.go_on")
	}
	l, err := s.Signin.Link(c.UserContext(), s.door.Token(c, door.LinkCookie), s.requester(c))
	if err != nil {
		return err
	}
	switch l.Verdict {
	case signin.Accepted, signin.Foreign:
	case signin.Used:
		return s.message(c.Status(http.StatusGone), "link.used", "/login", "error.go_on")
	default:
		return s.message(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	p := linkPage{
		base: s.base(c), Asking: l.Verdict == signin.Accepted, Recovery: l.Recovery, Masked: l.Masked, Code: l.Code,
		Browser: s.language(c).Browser(l.Client.Agent), Place: s.language(c).Place(l.Client.Prefix), At: l.At,
		NotMe: "/login/not-me/" + l.NotMe.String(), Login: loginFor(l.Next),
	}
	if (p.Asking || p.Recovery) && s.leadsOut(l.Next) {
		door.AllowFormRedirects(c)
	}
	return s.page(c, "signin/link.html", p)
}

func (s *Server) postLink(c *fiber.Ctx) error {
	if s.door.Cookie(c, door.LinkCookie) == "" {
		return s.message(c.Status(http.StatusForbidden), "link.lost", "/login", "error.go_on")
	}
	e, err := s.Signin.SubmitLink(c.UserContext(), s.door.Token(c, door.LinkCookie), s.requester(c))
	if err != nil {
		return err
	}
	s.Answered(verdicts[e.Verdict])
	switch e.Verdict {
	case signin.Accepted:
		s.door.DropCookie(c, door.LinkCookie)
		return s.enter(c, e)
	case signin.Used:
		return s.message(c.Status(http.StatusGone), "link.used", "/login", "error.go_on")
	case signin.Expired, signin.Stopped:
		return s.message(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	return s.message(c.Status(http.StatusForbidden), "link.forbidden", "/login", "error.go_on")
}

type notMePage struct {
	base
	Step           int
	Masked         string
	Browser, Place string
	At             time.Time
	Action         string
	Minutes        int
}

func (s *Server) showNotMe(c *fiber.Ctx) error { return s.notMe(c, 1) }

func (s *Server) postNotMe(c *fiber.Ctx) error {
	if form(c, "confirm") == "yes" {
		return s.notMe(c, 3)
	}
	return s.notMe(c, 2)
}

// notMe shows the first, the second or the last page; only the last one acts.
func (s *Server) notMe(c *fiber.Ctx, step int) error {
	token, _ := seal.ParseToken(c.Params("token"))
	d, err := s.Signin.NotMe(c.UserContext(), token, step == 3, s.requester(c))
	if err != nil {
		return err
	}
	if !d.Found {
		return s.message(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	if step == 3 {
		s.Log.Warn("a sign-in was disowned: it wasn't me", "request", s.door.RequestID(c), "attempt", token.ID, "asked_from", d.Client.Prefix)
	}
	p := notMePage{
		base: s.base(c), Step: step, Masked: d.Masked, Browser: s.language(c).Browser(d.Client.Agent), Place: s.language(c).Place(d.Client.Prefix),
		At: d.At, Action: "/login/not-me/" + token.String(), Minutes: int(d.Life.Round(time.Minute) / time.Minute),
	}
	return s.page(c, "signin/notme.html", p)
}
