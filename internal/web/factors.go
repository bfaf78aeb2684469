package web

import (
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/seal"
)

// factorsPath is the page of a person's factors.
const factorsPath = "/account/factors"

type factorRow struct {
	ID, Kind, Name, Model string
	Left                  int64 // recovery codes
	Added, LastUsed       time.Time
	Copied                bool
}

type deviceRow struct {
	ID, Browser, Place string
	Since, Until       time.Time
}

type factorsPage struct {
	page.Base
	Factors  []factorRow
	Devices  []deviceRow
	Next     string      // a local path: what the person wanted to open when a factor lacked; or ""
	GoOn     bool        // what lacked may be there now
	Passkeys bool        // this server can have them
	Ceremony ceremonyRow // of a passkey to add; its Kept is "" if more is to be proved first
}

// Here is the page's address.
func (p factorsPage) Here() string { return factorsFor(p.Next) }

// Proof leads to what has to be proved before a factor is set up, and back.
func (p factorsPage) Proof() string {
	return page.StepUp(nil, []string{multifactor.ChangeFactors}, "", p.Here())
}

// maxOnward is the longest way on, in bytes, that the page of factors keeps.
const maxOnward = 2 << 10

// factorsFor is the address of the page of factors for who wants to open something else.
func factorsFor(next string) string {
	if next == "" || len(next) > maxOnward { // too long to be in an address that is in another
		return factorsPath
	}
	return factorsPath + "?" + nextIs(next)
}

// nextIs is a parameter that RequestedNext decodes: one that begins with a slash it takes as it is.
func nextIs(path string) string {
	return "next=" + strings.ReplaceAll(url.QueryEscape(path), "+", "%20")
}

// onward is what the person wanted to open when a factor lacked, from the form or the address.
func (s *signIn) onward(c *fiber.Ctx) string {
	next := page.Form(c, "next")
	if c.Method() != http.MethodPost {
		next = door.RequestedNext(page.Query(c))
	}
	if next = s.WayBack(c, next); len(next) > maxOnward {
		return ""
	}
	return next
}

// Recovery is how many recovery codes are left.
func (p factorsPage) Recovery(left int64) string { return p.N("factors.left", int(left)) }

// ceremonyRow is a use of a passkey that the page's script can begin.
type ceremonyRow struct{ Options, Kept string }

// factorsDone are what the page says was done.
var factorsDone = []string{"app", "passkey", "removed", "renamed", "forgotten", "linked"}

func (s *signIn) showFactors(c *fiber.Ctx) error { return s.writeFactors(c, "") }

// writeFactors shows the factors. problem is what went wrong before.
func (s *signIn) writeFactors(c *fiber.Ctx, problem string) error {
	f, err := s.directory.OwnFactors(c.UserContext(), s.owner(c))
	if err != nil {
		return err
	}
	p := factorsPage{Base: s.Base(c), Next: s.onward(c), Passkeys: s.signin.Enrolled.HasPasskeys()}
	p.Alert = problem
	for _, done := range factorsDone {
		if c.Query("done") == done && problem == "" {
			p.Notice = p.T("factors.done." + done)
			p.GoOn = p.Next != "" && (done == "app" || done == "passkey")
		}
	}
	for _, a := range f.Authenticators {
		p.Factors = append(p.Factors, factorRow{
			ID: number(a.ID), Kind: string(a.Kind), Name: a.Name, Model: a.Model, Left: a.Counter, Added: a.Added(), LastUsed: a.LastUsed, Copied: !a.Warned.IsZero(),
		})
	}
	for _, d := range f.Devices {
		p.Devices = append(p.Devices, deviceRow{ID: number(d.ID), Browser: p.Language.Browser(d.Client.Agent), Place: p.Language.Place(d.Client.Prefix), Since: d.ID.Time(), Until: d.Expires})
	}
	if p.Passkeys {
		ceremony, err := s.directory.BeginPasskey(c.UserContext(), s.owner(c))
		if !errors.As(err, new(directory.NeedsProof)) {
			if err != nil {
				return err
			}
			p.Ceremony = toRow(ceremony)
		}
	}
	return s.Write(c, "account/factors.html", p)
}

func number(id db.ID) string { return strconv.FormatInt(int64(id), 10) }

func toRow(c multifactor.Ceremony) ceremonyRow {
	return ceremonyRow{string(c.Options), base64.RawURLEncoding.EncodeToString(c.Kept)}
}

// bytesOf reads a field that holds base64url; none if it does not.
func bytesOf(c *fiber.Ctx, name string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(page.Form(c, name))
	return b
}

// factorsChanged responds to a change of factors.
func (s *signIn) factorsChanged(c *fiber.Ctx, err error, done string) error {
	var more directory.NeedsProof
	switch {
	case errors.As(err, &more):
		return toStepUp(c, more.Action, factorsFor(s.onward(c)))
	case errors.Is(err, multifactor.ErrName):
		return s.writeFactors(c.Status(http.StatusUnprocessableEntity), s.Language(c).T("problem.factor.name"))
	case errors.Is(err, multifactor.ErrTooMany):
		return s.writeFactors(c.Status(http.StatusUnprocessableEntity), s.Language(c).T("problem.factor.many"))
	case errors.Is(err, db.ErrNotFound):
		return c.Redirect(factorsPath, http.StatusSeeOther)
	}
	to := factorsPath + "?done=" + done
	if next := s.onward(c); next != "" {
		to += "&" + nextIs(next)
	}
	return orRedirect(c, ofPerson(err), to)
}

// factorAdded responds to a factor that was enrolled, whose proof the session holds now.
func (s *signIn) factorAdded(c *fiber.Ctx, err error, done string) error {
	if err == nil {
		err = s.RenewSession(c)
	}
	return s.factorsChanged(c, err, done)
}

type appPage struct {
	page.Base
	Seed, Kept, Name string
	Next             string // as on the page of factors
	QR               template.HTML
	URL              template.URL
}

// postApp begins to set up an authenticator app.
func (s *signIn) postApp(c *fiber.Ctx) error {
	a, err := s.directory.BeginApp(c.UserContext(), s.owner(c))
	if err != nil {
		return s.factorsChanged(c, err, "")
	}
	return s.writeApp(c, a, "", "")
}

func (s *signIn) writeApp(c *fiber.Ctx, a multifactor.NewApp, name, problem string) error {
	code, err := qrCode(a.URL)
	if err != nil {
		return err
	}
	p := appPage{
		Base: s.Base(c).WithField(), Seed: a.Seed, Kept: base64.RawURLEncoding.EncodeToString(a.Kept), Name: name, Next: s.onward(c), QR: code,
		URL: template.URL(a.URL), //nolint:gosec // otpauth:, made here
	}
	p.Problem = problem
	return s.Write(c, "account/app.html", p)
}

// postAppCode stores the app whose code is right.
func (s *signIn) postAppCode(c *fiber.Ctx) error {
	kept, name := bytesOf(c, "kept"), strings.TrimSpace(page.Form(c, "name"))
	v, err := s.directory.EnrollApp(c.UserContext(), s.owner(c), kept, name, page.Form(c, "totp"))
	if err != nil || v == multifactor.Right {
		return s.factorAdded(c, err, "app")
	}
	a, ok, err := s.directory.AgainApp(c.UserContext(), s.owner(c), kept)
	if err != nil {
		return s.factorsChanged(c, err, "")
	}
	l := s.Language(c)
	if !ok || v != multifactor.Wrong {
		return s.writeFactors(c.Status(http.StatusGone), l.T("problem.factor.late"))
	}
	problem := l.T("problem.app.wrong")
	if !multifactor.Fits(multifactor.TOTP, page.Form(c, "totp")) {
		problem = l.T("problem.shape.totp")
	}
	return s.writeApp(c.Status(http.StatusUnprocessableEntity), a, name, problem)
}

type recoveryPage struct {
	page.Base
	Codes []string
	Made  string // the day, on paper
}

// Others are none: another language would be another page, without the codes.
func (recoveryPage) Others() []string { return nil }

// postRecovery makes recovery codes and shows them, once.
func (s *signIn) postRecovery(c *fiber.Ctx) error {
	codes, err := s.directory.MakeRecovery(c.UserContext(), s.owner(c))
	if err != nil {
		return s.factorsChanged(c, err, "")
	}
	return s.Write(c, "account/recovery.html", recoveryPage{Base: s.Base(c), Codes: codes, Made: s.Now().UTC().Format(time.DateOnly)})
}

// postPasskey stores a passkey that the browser has made.
func (s *signIn) postPasskey(c *fiber.Ctx) error {
	if page.Form(c, "response") == "" { // the script fills it in
		return s.writeFactors(c.Status(http.StatusUnprocessableEntity), s.Language(c).T("passkey.script"))
	}
	v, err := s.directory.EnrollPasskey(c.UserContext(), s.owner(c), bytesOf(c, "kept"), []byte(page.Form(c, "response")), strings.TrimSpace(page.Form(c, "name")))
	if err != nil || v == multifactor.Right {
		return s.factorAdded(c, err, "passkey")
	}
	l := s.Language(c)
	switch v {
	case multifactor.Expired:
		return s.writeFactors(c.Status(http.StatusGone), l.T("problem.factor.late"))
	case multifactor.Spent:
		return s.writeFactors(c.Status(http.StatusConflict), l.T("problem.passkey.taken"))
	}
	return s.writeFactors(c.Status(http.StatusUnprocessableEntity), l.T("problem.passkey.wrong"))
}

// idOf is the row that a form is about, 0 for none.
func idOf(c *fiber.Ctx, name string) db.ID {
	n, _ := strconv.ParseInt(page.Form(c, name), 10, 64)
	return db.ID(n)
}

// ownFactor finds the authenticator of a form among all of the person's; its ID is 0 if it is
// none of theirs.
func (s *signIn) ownFactor(c *fiber.Ctx) (a multifactor.Authenticator, all []multifactor.Authenticator, err error) {
	f, err := s.directory.OwnFactors(c.UserContext(), s.owner(c))
	if i := slices.IndexFunc(f.Authenticators, func(a multifactor.Authenticator) bool { return a.ID == idOf(c, "factor") }); i >= 0 {
		a = f.Authenticators[i]
	}
	return a, f.Authenticators, err
}

type removeFactorPage struct {
	page.Base
	ID, Name string
	Last     bool // no second factor is left
}

// postRemoveFactor asks once, and then removes.
func (s *signIn) postRemoveFactor(c *fiber.Ctx) error {
	if page.Form(c, "sure") != "" {
		return s.factorsChanged(c, s.directory.RemoveFactor(c.UserContext(), s.owner(c), idOf(c, "factor")), "removed")
	}
	a, all, err := s.ownFactor(c)
	if err != nil || a.ID == 0 {
		return orRedirect(c, err, factorsPath)
	}
	left := slices.DeleteFunc(all, func(o multifactor.Authenticator) bool { return o.ID == a.ID })
	return s.Write(c, "account/remove_factor.html", removeFactorPage{
		Base: s.Base(c), ID: number(a.ID), Name: directory.Called(s.owner(c), a), Last: !multifactor.HasSecond(left),
	})
}

type renameFactorPage struct {
	page.Base
	ID, Kind, Name string
	Added          time.Time
}

// postRenameFactor asks for a name, and then gives it.
func (s *signIn) postRenameFactor(c *fiber.Ctx) error {
	name := strings.TrimSpace(page.Form(c, "name"))
	problem := ""
	if page.HasForm(c, "name") {
		err := s.directory.RenameFactor(c.UserContext(), s.owner(c), idOf(c, "factor"), name)
		if !errors.Is(err, multifactor.ErrName) {
			return s.factorsChanged(c, err, "renamed")
		}
		problem = s.Language(c).T("problem.factor.name")
		c.Status(http.StatusUnprocessableEntity)
	}
	a, _, err := s.ownFactor(c)
	if err != nil || a.ID == 0 {
		return orRedirect(c, err, factorsPath)
	}
	p := renameFactorPage{Base: s.Base(c).WithField(), ID: number(a.ID), Name: a.Name, Added: a.Added()}
	p.Kind, p.Problem = p.T("factor.name."+string(a.Kind)), problem
	if problem != "" {
		p.Name = name
	}
	return s.Write(c, "account/rename_factor.html", p)
}

func (s *signIn) postForgetDevice(c *fiber.Ctx) error {
	return s.factorsChanged(c, s.directory.ForgetDevice(c.UserContext(), s.owner(c), idOf(c, "device")), "forgotten")
}

type enrolmentPage struct {
	page.Base
	Action string
}

func (s *signIn) showEnrolmentLink(c *fiber.Ctx) error { return s.enrolmentLink(c, false) }
func (s *signIn) postEnrolmentLink(c *fiber.Ctx) error { return s.enrolmentLink(c, true) }

// enrolmentLink lets the person add a factor by an administrator's link.
func (s *signIn) enrolmentLink(c *fiber.Ctx, confirmed bool) error {
	token, _ := seal.ParseToken(c.Params("token"))
	good, err := s.directory.OpenEnrolmentLink(c.UserContext(), s.owner(c), token, confirmed)
	switch {
	case err != nil:
		return err
	case !good:
		return s.Say(c.Status(http.StatusGone), "enrolment.gone", factorsPath, "factors.title")
	case confirmed:
		return orRedirect(c, s.RenewSession(c), factorsPath+"?done=linked")
	}
	return s.Write(c, "account/enrolment.html", enrolmentPage{Base: s.Base(c), Action: "/account/factors/link/" + token.String()})
}

// passkeyBegin answers the sign-in page's script with what the browser needs to offer its
// passkeys. It says nothing about who has one.
func (s *signIn) passkeyBegin(c *fiber.Ctx) error {
	if !s.signin.Enrolled.HasPasskeys() {
		return door.Fail(http.StatusNotFound)
	}
	if c.Get("Sec-Fetch-Mode") == "navigate" { // the address of a passkey that was refused, once more
		return c.Redirect("/login", http.StatusSeeOther)
	}
	ceremony, err := s.signin.BeginPasskey(c.UserContext(), s.requester(c))
	if err != nil {
		return err
	}
	row := toRow(ceremony)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	return c.SendString(`{"options":` + row.Options + `,"kept":"` + row.Kept + `"}`)
}
