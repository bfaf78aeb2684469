package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
)

// postStepUp takes the answer of a step-up, or begins one of its ways.
func (s *signIn) postStepUp(c *fiber.Ctx) error {
	w, way := s.readWanted(c), page.Form(c, "way")
	if page.HasForm(c, "auth_code") {
		return s.postStepCode(c, w, way)
	}
	for field, kind := range map[string]multifactor.Factor{"totp": multifactor.TOTP, "recovery_code": multifactor.Recovery} {
		if page.HasForm(c, field) {
			out, err := s.directory.ProveFactor(c.UserContext(), kind, page.Form(c, field), page.Form(c, "remember") != "", s.owner(c))
			return s.factorProved(c, w, string(kind), out, err)
		}
	}
	if response := page.Form(c, "response"); response != "" {
		out, err := s.directory.ProvePasskey(c.UserContext(), bytesOf(c, "kept"), []byte(response), page.Form(c, "remember") != "", s.owner(c))
		return s.factorProved(c, w, string(multifactor.Passkey), out, err)
	}
	if page.HasForm(c, "response") { // empty: the script fills it in
		return s.stepUp(c.Status(http.StatusUnprocessableEntity), w, string(multifactor.Passkey), s.Language(c).T("passkey.script"))
	}
	if id, ok := strings.CutPrefix(way, "account-"); ok {
		return s.beginStep(c, w, way, id)
	}
	return c.Redirect(w.address(""), http.StatusSeeOther)
}

// beginStep sends a code to an account of the person, or leads to its provider.
func (s *signIn) beginStep(c *fiber.Ctx, w wanted, way, number string) error {
	by := s.requester(c)
	n, _ := strconv.ParseInt(number, 10, 64) // 0 is nobody's
	id := accounts.AccountID(n)
	a, err := s.signin.OwnAccount(c.UserContext(), id, by)
	if errors.Is(err, signin.ErrNotYours) {
		return c.Redirect(w.address(""), http.StatusSeeOther)
	}
	if err != nil {
		return err
	}
	if accounts.Redirects(a.Addr.Implementation) {
		to := s.wayTo(a.Addr)
		led, err := s.signin.LeadStepUp(c.UserContext(), id, signin.Request{ID: a.Addr, Provider: to.Provider, Issuer: to.Issuer, Typed: to.Address, Next: w.address("")}, by)
		return s.led(c, led, err, s.placeOf(to), func() error {
			return s.stepUp(c.Status(http.StatusUnprocessableEntity), w, "", s.nowhere(c, to))
		})
	}
	started, err := s.signin.SendStepUp(c.UserContext(), id, w.address(""), by)
	l := s.Language(c)
	switch {
	case err != nil:
		return err
	case started.Closed:
		return s.stepUp(c.Status(http.StatusServiceUnavailable), w, way, l.T("problem.id.closed", "Channel", l.Way(a.Addr.Implementation)))
	case started.Soon:
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(door.Seconds(started.Wait)))
		return s.stepUp(c.Status(http.StatusTooManyRequests), w, way, l.T("code.resend_soon"))
	case started.Wait > 0:
		return s.stepUpLater(c, w, started.Wait, l.T("step.later.sends"), "send")
	}
	s.Door.SetCookie(c, door.AttemptCookie, started.Attempt.String(), attemptLife)
	return c.Redirect(w.address(way), http.StatusSeeOther)
}

// postStepCode takes the code of a step-up.
func (s *signIn) postStepCode(c *fiber.Ctx, w wanted, way string) error {
	code := page.Form(c, "auth_code")
	l := s.Language(c)
	if code == "" {
		return s.stepUp(c.Status(http.StatusUnprocessableEntity), w, way, l.T("problem.code.empty"))
	}
	e, err := s.signin.SubmitStepUp(c.UserContext(), code, s.requester(c))
	if err != nil {
		return err
	}
	s.submitted(verdicts[e.Verdict])
	switch e.Verdict {
	case signin.Proven:
		return orRedirect(c, s.RenewSession(c), w.address("")) // which leads on
	case signin.Again:
		return c.Redirect(w.address(""), http.StatusSeeOther)
	case signin.Misshapen:
		return s.stepUp(c.Status(http.StatusUnprocessableEntity), w, way, shapeProblem(l, e.Shape))
	case signin.Wrong:
		problem := l.T("problem.code.wrong")
		if e.TriesLeft <= 3 {
			problem += " " + l.N("code.tries_left", e.TriesLeft)
		}
		return s.stepUp(c.Status(http.StatusUnprocessableEntity), w, way, problem)
	}
	return s.stepUp(c.Status(http.StatusGone), w, way, l.T("step.code_gone"))
}

// factorProved responds to a proof by an authenticator.
func (s *signIn) factorProved(c *fiber.Ctx, w wanted, kind string, out directory.FactorProved, err error) error {
	if err != nil {
		return err
	}
	l := s.Language(c)
	switch out.Outcome {
	case directory.FactorRight:
		if out.Device.ID != 0 {
			s.Door.SetCookie(c, door.DeviceCookie, out.Device.String(), multifactor.RememberFor)
		}
		return orRedirect(c, s.RenewSession(c), w.address("")) // which leads on
	case directory.TooManyTries:
		return s.stepUpLater(c, w, out.Wait, l.T("step.later.codes"), string(multifactor.TOTP), string(multifactor.Recovery))
	case directory.NoSession:
		return c.Redirect(w.address(""), http.StatusSeeOther)
	case directory.FactorLate:
		return s.stepUp(c.Status(http.StatusGone), w, kind, l.T("problem.factor.late"))
	}
	problem := l.T("problem.prove." + kind)
	switch {
	case out.Copied:
		problem = l.T("problem.passkey.copied")
	case out.Unverified:
		problem = l.T("step.passkey.failed")
	case out.Outcome == directory.FactorMisshapen:
		problem = l.T("problem.shape." + kind)
	case out.Outcome == directory.FactorUsed:
		problem = l.T("problem.prove.used")
	}
	return s.stepUp(c.Status(http.StatusUnprocessableEntity), w, kind, problem)
}

type stepLaterPage struct {
	page.Base
	Here, Text, Again string
	Wait              int // seconds to count down, or 0
	OtherWays         []stepRow
}

// stepUpLater says when ways of the kinds that were tried too often work again, and which work
// now: the others, and a code that was sent.
func (s *signIn) stepUpLater(c *fiber.Ctx, w wanted, wait time.Duration, text string, kinds ...string) error {
	out, err := s.access.StepUp(c.UserContext(), s.SessionToken(c), w.things()...)
	if err != nil {
		return err
	}
	waiting, to, err := s.signin.StepUpWaits(c.UserContext(), s.requester(c))
	if err != nil {
		return err
	}
	p := stepLaterPage{Base: s.Base(c), Here: w.address(""), Text: text}
	if wait <= time.Hour { // nobody watches longer
		p.Wait = door.Seconds(wait)
	}
	p.Again = p.T("step.later.again", "When", p.In(wait))
	p.OtherWays = slices.DeleteFunc(s.stepRows(out, w), func(r stepRow) bool {
		sent := waiting.Verdict == signin.Accepted && r.ID == accountWay(to)
		return slices.Contains(kinds, r.Kind) && !sent
	})
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(door.Seconds(wait)))
	return s.Write(c.Status(http.StatusTooManyRequests), "account/step_later.html", p)
}

// postPasskeyLogin signs in the person whose passkey the browser has used.
func (s *signIn) postPasskeyLogin(c *fiber.Ctx) error {
	if !s.signin.Enrolled.HasPasskeys() {
		return door.Fail(http.StatusNotFound)
	}
	next := s.WayBack(c, page.Form(c, "next"))
	e, err := s.signin.EnterByPasskey(c.UserContext(), bytesOf(c, "kept"), []byte(page.Form(c, "response")), next, s.requester(c))
	if err != nil {
		return err
	}
	s.submitted(verdicts[e.Verdict])
	if e.Verdict == signin.Accepted {
		return s.enter(c, e)
	}
	p := s.loginPage(c, "/login")
	p.Next, p.Buttons, p.Unknown = next, s.buttons(next), e.Unknown
	switch {
	case e.Copied:
		p.Alert = p.T("problem.passkey.copied")
	case e.Verdict == signin.Expired || e.Verdict == signin.Used:
		p.Alert = p.T("problem.factor.late")
	default:
		p.Alert = p.T("passkey.refused")
	}
	return s.Write(c.Status(http.StatusUnprocessableEntity), "signin/login.html", p)
}
