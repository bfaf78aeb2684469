// Package web serves people: the pages of signing in and of the own account, and the
// endpoints for proxies and probes.
//
// A handler reads input, calls one method below, and responds. Rules are in signin and
// directory, texts in the catalogue, the look in templates and static, and what all pages
// share in package page.
package web

import (
	"net/http"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/mailbox"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signkeys"
)

// Server holds what the pages need.
type Server struct {
	DB     *db.DB
	Signin *signin.Service
	Access *access.Service
	// Binding binds sessions to keys of their devices; nil: it does not.
	Binding   *access.Binding
	Directory *directory.Directory
	Discovery accounts.Discovery
	Keys      *signkeys.Ring
	// Providers are the names of the configured ones.
	Providers []string
	// Manual lets people choose the implementation.
	Manual bool
	// Mailbox is the local mailbox for the page /mailbox, nil if the page does
	// not exist.
	Mailbox *mailbox.Mailbox
	// Metrics serves /metrics, nil if it is served elsewhere.
	Metrics http.Handler
	// Bus returns an error if the bus is not connected; nil if there is no bus.
	Bus func() error
	// Submitted counts the verdicts of submitted codes and links.
	Submitted func(verdict string)
}

// signIn serves the pages of signing in, "it wasn't me" and signing out.
type signIn struct {
	*page.Site
	signin    *signin.Service
	access    *access.Service
	binding   *access.Binding
	directory *directory.Directory
	discovery accounts.Discovery
	manual    bool
	mailbox   bool // there is a page with the messages
	submitted func(verdict string)

	cached sync.Map // language to the rendered sign-in page
}

// account serves the pages of the own account.
type account struct {
	*page.Site
	directory *directory.Directory
	signin    *signin.Service
	access    *access.Service
	discovery accounts.Discovery
}

// local serves proxies, probes, verifiers of tokens, and requests from this machine.
type local struct {
	*page.Site
	db      *db.DB
	keys    *signkeys.Ring
	mailbox *mailbox.Mailbox
	metrics http.Handler
	bus     func() error
}

// Routes lists all routes of this package, with who may use each.
func (s *Server) Routes(site *page.Site) []page.Route {
	in := &signIn{Site: site, signin: s.Signin, access: s.Access, binding: s.Binding, directory: s.Directory, discovery: s.Discovery, manual: s.Manual, mailbox: s.Mailbox != nil, submitted: s.Submitted}
	own := &account{Site: site, directory: s.Directory, signin: s.Signin, access: s.Access, discovery: s.Discovery}
	if b := s.Binding; b != nil {
		site.Holds = func(id db.ID, cookie string) bool { return b.Holds(id, cookie, site.Now()) }
	}
	here := &local{Site: site, db: s.DB, keys: s.Keys, mailbox: s.Mailbox, metrics: s.Metrics, bus: s.Bus}
	all := []page.Route{
		page.Get("/", page.Anybody, in.showRoot),
		page.Get("/login", page.Anybody, in.showLogin),
		page.Post("/login", page.Anybody, in.postLogin),
		page.Get("/login/code", page.Anybody, in.showCode),
		page.Post("/login/code", page.Anybody, in.postCode),
		page.Get("/login/code/answer", page.Anybody, in.showAnswer),
		page.Post("/login/code/answer", page.Anybody, in.postAnswer),
		page.Post("/login/code/other", page.Anybody, in.postOther),
		page.Post("/login/resend", page.Anybody, in.postResend),
		page.Get("/login/link/:token", page.Anybody, in.openLink),
		page.Get("/login/link", page.Anybody, in.showLink),
		page.Post("/login/link", page.Anybody, in.postLink),
		page.Get("/login/not-me/:token", page.Anybody, in.showNotMe),
		page.Post("/login/not-me/:token", page.Anybody, in.postNotMe),
		page.Get("/login/first/:token", page.Anybody, in.showFirstAdmin),
		page.Post("/login/first/:token", page.Anybody, in.postFirstAdmin),
		page.Get("/login/choose", page.Anybody, in.showChoose),
		page.Post("/login/choose", page.Anybody, in.postChoose),
		page.Get("/login/leave/:trip", page.Anybody, in.showLeave),
		page.Get("/login/passkey", page.Anybody, in.passkeyBegin),
		page.Post("/login/passkey", page.Anybody, in.postPasskeyLogin),
		page.Post(access.BindPath, page.Anybody, in.postBind),
		page.Post(access.RefreshPath, page.Anybody, in.postRefresh),
		page.Post("/language", page.Anybody, in.postLanguage),
		page.Post("/logout", page.Anybody, in.postLogout),
		page.Get("/healthz", page.AnyHost, func(c *fiber.Ctx) error { return c.SendString("ok\n") }),
		page.Get("/readyz", page.AnyHost, here.ready),
		page.Get("/.well-known/jwks.json", page.AnyHost, here.showKeys),
	}
	all = append(all, accountRoutes(in, own)...)
	for _, name := range append(s.Providers, accounts.OpenID) { // accounts.OpenID: any issuer, to which ids lead
		if name != accounts.OpenID {
			all = append(all, page.Get("/login/"+name, page.Anybody, in.provider(name, in.showProvider)))
		}
		all = append(all,
			page.Get("/login/"+name+"/callback", page.Anybody, in.provider(name, in.showCallback)),
			page.Post("/login/"+name+"/callback", page.AnyOrigin, in.provider(name, in.postCallback)))
	}
	if s.Mailbox != nil {
		all = append(all, page.Get("/mailbox", page.ThisHost, here.showMailbox), page.Get("/mailbox/:number", page.ThisHost, here.showMail))
	}
	if s.Metrics != nil {
		all = append(all, page.Get("/metrics", page.ThisHost, here.showMetrics))
	}
	return all
}

// accountRoutes are those of the own account. What changes how a person signs in is with
// the pages of signing in.
func accountRoutes(in *signIn, own *account) []page.Route {
	return []page.Route{
		page.Get("/account", page.Person, own.showAccount),
		page.Post("/account/settings", page.Person, own.postSettings),
		page.Post("/account/sessions/end", page.Person, own.postEndSession),
		page.Get("/account/sessions/end-others", page.Person, own.showEndOthers),
		page.Post("/account/sessions/end-others", page.Person, own.postEndOthers),
		page.Get("/account/add", page.Person, in.showAdd),
		page.Post("/account/add", page.Person, in.postAdd),
		page.Post("/account/remove", page.Person, in.postRemove),
		page.Get("/account/merge", page.Person, in.showMerge),
		page.Post("/account/merge", page.Person, in.postMerge),
		page.Get("/account/undo/:token", page.Anybody, in.showUndo),
		page.Post("/account/undo/:token", page.Anybody, in.postUndo),
		page.Post("/account/username", page.Person, own.postUsername),
		page.Get("/account/factors", page.Person, in.showFactors),
		page.Post("/account/factors/app", page.Person, in.postApp),
		page.Post("/account/factors/app/code", page.Person, in.postAppCode),
		page.Post("/account/factors/recovery", page.Person, in.postRecovery),
		page.Post("/account/factors/passkey", page.Person, in.postPasskey),
		page.Post("/account/factors/remove", page.Person, in.postRemoveFactor),
		page.Post("/account/factors/rename", page.Person, in.postRenameFactor),
		page.Post("/account/factors/forget", page.Person, in.postForgetDevice),
		page.Get("/account/factors/link/:token", page.Person, in.showEnrolmentLink),
		page.Post("/account/factors/link/:token", page.Person, in.postEnrolmentLink),
		page.Get("/step-up", page.Person, in.showStepUp),
		page.Post("/step-up", page.Person, in.postStepUp),
		page.Get("/account/history", page.Person, own.showHistory),
		page.Get("/account/export", page.Person, own.export),
		page.Get("/account/delete", page.Person, own.showDelete),
		page.Post("/account/delete", page.Person, own.postDelete),
	}
}
