package web

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

// openLink moves the token from the URL into a cookie, so that it does not stay in the
// address bar. It reads nothing: opening a link changes nothing, however often.
func (s *signIn) openLink(c *fiber.Ctx) error {
	if _, ok := seal.ParseToken(c.Params("token")); !ok {
		return s.Say(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	s.Door.SetCookie(c, door.LinkCookie, c.Params("token"), linkLife)
	return c.Redirect("/login/link", http.StatusSeeOther)
}

type linkPage struct {
	page.Base
	SameBrowser, Recovery bool
	Masked, Code          string
	Browser, Place        string
	At                    time.Time
	NotMe, Login          string
}

func (s *signIn) showLink(c *fiber.Ctx) error {
	if s.Door.Cookie(c, door.LinkCookie) == "" {
		return s.Say(c.Status(http.StatusGone), "link.lost", "/login", "error.go_on")
	}
	l, err := s.signin.Link(c.UserContext(), s.Door.Token(c, door.LinkCookie), s.requester(c))
	if err != nil {
		return err
	}
	switch l.Verdict {
	case signin.Accepted, signin.Foreign:
	case signin.Used:
		return s.Say(c.Status(http.StatusGone), "link.used", "/login", "error.go_on")
	default:
		return s.Say(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	p := linkPage{
		Base: s.Base(c), SameBrowser: l.Verdict == signin.Accepted, Recovery: l.Recovery, Masked: l.Masked, Code: l.Code,
		Browser: s.Language(c).Browser(l.Client.Agent), Place: s.Language(c).Place(l.Client.Prefix), At: l.At,
		NotMe: "/login/not-me/" + l.NotMe.String(), Login: page.LoginFor(l.Next),
	}
	if (p.SameBrowser || p.Recovery) && s.LeadsOut(l.Next) {
		door.AllowFormRedirects(c)
	}
	return s.Write(c, "signin/link.html", p)
}

func (s *signIn) postLink(c *fiber.Ctx) error {
	if s.Door.Cookie(c, door.LinkCookie) == "" {
		return s.Say(c.Status(http.StatusForbidden), "link.lost", "/login", "error.go_on")
	}
	e, err := s.signin.SubmitLink(c.UserContext(), s.Door.Token(c, door.LinkCookie), s.requester(c))
	if err != nil {
		return err
	}
	s.submitted(verdicts[e.Verdict])
	switch e.Verdict {
	case signin.Accepted, signin.Proven, signin.Lacking, signin.Added, signin.MergeAsked, signin.MergeGuarded, signin.MergeYoung:
		s.Door.DropCookie(c, door.LinkCookie)
		return s.entered(c, e)
	case signin.Used:
		return s.Say(c.Status(http.StatusGone), "link.used", "/login", "error.go_on")
	case signin.Expired, signin.Stopped:
		return s.Say(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	return s.Say(c.Status(http.StatusForbidden), "link.forbidden", "/login", "error.go_on")
}

type notMePage struct {
	page.Base
	Step           int
	Masked         string
	Browser, Place string
	At             time.Time
	Action         string
	Minutes        int
}

func (s *signIn) showNotMe(c *fiber.Ctx) error { return s.notMe(c, 1) }

func (s *signIn) postNotMe(c *fiber.Ctx) error {
	if page.Form(c, "confirm") == "yes" {
		return s.notMe(c, 3)
	}
	return s.notMe(c, 2)
}

// notMe shows the first, the second or the last page; only the last one acts.
func (s *signIn) notMe(c *fiber.Ctx, step int) error {
	token, _ := seal.ParseToken(c.Params("token"))
	d, err := s.signin.NotMe(c.UserContext(), token, step == 3, s.requester(c))
	if err != nil {
		return err
	}
	if !d.Found {
		return s.Say(c.Status(http.StatusGone), "link.gone", "/login", "error.go_on")
	}
	if step == 3 {
		s.Log.Warn("a sign-in was disowned: it wasn't me", "request", s.Door.RequestID(c), "attempt", token.ID, "asked_from", d.Client.Prefix)
	}
	p := notMePage{
		Base: s.Base(c), Step: step, Masked: d.Masked, Browser: s.Language(c).Browser(d.Client.Agent), Place: s.Language(c).Place(d.Client.Prefix),
		At: d.At, Action: "/login/not-me/" + token.String(), Minutes: int(d.Life.Round(time.Minute) / time.Minute),
	}
	return s.Write(c, "signin/notme.html", p)
}
