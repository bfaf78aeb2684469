package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signin"
)

type addPage struct {
	page.Base
	ID      string
	Buttons []button
}

// showAdd is the form that adds an address, on a page of its own. It holds what was typed
// before the person had to prove who they are.
func (s *signIn) showAdd(c *fiber.Ctx) error {
	kept, ok := s.signin.OpenAsked(s.Door.Cookie(c, door.AddCookie), s.requester(c))
	if !ok {
		return s.writeAdd(c, "", "")
	}
	s.Door.DropCookie(c, door.AddCookie)
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	if sess.User.ID != kept.User { // somebody else's
		kept.Text = ""
	}
	return s.writeAdd(c, kept.Text, "")
}

func (s *signIn) writeAdd(c *fiber.Ctx, id, problem string) error {
	p := addPage{Base: s.Base(c).WithField(), ID: id, Buttons: s.addButtons()}
	p.Problem = problem
	door.AllowFormTo(c, s.signin.Federation.Origins())
	return s.Write(c, "account/add.html", p)
}

// addButtons add an account at a configured provider.
func (s *signIn) addButtons() (all []button) {
	for _, p := range s.signin.Federation.Providers() {
		all = append(all, button{p.Label, p.Name})
	}
	return all
}

// postAdd begins to add an address. Its answer is the same whether the address is free or
// somebody's.
func (s *signIn) postAdd(c *fiber.Ctx) error {
	by := s.requester(c)
	id := page.Form(c, "id")
	choice, refusal, err := s.signin.Discover(c.UserContext(), id, page.Form(c, "implementation"), by)
	if err != nil {
		return err
	}
	if refusal != "" {
		return s.writeAdd(c.Status(http.StatusUnprocessableEntity), id, s.Language(c).T("problem.id."+string(refusal)))
	}
	if !choice.Clear() {
		return s.ask(c, signin.Asked{Text: id, Adding: true}, by)
	}
	return s.addWay(c, id, choice[0], by)
}

// addWay sends a code to an address that is to be added, or leads to its provider.
func (s *signIn) addWay(c *fiber.Ctx, id string, w signin.Way, by signin.Requester) error {
	if accounts.Redirects(w.ID.Implementation) {
		led, ready, err := s.signin.LeadAdding(c.UserContext(), w.Request(), by)
		if err == nil && !ready {
			return s.proveToAdd(c, id, by)
		}
		return s.led(c, led, err, s.placeOf(w), func() error {
			return s.writeAdd(c.Status(http.StatusUnprocessableEntity), id, s.nowhere(c, w))
		})
	}
	started, err := s.signin.StartAdding(c.UserContext(), w.Request(), by)
	switch {
	case err != nil:
		return err
	case started.Stale:
		return s.proveToAdd(c, id, by)
	case started.Closed:
		l := s.Language(c)
		return s.writeAdd(c.Status(http.StatusServiceUnavailable), id, l.T("problem.id.closed", "Channel", l.Way(w.ID.Implementation)))
	}
	return s.started(c, started, by)
}

// proveToAdd keeps the address in a cookie and leads to a step-up.
func (s *signIn) proveToAdd(c *fiber.Ctx, id string, by signin.Requester) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	sealed, err := s.signin.SealAsked(signin.Asked{Text: id, Adding: true, User: sess.User.ID}, by)
	if err != nil {
		return err
	}
	s.Door.SetCookie(c, door.AddCookie, sealed, askedLife)
	return toStepUp(c, multifactor.AddAddress, "/account/add")
}

// entered responds to a proof that was right: of a sign-in, or of an address that was added.
func (s *signIn) entered(c *fiber.Ctx, e signin.Entered) error {
	switch e.Verdict {
	case signin.Proven:
		return orRedirect(c, s.RenewSession(c), nonEmpty(e.Next, "/account"))
	case signin.Lacking:
		return toStepUp(c, multifactor.AddAddress, "/account/add")
	case signin.Added:
		return c.Redirect("/account?done=added", http.StatusSeeOther)
	case signin.MergeGuarded:
		return s.Say(c.Status(http.StatusUnprocessableEntity), "merge.guarded", "/account", "account.title")
	case signin.MergeYoung:
		return s.Say(c.Status(http.StatusUnprocessableEntity), "merge.young", "/account", "account.title")
	case signin.MergeAsked:
		s.Door.SetCookie(c, door.MergeCookie, e.Merge, mergeLife)
		return c.Redirect("/account/merge", http.StatusSeeOther)
	}
	return s.enter(c, e)
}

// mergeLife is how long a browser keeps whom it has proved to be.
const mergeLife = 10 * time.Minute

type mergePage struct {
	page.Base
	Username  string
	Superuser bool
	Addresses []string
	Groups    string
}

func (s *signIn) showMerge(c *fiber.Ctx) error {
	m, err := s.signin.Mergeable(c.UserContext(), s.Door.Cookie(c, door.MergeCookie), s.requester(c))
	if err != nil {
		return err
	}
	if !m.Found {
		return s.Say(c.Status(http.StatusGone), "merge.gone", "/account", "account.title")
	}
	p := mergePage{Base: s.Base(c), Username: m.Username, Superuser: m.Superuser, Groups: strings.Join(m.Groups, ", ")}
	for _, a := range m.Addresses {
		p.Addresses = append(p.Addresses, a.Shown())
	}
	return s.Write(c, "account/merge.html", p)
}

func (s *signIn) postMerge(c *fiber.Ctx) error {
	out, err := s.signin.Merge(c.UserContext(), s.Door.Cookie(c, door.MergeCookie), s.requester(c))
	if err != nil {
		return err
	}
	switch out {
	case signin.MergedSuperuser:
		return s.Say(c.Status(http.StatusUnprocessableEntity), "merge.last_superuser", "/account", "account.title")
	case signin.MergedUsers:
		s.Door.DropCookie(c, door.MergeCookie)
		return c.Redirect("/account?done=merged", http.StatusSeeOther)
	}
	return s.Say(c.Status(http.StatusGone), "merge.gone", "/account", "account.title")
}

func (s *signIn) postRemove(c *fiber.Ctx) error {
	id, err := strconv.ParseInt(page.Form(c, "account"), 10, 64)
	if err != nil {
		return door.Fail(http.StatusBadRequest)
	}
	out, err := s.signin.RemoveAddress(c.UserContext(), accounts.AccountID(id), s.requester(c))
	switch {
	case err != nil:
		return err
	case out == signin.RemovedStale:
		return toStepUp(c, multifactor.RemoveAddress, "/account")
	case out == signin.RemovedLast:
		b := s.Base(c)
		return s.WriteMessage(c.Status(http.StatusUnprocessableEntity), page.Message{
			Base: b, Heading: b.T("account.addresses.title"), Text: b.T("remove.last"), Link: "/account", LinkText: b.T("account.title"),
		})
	}
	return c.Redirect("/account?done=removed", http.StatusSeeOther)
}

type undoPage struct {
	page.Base
	signin.Undoable
	Action string
}

func (s *signIn) showUndo(c *fiber.Ctx) error { return s.undo(c, false) }
func (s *signIn) postUndo(c *fiber.Ctx) error { return s.undo(c, true) }

// undo shows what a message told of, and undoes it.
func (s *signIn) undo(c *fiber.Ctx, confirmed bool) error {
	token, _ := seal.ParseToken(c.Params("token"))
	u, err := s.signin.Undo(c.UserContext(), token, confirmed, s.requester(c))
	switch {
	case err != nil:
		return err
	case !u.Found:
		return s.Say(c.Status(http.StatusGone), "undo.gone", "/login", "error.go_on")
	case u.Late:
		return s.Say(c.Status(http.StatusGone), "undo.late", "/login", "error.go_on")
	case u.Undone:
		if confirmed {
			s.Log.Warn("a change was undone: it was not me", "request", s.Door.RequestID(c), "kind", u.Kind)
			s.Door.DropCookie(c, door.SessionCookie)
		}
		return s.Say(c, "undo.done", "/login", "error.go_on")
	}
	return s.Write(c, "account/undo.html", undoPage{Base: s.Base(c), Undoable: u, Action: "/account/undo/" + token.String()})
}
