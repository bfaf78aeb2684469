package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
)

// button leads to a configured provider.
type button struct{ Label, Link string }

// buttons are those of the configured providers, which lead back to next.
func (s *signIn) buttons(next string) (all []button) {
	for _, p := range s.signin.Federation.Providers() {
		link := "/login/" + p.Name
		if next != "" {
			link += "?next=" + url.QueryEscape(next)
		}
		all = append(all, button{p.Label, link})
	}
	return all
}

// provider is a handler for one provider, by name.
func (s *signIn) provider(name string, handle func(c *fiber.Ctx, name string) error) fiber.Handler {
	return func(c *fiber.Ctx) error { return handle(c, name) }
}

// showProvider leads to a configured provider. A link on another site does not sign in anew
// who is signed in here: they choose that on the sign-in page, which says who they are.
func (s *signIn) showProvider(c *fiber.Ctx, name string) error {
	if from := c.Get("Sec-Fetch-Site"); from == "cross-site" || from == "same-site" {
		sess, err := s.Session(c)
		if err != nil {
			return err
		}
		if sess.ID != 0 {
			return c.Redirect(page.LoginFor(s.WayBack(c, door.RequestedNext(page.Query(c)))), http.StatusSeeOther)
		}
	}
	req := signin.Request{Provider: name, Next: s.WayBack(c, door.RequestedNext(page.Query(c)))}
	led, err := s.lead(c, req)
	if err != nil {
		return s.providerProblem(c, s.providerName(c, name), err)
	}
	return c.Redirect(led.URL, http.StatusSeeOther)
}

// lead begins a sign-in at a provider in this browser.
func (s *signIn) lead(c *fiber.Ctx, req signin.Request) (signin.Led, error) {
	led, err := s.signin.Lead(c.UserContext(), req, s.requester(c))
	return led, s.keepTrip(c, led, err)
}

// keepTrip has the browser keep a sign-in at a provider that has begun.
func (s *signIn) keepTrip(c *fiber.Ctx, led signin.Led, err error) error {
	if err == nil && led.Wait > 0 {
		return &door.Problem{Status: http.StatusTooManyRequests, Key: "too_many", Wait: led.Wait}
	}
	if err == nil {
		s.Door.SetTrip(c, led.Name, led.Trip, led.Life)
	}
	return err
}

// leadFromForm leads to a provider after a POST of the sign-in form. The form's page names
// the origins that its redirect may lead to; to others a page of ours leads (leaving).
func (s *signIn) leadFromForm(c *fiber.Ctx, p loginPage, w signin.Way, req signin.Request) error {
	led, err := s.signin.Lead(c.UserContext(), req, s.requester(c))
	return s.led(c, led, err, s.placeOf(w), func() error {
		p.Problem = s.nowhere(c, w)
		return s.Write(c.Status(http.StatusUnprocessableEntity), "signin/login.html", p)
	})
}

// nowhere says that an id leads to no provider.
func (s *signIn) nowhere(c *fiber.Ctx, w signin.Way) string {
	l, typed := s.Language(c), string(w.Address)
	if !strings.Contains(typed, ":") && !strings.Contains(typed, "/") { // most likely an email address without @
		return l.T("problem.id.nowhere_bare", "Typed", typed)
	}
	return l.T("problem.id.nowhere", "Typed", typed)
}

// led responds to a form that leads to a provider. nowhere responds if there is none.
func (s *signIn) led(c *fiber.Ctx, led signin.Led, err error, place string, nowhere func() error) error {
	err = s.keepTrip(c, led, err)
	switch {
	case errors.Is(err, federation.ErrNowhere):
		return nowhere()
	case err != nil:
		return s.providerProblem(c, place, err)
	case led.Direct:
		return c.Redirect(led.URL, http.StatusSeeOther)
	}
	return c.Redirect("/login/leave/"+led.Name, http.StatusSeeOther)
}

type leavePage struct {
	page.Base
	URL, Host string
}

// showLeave is the page that leads to a provider: by itself after a moment, and by a link.
func (s *signIn) showLeave(c *fiber.Ctx) error {
	to := s.signin.LeadsTo(s.Door.Trip(c, c.Params("trip")), s.Now(), s.requester(c))
	if to == "" {
		return s.Say(c.Status(http.StatusGone), "provider.over", "/login", "error.go_on")
	}
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	return s.Write(c, "signin/leave.html", leavePage{Base: s.Base(c), URL: to, Host: u.Host})
}

// maxResponse bounds the response that a provider posts, in bytes.
const maxResponse = 8 << 10

// postCallback takes a response that the provider's page posts (OAuth 2.0 Form Post Response
// Mode). The browser sends no cookie along with a POST from another site, so that it comes
// back by a GET.
func (s *signIn) postCallback(c *fiber.Ctx, name string) error {
	response, err := url.ParseQuery(page.Query(c)) // an issuer that nobody configured has a callback of its own
	if err != nil {
		return door.Fail(http.StatusBadRequest)
	}
	for key, value := range c.Request().PostArgs().All() {
		response.Add(string(key), string(value))
	}
	query := response.Encode()
	if len(query) > maxResponse {
		return door.Fail(http.StatusRequestEntityTooLarge)
	}
	return c.Redirect("/login/"+name+"/callback?"+query, http.StatusSeeOther)
}

// showCallback takes the response of a provider.
func (s *signIn) showCallback(c *fiber.Ctx, provider string) error {
	response, err := url.ParseQuery(page.Query(c))
	if err != nil {
		return s.providerProblem(c, s.providerName(c, provider), fmt.Errorf("%w: %w", federation.ErrRefused, err))
	}
	name, _ := signin.TripName(response.Get("state"))
	trip := s.Door.Trip(c, name)
	if trip != "" {
		s.Door.DropTrip(c, name)
	}
	e, err := s.signin.Return(c.UserContext(), provider, trip, response, s.requester(c))
	if err != nil {
		return s.providerProblem(c, s.providerName(c, provider), err)
	}
	s.submitted(verdicts[e.Verdict])
	switch e.Verdict {
	case signin.Accepted, signin.Again, signin.Proven, signin.Lacking, signin.Added, signin.MergeAsked, signin.MergeGuarded, signin.MergeYoung:
		return s.entered(c, e)
	case signin.LedAgain:
		s.Door.SetTrip(c, e.Led.Name, e.Led.Trip, e.Led.Life)
		return c.Redirect(e.Led.URL, http.StatusSeeOther)
	case signin.Refused:
		return s.Say(c.Status(http.StatusUnprocessableEntity), "provider.not_let_in", "/login", "error.go_on")
	case signin.Spent:
		return &door.Problem{Status: http.StatusTooManyRequests, Key: "too_many", Wait: e.Wait}
	}
	return s.Say(c.Status(http.StatusGone), "provider.over", "/login", "error.go_on")
}

// providerName is what a provider is called: a configured one by its label.
func (s *signIn) providerName(c *fiber.Ctx, name string) string {
	if p, ok := s.signin.Federation.Provider(name); ok {
		return p.Label
	}
	return s.Language(c).T("provider.yours")
}

// placeOf is what the provider of a way is called: a configured one by its label, others by
// their host.
func (s *signIn) placeOf(w signin.Way) string {
	if p, ok := s.signin.Federation.Provider(w.Provider); ok {
		return p.Label
	}
	if u, err := url.Parse(w.Issuer); err == nil && u.Host != "" {
		return u.Host
	}
	return w.ID.Shown()
}

// providerProblem responds to a failure at a provider. What it said is for the log alone.
func (s *signIn) providerProblem(c *fiber.Ctx, name string, err error) error {
	m := page.Message{Base: s.Base(c), Link: "/login"}
	m.LinkText = m.T("error.go_on")
	if s.Door.Cookie(c, door.AskedCookie) != "" || c.Locals(severalWays) != nil { // what was typed fits another way, too
		m.Link, m.LinkText = "/login/choose", m.T("provider.other_way")
	}
	status := http.StatusBadGateway
	switch {
	case errors.Is(err, federation.ErrUnknown):
		return door.Fail(http.StatusNotFound)
	case errors.Is(err, federation.ErrDown):
		m.Heading, m.Text = m.T("provider.down.heading", "Provider", name), m.T("provider.down.text")
	case errors.Is(err, federation.ErrClosed):
		status = http.StatusUnprocessableEntity
		m.Heading, m.Text = m.T("provider.closed.heading", "Provider", name), m.T("provider.closed.text")
	case errors.Is(err, federation.ErrRefused):
		status = http.StatusUnprocessableEntity
		m.Heading, m.Text = m.T("provider.refused.heading", "Provider", name), m.T("provider.refused.text")
	default:
		return err
	}
	s.Log.Info("a sign-in at a provider failed", "request", s.Door.RequestID(c), "provider", name, "status", strconv.Itoa(status), "err", err)
	return s.WriteMessage(c.Status(status), m)
}
