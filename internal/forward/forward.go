// Package forward answers proxies in front of apps, which ask for each request who its visitor
// is, and hands sessions over to the hosts of the apps.
//
// What a site requires is in sites, whether a visitor may is in access. Pages for people are in
// package web.
package forward

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signkeys"
	"github.com/djauthy/djauthy/internal/sites"
)

// Server holds what the routes need.
type Server struct {
	Access *access.Service
	Sites  *sites.Sites
	Keys   *signkeys.Ring
}

// forward answers proxies in front of apps, and hands sessions over to their hosts.
type forward struct {
	*page.Site
	access     *access.Service
	sites      *sites.Sites
	assertions *assertions
	noReply    string // the end of an address for who has none
}

// Routes lists the routes of this package. It has the site lead people back to addresses of
// sites.
func (s *Server) Routes(site *page.Site) []page.Route {
	f := &forward{Site: site, access: s.Access, sites: s.Sites, assertions: newAssertions(s.Keys, site.Options.PublicURL), noReply: "@noreply." + site.Host()}
	site.Elsewhere, site.OriginOf = f.elsewhere, f.originOf
	site.Door.Answers(f.answer)
	return []page.Route{
		page.Get(path, page.AnyHost, f.auth),
		page.Get("/login/site", page.Anybody, f.toSite),
	}
}

// path is where proxies ask.
const path = "/forward-auth"

// answer is how problems there are written: the proxy may show the page under another host.
func (f *forward) answer(c *fiber.Ctx, _ *door.Problem) door.Answer {
	if door.Path(c) != path {
		return nil
	}
	return func(c *fiber.Ctx, p *door.Problem) error {
		said, err := f.Door.ForwardedRequest(c)
		site, found := f.sites.Find(said.Proto + "://" + said.Host)
		if err != nil || said.Host != "" && !(found && site == f.sites.Own()) {
			door.ForOtherHost(c)
		}
		return f.ShowDetached(c, p)
	}
}

// visit is one question of a proxy.
type visit struct {
	request sites.Request
	target  sites.Target
	own     bool   // it is about public_url's own host
	origin  string // of the site
}

// auth answers a proxy that asks who its visitor is: 200 with identity headers, 302 where a
// person has to sign in or prove more, 403 for who is not let in, 401 for anything else.
func (f *forward) auth(c *fiber.Ctx) error {
	v, err := f.read(c)
	if err != nil {
		return err
	}
	switch path := v.target.Path; {
	case path == "/.djauthy/enter":
		return f.enter(c, v)
	case path == "/.djauthy/leave":
		return f.leave(c, v)
	case strings.HasPrefix(path, "/.djauthy/"): // not the app's, whatever the proxy makes of it
		return door.Fail(http.StatusNotFound)
	}
	ask := access.Visit{Levels: v.target.Access.Levels, Groups: v.target.Access.Groups}
	if v.own {
		ask.Cookie = f.SessionToken(c)
	} else {
		ask.Cookie, ask.Origin = door.SiteToken(c, door.SiteCookie, v.origin), v.origin
	}
	if level := c.Query("level"); level != "" {
		ask.Levels = append([]string{level}, ask.Levels...)
	}
	who, err := f.access.AtSite(c.UserContext(), ask)
	switch {
	case err != nil:
		return err
	case v.target.Access.Public:
		return f.identify(c, v, who)
	case who.Session.ID == 0:
		return f.toSignIn(c, v)
	case !who.Known || !who.Member: // a rule that names an unknown level lets nobody in
		return door.Fail(http.StatusForbidden)
	case !who.Decision.Allowed:
		return f.toStepUp(c, v, who.Asks)
	}
	return f.identify(c, v, who)
}

// read says what a proxy asks about.
func (f *forward) read(c *fiber.Ctx) (v visit, err error) {
	if err := f.believes(c); err != nil {
		return v, err
	}
	said, err := f.Door.ForwardedRequest(c)
	if err != nil {
		return v, err
	}
	v.request = sites.Request(said)
	v.target, err = f.sites.Read(v.request)
	switch {
	case errors.Is(err, sites.ErrNoSite):
		f.Door.WarnOnce("site "+said.Host, "a proxy asks about a host that is no [[site]] of the settings", "proto", door.Readable(said.Proto), "host", door.Readable(said.Host))
		return v, &door.Problem{Status: http.StatusMisdirectedRequest, Key: "no_site"}
	case errors.Is(err, sites.ErrIncomplete):
		f.Door.WarnOnce(err.Error(), "a proxy does not say enough of a request; see docs/sites.md", "why", err)
		return v, door.Fail(http.StatusBadRequest)
	case err != nil: // by a visitor
		return v, door.Fail(http.StatusBadRequest)
	}
	if v.own = v.target.Site == f.sites.Own(); !v.own {
		door.ForOtherHost(c)
	}
	v.origin = v.target.Site.Origin
	return v, nil
}

// back is the address to which a person comes back: that which they asked for, or the site's
// beginning where another method would lose its body. Of public_url's own host it is the
// path: what the beginning of an app there is, nobody says.
func (v visit) back() string {
	switch {
	case v.own:
		return v.request.URI
	case v.target.Address == "" || !v.request.IsRepeatable():
		return v.origin + "/"
	}
	return v.target.Address
}

// toSignIn leads a person to the sign-in page, and gives their browser at the site what the
// hand-off is bound to.
func (f *forward) toSignIn(c *fiber.Ctx, v visit) error {
	if !door.IsNavigation(c) {
		return door.Fail(http.StatusUnauthorized)
	}
	to := f.Options.PublicURL + "/login"
	switch back := v.back(); {
	case !v.own:
		to += "?next=" + page.Escaped(back) + "&bind=" + f.bind(c, v.origin)
	case back != "":
		to += "?next=" + back // as it is: see door.RequestedNext
	}
	return c.Redirect(to, http.StatusFound)
}

// enterLife is how long a browser keeps what a hand-off is bound to: as long as a sign-in may
// take.
const enterLife = 24 * time.Hour

// bind returns the hash of what the browser keeps at a site, which it is given if it has none.
func (f *forward) bind(c *fiber.Ctx, origin string) string {
	kept := seal.NewToken(int64(binary.BigEndian.Uint64(seal.Random(8)) >> 1)) // the number is in the cookie's name
	if all := door.EnterTokens(c, origin); len(all) > 0 {
		kept = all[0]
	}
	door.SetEnterToken(c, kept, origin, enterLife) // again, too: it is to live as long as this sign-in
	return base64.RawURLEncoding.EncodeToString(bindOf(kept))
}

func bindOf(kept seal.Token) []byte {
	sum := sha256.Sum256([]byte(kept.String()))
	return sum[:]
}

// toStepUp leads a person to prove more, and back.
func (f *forward) toStepUp(c *fiber.Ctx, v visit, levels []string) error {
	if !door.IsNavigation(c) {
		return door.Fail(http.StatusUnauthorized)
	}
	next := v.back()
	if !v.own { // by the hand-off, which leads there again
		next = handOver(next, f.bind(c, v.origin))
	}
	return c.Redirect(f.Options.PublicURL+page.StepUp(levels, nil, "", next), http.StatusFound)
}

// anonymous is what a visitor of a public path is called. No user has the name.
const anonymous = "anonymous"

// identify lets a visitor in, with headers that say who they are. All are always set and never
// empty, so that a proxy which copies them replaces those that a visitor invented: Caddy
// skips an empty one and forwards the visitor's. A proxy that cannot take djauthy's cookies
// out of a request asks with ?cookies=app: then the header Cookie has the others.
func (f *forward) identify(c *fiber.Ctx, v visit, who access.Visitor) error {
	id := identity{session: who.Session.ID, User: anonymous, Email: anonymous + f.noReply, Name: anonymous, Groups: []string{anonymous}, Subject: anonymous}
	if u := who.Session.User; who.Session.ID != 0 {
		id.User, id.Email = u.Username, cmp.Or(u.Email, u.Username+f.noReply)
		id.Name, id.Subject = cmp.Or(u.Name(), u.Username), strconv.FormatInt(int64(u.ID), 10)
		id.Groups = append([]string{accounts.Everybody}, who.Groups...)
		if v.target.Site.User == "email" {
			id.User = id.Email
		}
	}
	signed, err := f.assertions.sign(c.UserContext(), v.origin, id, f.Now())
	if err != nil {
		return err
	}
	h := &c.Response().Header
	h.Set("Remote-User", id.User)
	h.Set("Remote-Email", id.Email)
	h.Set("Remote-Name", mime.QEncoding.Encode("utf-8", id.Name))
	h.Set("Remote-Groups", strings.Join(id.Groups, ","))
	h.Set("X-Djauthy-Jwt-Assertion", signed)
	if c.Query("cookies") == "app" && !v.own { // on the own host a script could read there what it may not
		if others := door.OtherCookies(c); others != "" {
			h.Set(fiber.HeaderCookie, others)
		}
	}
	return nil
}

// enter takes a session over at the site, or begins to.
func (f *forward) enter(c *fiber.Ctx, v visit) error {
	if v.own {
		return door.Fail(http.StatusNotFound)
	}
	_, query, _ := strings.Cut(v.request.URI, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return door.Fail(http.StatusBadRequest)
	}
	if values.Get("code") == "" { // the browser has nothing at the site to bind the hand-off to
		to := values.Get("to")
		if site, found := f.sites.FindAddress(to); !found || site.Origin != v.origin {
			to = v.origin + "/"
		}
		return c.Redirect(f.Options.PublicURL+handOver(to, f.bind(c, v.origin)), http.StatusFound)
	}
	code, _ := seal.ParseToken(values.Get("code"))
	var browser [][]byte
	for _, kept := range door.EnterTokens(c, v.origin) {
		browser = append(browser, bindOf(kept))
	}
	entered, err := f.access.EnterSite(c.UserContext(), code, v.origin, browser)
	if err != nil {
		return err
	}
	if !entered.OK {
		return door.Fail(http.StatusForbidden)
	}
	door.SetSiteCookie(c, door.SiteCookie, entered.Cookie.String(), v.origin, entered.Session.Expires.Sub(f.Now()))
	c.Set("Referrer-Policy", "no-referrer")
	return c.Redirect(entered.Address, http.StatusFound)
}

// leave ends the session at the site alone, after a button.
func (f *forward) leave(c *fiber.Ctx, v visit) error {
	if v.own {
		return door.Fail(http.StatusNotFound)
	}
	if v.request.Method != http.MethodPost { // not 200, by which proxies would let the request in
		_, host, _ := strings.Cut(v.origin, "://")
		return f.Write(c.Status(http.StatusForbidden), "signin/leave_site.html", leavePage{f.DetachedBase(c), host})
	}
	if from := c.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" {
		return door.Fail(http.StatusForbidden)
	}
	if err := f.access.LeaveSite(c.UserContext(), door.SiteToken(c, door.SiteCookie, v.origin), v.origin); err != nil {
		return err
	}
	door.SetSiteCookie(c, door.SiteCookie, "", v.origin, -1)
	return c.Redirect(f.Options.PublicURL+"/account", http.StatusSeeOther) // the site would lead straight back in
}

type leavePage struct {
	page.Base
	Host string
}

// handOver is the local address that leads on to a site.
func handOver(address, bind string) string {
	return page.LeadsToSite + "bind=" + bind + "&to=" + page.Escaped(address)
}

func isBind(text string) bool {
	sum, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(sum) == sha256.Size
}

// originOf is the origin of the site to which a local address hands the session over, or "".
func (f *forward) originOf(next string) string {
	query, found := strings.CutPrefix(next, page.LeadsToSite)
	values, err := url.ParseQuery(query)
	if !found || err != nil {
		return ""
	}
	site, found := f.sites.FindAddress(values.Get("to"))
	if !found {
		return ""
	}
	return site.Origin
}

// elsewhere is the local path that leads on to an address of a site, "" if it is none.
func (f *forward) elsewhere(address, bind string) string {
	if !isBind(bind) {
		bind = ""
	}
	if query, found := strings.CutPrefix(address, page.LeadsToSite); found {
		values, err := url.ParseQuery(query)
		if err != nil {
			return ""
		}
		if address = values.Get("to"); isBind(values.Get("bind")) {
			bind = values.Get("bind")
		}
	}
	site, found := f.sites.FindAddress(address)
	switch {
	case !found:
		return ""
	case site == f.sites.Own():
		path, _ := door.LocalPath(strings.TrimPrefix(address, site.Origin))
		return path
	}
	return handOver(address, bind)
}

// toSite hands the session over to a site: it leads to the site with a code.
func (f *forward) toSite(c *fiber.Ctx) error {
	to, bind := c.Query("to"), c.Query("bind")
	site, found := f.sites.FindAddress(to)
	if !found || site == f.sites.Own() {
		return c.Redirect("/account", http.StatusSeeOther)
	}
	sum, err := base64.RawURLEncoding.DecodeString(bind)
	if err != nil || len(sum) != sha256.Size {
		return c.Redirect(site.Origin+"/.djauthy/enter?to="+page.Escaped(to), http.StatusSeeOther)
	}
	code, ok, err := f.access.Handoff(c.UserContext(), f.SessionToken(c), session.Handoff{Origin: site.Origin, Browser: sum, Address: to})
	if err != nil {
		return err
	}
	if !ok {
		return c.Redirect(page.LoginFor(handOver(to, bind)), http.StatusSeeOther)
	}
	return c.Redirect(site.Origin+"/.djauthy/enter?code="+code.String(), http.StatusSeeOther)
}
