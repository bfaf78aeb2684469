package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
)

// wanted is what a step-up is for: the levels and actions that its address names, and where
// it leads back to. Without either it is a fresh proof of anything.
type wanted struct {
	levels  []string
	actions []string
	next    string // a local path, or ""
	site    string // the origin of the site to which that leads, or ""
}

// maxWanted bounds how many levels and actions an address can name.
const maxWanted = 16

// readWanted reads what a step-up is for, from the form or else from the address.
func (s *signIn) readWanted(c *fiber.Ctx) wanted {
	var w wanted
	args := c.Context().QueryArgs()
	if c.Method() == http.MethodPost && (page.Form(c, "level") != "" || page.Form(c, "action") != "" || page.Form(c, "next") != "") {
		args = c.Request().PostArgs()
	}
	for _, text := range args.PeekMulti("level") {
		w.levels = append(w.levels, string(text))
	}
	for _, text := range args.PeekMulti("action") {
		w.actions = append(w.actions, string(text))
	}
	w.levels, w.actions = w.levels[:min(len(w.levels), maxWanted)], w.actions[:min(len(w.actions), maxWanted)]
	next := string(args.Peek("next"))
	if args == c.Context().QueryArgs() {
		next = door.RequestedNext(page.Query(c))
	}
	w.next = s.WayBack(c, next)
	w.site = s.SiteOrigin(w.next)
	return w
}

// things are what the rules are asked about.
func (w wanted) things() (all []multifactor.Thing) {
	for _, name := range w.levels {
		all = append(all, multifactor.Thing{Kind: multifactor.ByName, Name: name})
	}
	for _, name := range w.actions {
		all = append(all, multifactor.Thing{Kind: multifactor.Action, Name: name})
	}
	if len(all) == 0 {
		all = append(all, multifactor.Thing{Kind: multifactor.Action, Name: access.Anew})
	}
	if w.site != "" {
		all = append(all, multifactor.Thing{Kind: multifactor.Site, Name: w.site})
	}
	return all
}

// address is the step-up's own; way chooses a way, "" leaves the choice.
func (w wanted) address(way string) string {
	return page.StepUp(w.levels, w.actions, way, w.next)
}

// toStepUp leads to a step-up for an action, which leads back to next.
func toStepUp(c *fiber.Ctx, action, next string) error {
	return c.Redirect(wanted{actions: []string{action}, next: next}.address(""), http.StatusSeeOther)
}

type stepUpPage struct {
	page.Base
	Here      string   // the page's address, also after a form
	Hidden    []hidden // what the forms carry along
	Reasons   []string
	Rules     []ruleRow
	Way       stepRow // what is asked for now; its Kind is "" if nothing can be proved
	OtherWays []stepRow
	Enroll    []string    // what is to be set up first
	SetUp     string      // where that is done; "": an administrator has to help
	Ceremony  ceremonyRow // of a passkey
	Verify    bool        // the passkey has to verify who uses it
	Second    bool        // a second factor is asked for, which can be lost
	Remember  bool        // the browser can be remembered
	code      bool
	// Of a code that was sent.
	Digits bool
	Length int
	Resend int // seconds until another may be sent; 0: at once
}

// Code reports that a code was sent and is awaited.
func (p stepUpPage) Code() bool { return p.code }

type hidden struct{ Name, Value string }

// stepRow is one way to prove more. Text is the address of an account.
type stepRow struct {
	ID, Kind, Text, Link string
}

// ruleRow is a rule that asks, and the sets of which it needs one.
type ruleRow struct {
	Because, Asks string
	Needs         []string
}

// showStepUp asks for the next factor, or leads on.
func (s *signIn) showStepUp(c *fiber.Ctx) error {
	return s.stepUp(c, s.readWanted(c), c.Query("way"), "")
}

// stepUp shows what is asked for next. problem is what was wrong with what was submitted.
func (s *signIn) stepUp(c *fiber.Ctx, w wanted, way, problem string) error {
	out, err := s.access.StepUp(c.UserContext(), s.SessionToken(c), w.things()...)
	switch {
	case err != nil:
		return err
	case out.Session.ID == 0: // it has ended meanwhile
		return c.Redirect(page.LoginFor(w.address("")), http.StatusSeeOther)
	case !out.Known:
		return door.Fail(http.StatusNotFound)
	case access.Next(out.Decision) == access.Done:
		return c.Redirect(nonEmpty(w.next, "/account"), http.StatusSeeOther)
	}
	p := stepUpPage{Base: s.Base(c).WithField(), Here: w.address(way), Hidden: w.hidden()}
	p.Problem = problem
	s.explain(&p, out, w)
	if len(p.Enroll) > 0 {
		p.SetUp = w.setUp(out.Decision.Enroll[0])
	}
	if err := s.fill(c, &p, out, w, way); err != nil {
		return err
	}
	if way != "" && way != p.Way.ID { // the problem is of a way that is not there any more
		p.Problem, p.Alert = "", problem
	}
	if s.LeadsOut(w.next) {
		door.AllowFormRedirects(c)
	} else {
		door.AllowFormTo(c, s.signin.Federation.Origins())
	}
	return s.Write(c, "account/step_up.html", p)
}

// hidden are the fields that carry what the step-up is for along.
func (w wanted) hidden() (all []hidden) {
	for _, name := range w.levels {
		all = append(all, hidden{"level", name})
	}
	for _, name := range w.actions {
		all = append(all, hidden{"action", name})
	}
	return append(all, hidden{"next", nonEmpty(w.next, "/account")})
}

// setUp is where a factor is set up, "" if that is what the step-up is for, so that only an
// administrator's link helps.
func (w wanted) setUp(f multifactor.Factor) string {
	at, action := "/account/add", multifactor.AddAddress
	switch f {
	case multifactor.Passkey, multifactor.VerifiedPasskey, multifactor.TOTP:
		at, action = factorsFor(w.address("")), multifactor.ChangeFactors
	case multifactor.Bound:
		return ""
	}
	if slices.Contains(w.actions, action) {
		return ""
	}
	return at
}

// explain says why something is asked for.
func (s *signIn) explain(p *stepUpPage, out access.StepUp, w wanted) {
	for _, r := range out.Asks {
		row := ruleRow{Because: because(p.Base, r.Because)}
		if _, host, found := strings.Cut(w.site, "://"); found && r.Because.Kind == multifactor.ByName { // by a rule of the site
			row.Because = p.T("step.because.level_at", "Name", r.Because.Name, "Site", host)
		}
		if !slices.Contains(p.Reasons, row.Because) {
			p.Reasons = append(p.Reasons, row.Because)
		}
		switch {
		case s.access.IsFresh(r.Level):
			row.Asks = p.T("step.fresh")
		case r.Level.Name == "":
			row.Asks = p.T("step.second")
		default:
			row.Asks, row.Needs = p.T("step.level", "Level", r.Level.Name), needs(p.Base, r.Level)
		}
		p.Rules = append(p.Rules, row)
	}
	for _, f := range out.Decision.Enroll {
		p.Enroll = append(p.Enroll, factor(p.Base, f))
	}
}

// because says what a level guards.
func because(b page.Base, t multifactor.Thing) string {
	switch t.Kind {
	case multifactor.Action:
		return b.T("step.action." + t.Name)
	case multifactor.ByName:
		return b.T("step.because.level", "Name", t.Name)
	}
	return b.T("step.because."+string(t.Kind), "Name", t.Name)
}

// needs says what a level needs: "a code and an authenticator app" and "a passkey".
func needs(b page.Base, l *multifactor.Level) (sets []string) {
	for _, n := range l.Need {
		times := map[multifactor.Factor]int{}
		for _, f := range n {
			times[f]++
		}
		var names []string
		for _, f := range n {
			switch {
			case times[f] == 1:
				names = append(names, factor(b, f))
			case times[f] > 1:
				names = append(names, b.T("step.times", "Factor", factor(b, f), "Count", times[f]))
				times[f] = 0
			}
		}
		sets = append(sets, strings.Join(names, " "+b.T("step.and")+" "))
	}
	return sets
}

// factor is what people call a factor.
func factor(b page.Base, f multifactor.Factor) string {
	if key := strings.ReplaceAll(string(f), ":", "_"); b.Has("factor." + key) {
		return b.T("factor." + key)
	}
	return b.Way(string(f))
}

// fill chooses the way that is asked for, and lists the others.
func (s *signIn) fill(c *fiber.Ctx, p *stepUpPage, out access.StepUp, w wanted, chosen string) error {
	waiting, to, err := s.signin.StepUpWaits(c.UserContext(), s.requester(c))
	if err != nil {
		return err
	}
	waits := waiting.Verdict == signin.Accepted
	if chosen == "" && waits {
		chosen = accountWay(to)
	}
	p.OtherWays = s.stepRows(out, w)
	if len(p.OtherWays) == 0 {
		return nil
	}
	at := max(0, slices.IndexFunc(p.OtherWays, func(r stepRow) bool { return r.ID == chosen }))
	p.Way = p.OtherWays[at]
	own := p.Way.Kind == string(multifactor.TOTP) || p.Way.Kind == string(multifactor.Passkey)
	p.Remember = own && !slices.ContainsFunc(out.Asks, func(r multifactor.Rule) bool { return forgets(r.Level, p.Way.Kind) })
	p.Second = own || p.Way.Kind == string(multifactor.Recovery)
	p.OtherWays = slices.Delete(p.OtherWays, at, at+1)
	if p.code = waits && p.Way.ID == accountWay(to); p.code {
		p.Digits, p.Length, p.Resend = waiting.Digits, waiting.Length, door.Seconds(waiting.ResendIn)
	}
	if p.Way.Kind == string(multifactor.Passkey) {
		p.Verify = slices.ContainsFunc(out.Asks, func(r multifactor.Rule) bool {
			return slices.ContainsFunc(r.Level.Need, func(n multifactor.Need) bool { return slices.Contains(n, multifactor.VerifiedPasskey) })
		})
		ceremony, err := s.directory.BeginProof(c.UserContext(), s.owner(c), p.Verify)
		if err != nil {
			return err
		}
		p.Ceremony = toRow(ceremony)
	}
	return nil
}

// forgets reports a level that asks again sooner than a remembered browser would be asked: for
// it a proof of a factor counts for less long, or it is djauthy's own.
func forgets(l *multifactor.Level, factor string) bool {
	for f, valid := range l.Valid {
		if (string(f) == factor || f == multifactor.VerifiedPasskey && factor == string(multifactor.Passkey)) && valid.Duration < multifactor.RememberFor {
			return true
		}
	}
	return l.Name == ""
}

// accountWay is what an account is called in forms.
func accountWay(id accounts.AccountID) string {
	return "account-" + strconv.FormatInt(int64(id), 10)
}

// stepRows are the ways that this server can lead, each once.
func (s *signIn) stepRows(out access.StepUp, w wanted) (rows []stepRow) {
	for _, way := range out.Ways {
		row := s.stepRow(way)
		row.Link = w.address(row.ID)
		if row.Kind != "" && !slices.ContainsFunc(rows, func(r stepRow) bool { return r.ID == row.ID }) {
			rows = append(rows, row)
		}
	}
	return rows
}

// stepRow describes a way; its Kind is "" if this server cannot lead there any more.
func (s *signIn) stepRow(w access.StepWay) stepRow {
	a := w.Account
	switch {
	case a.ID == 0:
		kind := string(w.Factors[0])
		return stepRow{ID: kind, Kind: kind}
	case accounts.Redirects(a.Addr.Implementation):
		if !s.configured(a.Addr) {
			return stepRow{}
		}
		return stepRow{ID: accountWay(a.ID), Kind: "provider", Text: a.Shown()}
	}
	return stepRow{ID: accountWay(a.ID), Kind: "send", Text: a.Shown()}
}
