package web

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/words"
)

type addressRow struct {
	ID, Identifier, Implementation string
	Last                           bool // it is the last way to sign in, and stays
	Active, Used                   bool
	LastUsed                       time.Time
}

type sessionRow struct {
	ID                string
	Browser, Place    string
	Created, LastSeen time.Time
	Current, Bound    bool
}

type accountPage struct {
	page.Base
	Name      string
	Superuser bool
	Providers bool // there are accounts elsewhere to add
	Used      string
	Addresses []addressRow
	Sessions  []sessionRow
	Levels    []levelRow
	Settings  settings
	Renamed   *multifactor.Owner // whose passkeys may show an old name; nil: no change
}

// levelRow is a level that the administrator has set, and whether this session holds it.
type levelRow struct {
	Name, Needs, For, Link string
	Until                  time.Time // zero: not held
}

// levels are the levels of the site as a person sees them.
func (s *account) levels(c *fiber.Ctx, b page.Base) (rows []levelRow, err error) {
	standing, err := s.access.Standing(c.UserContext(), s.SessionToken(c))
	for _, l := range standing.Levels {
		var guards []string
		for _, thing := range l.For.Things() {
			guards = append(guards, because(b, thing))
		}
		to := wanted{levels: []string{l.Name}, next: "/account"}
		rows = append(rows, levelRow{l.Name, strings.Join(needs(b, l.Level), " "+b.T("step.or")+" "), strings.Join(guards, " "), to.address(""), l.Until})
	}
	return rows, err
}

// settings are the form on the account page: what it holds, and what is wrong
// with the names in it.
type settings struct {
	FirstName, LastName       string
	FirstProblem, LastProblem string
	Language                  string
	Username, UsernameProblem string
}

// over is what was typed in one of the two forms, with what the other holds.
func (t settings) over(held settings) settings {
	if t.UsernameProblem != "" {
		held.Username, held.UsernameProblem = t.Username, t.UsernameProblem
		return held
	}
	t.Username = held.Username
	return t
}

func (s *account) showAccount(c *fiber.Ctx) error { return s.show(c, nil) }

// show shows the account. typed, if set, are settings that were refused, as the person
// typed them.
func (s *account) show(c *fiber.Ctx, typed *settings) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	profile, err := s.directory.Profile(c.UserContext(), sess.User.ID)
	if err != nil {
		return err
	}
	u := profile.User
	p := accountPage{
		Base: s.Base(c), Name: u.Name(), Superuser: u.Superuser, Providers: len(s.signin.Federation.Providers()) > 0,
		Settings: settings{FirstName: u.FirstName, LastName: u.LastName, Language: u.Language, Username: u.Username},
	}
	if p.Levels, err = s.levels(c, p.Base); err != nil {
		return err
	}
	if typed != nil {
		p.Settings = typed.over(p.Settings)
		p.Problem = cmp.Or(typed.FirstProblem, typed.LastProblem, typed.UsernameProblem)
	}
	if done := c.Query("done"); done == "saved" || done == "session_ended" || done == "others_ended" || done == "added" || done == "removed" || done == "merged" || done == "renamed" {
		p.Notice = p.T("account.notice." + done)
		if owner := directory.PasskeyOwner(u); done == "saved" || done == "renamed" || done == "removed" {
			p.Renamed = &owner
		}
	}
	for _, a := range profile.Accounts {
		used := a.ID == sess.Account
		if used {
			p.Used = a.Shown()
		}
		p.Addresses = append(p.Addresses, addressRow{ID: strconv.FormatInt(int64(a.ID), 10), Last: last(profile.Accounts, a), Identifier: a.Shown(), Implementation: a.Addr.Implementation, Active: a.Active, Used: used, LastUsed: a.LastUsed})
	}
	for _, x := range profile.Sessions {
		p.Sessions = append(p.Sessions, sessionRow{
			ID: strconv.FormatInt(int64(x.ID), 10), Browser: p.Language.Browser(x.Client.Agent), Place: p.Language.Place(x.Client.Prefix),
			Created: x.Created(), LastSeen: x.LastSeen, Current: x.ID == sess.ID, Bound: x.Bound,
		})
	}
	slices.SortStableFunc(p.Sessions, func(a, b sessionRow) int { // this browser first
		switch {
		case a.Current == b.Current:
			return 0
		case a.Current:
			return -1
		}
		return 1
	})
	return s.Write(c, "account/home.html", p)
}

// last reports the only proved account of a person.
func last(all []accounts.Account, a accounts.Account) bool {
	return !slices.ContainsFunc(all, func(x accounts.Account) bool { return x.Active && x.ID != a.ID })
}

// postUsername changes the username.
func (s *account) postUsername(c *fiber.Ctx) error {
	username := strings.TrimSpace(page.Form(c, "username"))
	err := s.directory.RenameOwn(c.UserContext(), owner(s.Site, c), username)
	l := s.Language(c)
	switch {
	case errors.Is(err, accounts.ErrUsername):
		return s.show(c.Status(http.StatusUnprocessableEntity), &settings{Username: username, UsernameProblem: l.T("problem.username.form")})
	case errors.Is(err, accounts.ErrTaken):
		return s.show(c.Status(http.StatusUnprocessableEntity), &settings{Username: username, UsernameProblem: l.T("problem.username.taken")})
	}
	return s.changed(c, err, "renamed")
}

// maxName bounds a first or last name, as in Django's auth.User.
const maxName = 150

func (s *account) postSettings(c *fiber.Ctx) error {
	to := settings{FirstName: strings.TrimSpace(page.Form(c, "first_name")), LastName: strings.TrimSpace(page.Form(c, "last_name")), Language: page.Form(c, "language")}
	if !isLanguage(to.Language) {
		to.Language = ""
	}
	l := s.Language(c)
	if !isName(to.FirstName) {
		to.FirstProblem = l.T("problem.first_name")
	}
	if !isName(to.LastName) {
		to.LastProblem = l.T("problem.last_name")
	}
	if to.FirstProblem != "" || to.LastProblem != "" {
		return s.show(c.Status(http.StatusUnprocessableEntity), &to)
	}
	return s.changed(c, s.directory.SaveSettings(c.UserContext(), owner(s.Site, c), to.FirstName, to.LastName, to.Language), "saved")
}

func isName(s string) bool {
	return utf8.RuneCountInString(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func isLanguage(code string) bool {
	for _, l := range words.Languages {
		if l == code {
			return true
		}
	}
	return false
}

// changed redirects back to the account page, which says what was done.
func (s *account) changed(c *fiber.Ctx, err error, done string) error {
	var more directory.NeedsProof
	if errors.As(err, &more) {
		return toStepUp(c, more.Action, "/account")
	}
	return orRedirect(c, ofPerson(err), "/account?done="+done)
}

// ofPerson turns directory.TooOften into a problem.
func ofPerson(err error) error {
	var often directory.TooOften
	if errors.As(err, &often) {
		return &door.Problem{Status: http.StatusTooManyRequests, Key: "too_many", Wait: often.Wait}
	}
	return err
}

func (s *account) postEndSession(c *fiber.Ctx) error {
	id, err := strconv.ParseInt(page.Form(c, "session"), 10, 64)
	if err != nil {
		return door.Fail(http.StatusBadRequest)
	}
	return s.changed(c, s.directory.EndSession(c.UserContext(), owner(s.Site, c), db.ID(id)), "session_ended")
}

type endOthersPage struct {
	page.Base
	Count int
}

func (s *account) showEndOthers(c *fiber.Ctx) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	profile, err := s.directory.Profile(c.UserContext(), sess.User.ID)
	if err != nil {
		return err
	}
	return s.Write(c, "account/end_others.html", endOthersPage{Base: s.Base(c), Count: max(0, len(profile.Sessions)-1)})
}

func (s *account) postEndOthers(c *fiber.Ctx) error {
	return s.changed(c, s.directory.EndOthers(c.UserContext(), owner(s.Site, c)), "others_ended")
}

type eventRow struct {
	At                   time.Time
	Text, Browser, Place string
}

type historyPage struct {
	page.Base
	Events []eventRow
	More   string
}

const historyLines = 50

func (s *account) showHistory(c *fiber.Ctx) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(c.Query("before"), 10, 64) // not a number: from the newest
	lines, next, err := s.directory.History(c.UserContext(), sess.User.ID, db.ID(before), historyLines)
	if err != nil {
		return err
	}
	p := historyPage{Base: s.Base(c)}
	for _, l := range lines {
		p.Events = append(p.Events, eventRow{
			At: l.At, Text: p.T("history.event." + string(l.Event)), Browser: p.Language.Browser(l.Client.Agent), Place: p.Language.Place(l.Client.Prefix),
		})
	}
	if next != 0 {
		p.More = "/account/history?before=" + strconv.FormatInt(int64(next), 10)
	}
	return s.Write(c, "account/history.html", p)
}

// exportFor is how long a browser may take to read an export.
const exportFor = time.Minute

func (s *account) export(c *fiber.Ctx) error {
	e, err := s.directory.ExportOwn(c.UserContext(), owner(s.Site, c))
	if err != nil {
		return ofPerson(err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+e.User.Username+`.json"`)
	door.Stream(c, func(w *bufio.Writer) {
		ctx, cancel := context.WithTimeout(context.Background(), exportFor)
		defer cancel()
		if err := e.Write(ctx, w); err != nil {
			s.Log.Error("an export was cut short", "user", e.User.ID, "err", err)
		}
	})
	return nil
}

type deletePage struct {
	page.Base
	May   bool
	Prove string // the address of the step-up
}

func (s *account) showDelete(c *fiber.Ctx) error {
	a, err := s.access.Access(c.UserContext(), s.SessionToken(c), multifactor.Thing{Kind: multifactor.Action, Name: multifactor.DeleteAccount})
	if err != nil {
		return err
	}
	return s.writeDelete(c, a.Decision.Allowed)
}

func (s *account) writeDelete(c *fiber.Ctx, may bool) error {
	to := wanted{actions: []string{multifactor.DeleteAccount}, next: "/account/delete"}
	return s.Write(c, "account/delete.html", deletePage{Base: s.Base(c), May: may, Prove: to.address("")})
}

func (s *account) postDelete(c *fiber.Ctx) error {
	sess, err := s.Session(c)
	if err != nil {
		return err
	}
	done, err := s.directory.DeleteOwn(c.UserContext(), owner(s.Site, c))
	switch {
	case errors.Is(err, accounts.ErrLastSuperuser):
		return s.Say(c.Status(http.StatusConflict), "account.last_superuser", "/account", "account.title")
	case err != nil:
		return err
	}
	if !done {
		return s.writeDelete(c.Status(http.StatusForbidden), false)
	}
	s.Door.DropCookie(c, door.SessionCookie)
	s.Door.DropCookie(c, door.AttemptCookie)
	page.DropPages(c)
	s.Log.Info("account deleted by its owner", "request", s.Door.RequestID(c), "user", sess.User.ID)
	s.ForgetSession(c)
	return s.Say(c, "account.deleted", "/login", "error.go_on")
}
