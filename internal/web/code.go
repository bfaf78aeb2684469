package web

import (
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/words"
)

type codePage struct {
	page.Base
	codeForm
	Aside string // a second problem, which stands above the form

	OtherWays []otherRow

	Typed, Question, Login, ExpiresIn, Until, ResendIn, ResendWords, Usually string // numbers are seconds
}

// codeForm is what decides about the structure of the page, apart from language and values.
type codeForm struct {
	Digits, Long         bool
	Length               int
	Waits                bool // before a code can be sent again
	Usual                bool // the usual time of messages is known
	ChannelDown, Mailbox bool
	Email                bool // it was sent by email
	Adding               bool // the address is added to the person who is signed in
	Asks                 bool // the message has a question, too
}

// values are the fields that differ from browser to browser.
func (p *codePage) values() words.Values {
	return words.Values{&p.Typed, &p.Question, &p.Login, &p.ExpiresIn, &p.Until, &p.ResendIn, &p.ResendWords, &p.Usually}
}

func (s *signIn) showCode(c *fiber.Ctx) error {
	if s.Door.Cookie(c, door.AttemptCookie) == "" {
		return s.withoutAttempt(c)
	}
	return s.codePage(c, s.requester(c), "", "")
}

// codePage shows the state of the browser's attempt: the field for the code, or that the
// attempt has ended. problem is what was wrong with a submitted code; aside is what else did
// not work, or "".
func (s *signIn) codePage(c *fiber.Ctx, by signin.Requester, problem, aside string) error {
	w, err := s.signin.Wait(c.UserContext(), by)
	if err != nil {
		return err
	}
	if w.Verdict == signin.Exhausted && (problem != "" || aside != "") {
		w.Verdict = signin.Accepted // the last try is shown as a wrong one, or the countdown, not that the attempt has ended
	}
	if w.Verdict != signin.Accepted {
		if sess, err := s.Session(c); err != nil || sess.ID != 0 && w.Verdict == signin.Used {
			return orRedirect(c, err, nonEmpty(w.Next, "/account"))
		}
		return s.ended(c, w)
	}
	switch {
	case s.LeadsOut(w.Next):
		door.AllowFormRedirects(c)
	case len(w.Others) > 0:
		door.AllowFormTo(c, s.signin.Federation.Origins())
	}
	resend, usual := door.Seconds(w.ResendIn), s.signin.Outbox.Usual(c.UserContext())
	p := codePage{Base: s.Base(c).WithField(), codeForm: codeForm{
		Digits: w.Digits, Long: w.Long, Length: w.Length, Waits: resend > 0, Usual: usual > 0,
		ChannelDown: s.signin.Outbox.Down(w.Channel), Email: w.Channel == accounts.Email, Adding: w.Adding, Mailbox: s.mailbox && w.Channel == accounts.Email, Asks: w.Question != "",
	}}
	if p.Asks {
		door.AllowFetch(c)
	}
	p.OtherWays = s.otherRows(p.Base, w.Others)
	p.Typed, p.Question, p.Login, p.Until = w.Typed, w.Question, page.LoginFor(w.Next), p.Clock(w.Expires)
	if w.Adding {
		p.Login = "/account/add"
	}
	p.ExpiresIn, p.ResendIn = strconv.Itoa(door.Seconds(w.Expires.Sub(w.Now))), strconv.Itoa(resend)
	p.ResendWords, p.Usually = p.N("code.resend_in", resend), p.N("code.usually", max(1, door.Seconds(usual)))
	p.Problem, p.Aside = problem, aside
	if problem == "" && aside == "" && w.Resent {
		p.Notice = p.T("code.notice.resent")
	}
	if p.Problem != "" || p.Notice != "" || aside != "" || len(p.OtherWays) > 0 {
		return s.Write(c, "signin/code.html", p)
	}
	return s.freshCode(c, p)
}

// freshCode is the page after a code was sent, which every sign-in shows.
func (s *signIn) freshCode(c *fiber.Ctx, p codePage) error {
	type form struct {
		lang     string
		signedIn bool
		codeForm
	}
	return s.Precompiled(c, "signin/code.html", form{p.Lang, p.SignedIn, p.codeForm}, p.values(), func() page.View {
		marked := p
		marked.values().Mark()
		return marked
	})
}

func (s *signIn) postCode(c *fiber.Ctx) error {
	by := s.requester(c)
	code := page.Form(c, "auth_code")
	if by.Attempt.ID != 0 && code == "" {
		return s.codePage(c.Status(http.StatusUnprocessableEntity), by, s.Language(c).T("problem.code.empty"), "")
	}
	e, err := s.signin.SubmitCode(c.UserContext(), code, by)
	if err != nil {
		return err
	}
	return s.decided(c, e, by)
}

// postAnswer signs in a person who has answered the message's question.
func (s *signIn) postAnswer(c *fiber.Ctx) error {
	by := s.requester(c)
	e, err := s.signin.SubmitAnswer(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.decided(c, e, by)
}

// showAnswer is polled by the code page's script: 204 while there is no answer, 200 when the
// form is to be submitted (there is one, or the attempt has ended).
func (s *signIn) showAnswer(c *fiber.Ctx) error {
	w, err := s.signin.Wait(c.UserContext(), s.requester(c))
	if err == nil && !w.Answered && (w.Verdict == signin.Accepted || w.Verdict == signin.Exhausted) { // the page says which
		c.Status(http.StatusNoContent)
	}
	return err
}

// decided responds to a code or an answer that was submitted.
func (s *signIn) decided(c *fiber.Ctx, e signin.Entered, by signin.Requester) error {
	s.submitted(verdicts[e.Verdict])
	switch e.Verdict {
	case signin.Accepted, signin.Again, signin.Proven, signin.Lacking, signin.Added, signin.MergeAsked, signin.MergeGuarded, signin.MergeYoung:
		return s.entered(c, e)
	case signin.Unanswered:
		return s.codePage(c.Status(http.StatusUnprocessableEntity), by, "", s.Language(c).T("code.unanswered"))
	case signin.Misshapen:
		return s.codePage(c.Status(http.StatusUnprocessableEntity), by, shapeProblem(s.Language(c), e.Shape), "")
	case signin.Wrong:
		l := s.Language(c)
		problem := l.T("problem.code.wrong")
		if e.TriesLeft <= 3 {
			problem += " " + l.N("code.tries_left", e.TriesLeft)
		}
		return s.codePage(c.Status(http.StatusUnprocessableEntity), by, problem, "")
	}
	w, err := s.signin.Wait(c.UserContext(), by)
	if err != nil {
		return err
	}
	w.Verdict = e.Verdict
	return s.ended(c, w)
}

// shapeProblem says what a code looks like, to somebody who typed something else.
func shapeProblem(l *words.Language, shape multifactor.Shape) string {
	if shape.Digits {
		return l.N("problem.code.digits", shape.Length)
	}
	return l.N("problem.code.letters", shape.Length)
}

// enter gives the browser its session and redirects it to where it wanted to go.
func (s *signIn) enter(c *fiber.Ctx, e signin.Entered) error {
	if e.Verdict == signin.Accepted {
		s.Door.SetCookie(c, door.SessionCookie, e.Session.String(), e.Expires.Sub(s.Now()))
		s.Door.SetCookie(c, door.BrowserCookie, e.Browser, browserLife)
		if s.binding != nil {
			c.Set(boundkey.HeaderRegistration, s.binding.Offer(db.ID(e.Session.ID), s.Now()))
		}
		s.Log.Info("signed in", "request", s.Door.RequestID(c), "user", e.User)
	}
	return orRedirect(c, nil, nonEmpty(e.Next, "/account"))
}

// verdicts are the names of verdicts in message keys and metrics.
var verdicts = map[signin.Verdict]string{
	signin.Gone: "gone", signin.Accepted: "accepted", signin.Again: "again", signin.Wrong: "wrong", signin.Misshapen: "misshapen", signin.Expired: "expired",
	signin.Used: "used", signin.Stopped: "stopped", signin.Exhausted: "exhausted", signin.Spent: "spent", signin.Foreign: "foreign", signin.Refused: "refused",
	signin.Added: "added", signin.MergeAsked: "merge_asked", signin.MergeGuarded: "merge_guarded", signin.MergeYoung: "merge_young", signin.LedAgain: "led_again", signin.Unanswered: "unanswered",
	signin.Proven: "proven", signin.Lacking: "lacking",
}

type endedPage struct {
	page.Base
	Heading, Text, Login string
	CanResend            bool
}

// ended shows that the attempt has ended, and what to do.
func (s *signIn) ended(c *fiber.Ctx, w signin.Waiting) error {
	p := endedPage{Base: s.Base(c), Login: page.LoginFor(w.Next), CanResend: w.Verdict != signin.Gone && w.Verdict != signin.Stopped}
	key := "ended." + verdicts[w.Verdict]
	p.Heading, p.Text = p.T(key+".heading"), p.T(key+".text", "Masked", w.Masked)
	return s.Write(c.Status(http.StatusGone), "signin/ended.html", p)
}

func orRedirect(c *fiber.Ctx, err error, to string) error {
	if err != nil {
		return err
	}
	return c.Redirect(to, http.StatusSeeOther)
}

func nonEmpty(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
