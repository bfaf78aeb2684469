// Package web serves people: the pages of signing in and of the own account,
// and the session check that proxies ask for.
//
// A handler reads input, calls one method below, and answers. Rules live in
// signin; words in the catalogue; looks in templates and static.
package web

import (
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/mailbox"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/words"
)

// Server holds what the handlers need.
type Server struct {
	DB        *db.DB
	Signin    *signin.Service
	Directory *directory.Directory
	Discovery accounts.Discovery
	Words     *words.Catalogue
	Log       *slog.Logger
	Options   Options
	// Mailbox is the local mailbox for the page /mailbox, nil if the page does
	// not exist.
	Mailbox *mailbox.Mailbox
	// Metrics answers /metrics, nil if it is served elsewhere.
	Metrics http.Handler
	// Bus reports that the bus is away, nil if there is none.
	Bus func() error
	// Answered counts what people's answers led to.
	Answered func(verdict string)

	door        *door.Door
	views       *views
	files       *files
	boxes       sync.Map // language to the plain sign-in page
	precompiled sync.Map // form of the code page to its words.Precompiled
	drops       dropLog
	own         map[string]bool // paths of pages that redirect to no other origin
	host        string          // of the public URL, without port
}

// Options are what an operator decides about pages.
type Options struct {
	PublicURL string
	Manual    bool // people choose the implementation
	Brand     Brand
}

// Brand is how the site calls and shows itself.
type Brand struct {
	Name   string
	Logo   string // URL of the picture, or ""
	Accent string // #rrggbb, or ""
	// LogoFile is the picture's file, read at the start.
	LogoFile string
}

// who may use a route. Its zero value is nobody, so that a route added without
// a thought is closed.
type who int

const (
	nobody who = iota
	anybody
	anyHost  // anybody, by whatever name the server was reached
	person   // who is signed in; others are led to /login
	thisHost // a peer at this machine, not through a proxy
)

// checksHost reports whether the server has to be reached by its own name. What
// does not say otherwise is checked.
func (w who) checksHost() bool { return w != anyHost && w != thisHost }

// Open adds the pages to a door.
func (s *Server) Open(d *door.Door) error {
	public, err := url.Parse(s.Options.PublicURL)
	if err != nil {
		return err
	}
	s.host = public.Hostname()
	if s.files, err = loadFiles(&s.Options.Brand); err != nil {
		return err
	}
	s.views = newViews(s.Words, s.constants())
	s.door = d
	s.door.SetFallback(s.showProblem)
	routes := s.routes()
	s.own = map[string]bool{}
	for _, r := range routes {
		s.own[r.path] = s.own[r.path] || r.who == person
	}
	for _, r := range routes {
		if !r.who.checksHost() {
			s.add(r, s.door.SameOrigin)
		}
	}
	s.door.App.Use(s.door.OwnHost, s.door.SameOrigin, door.FewFields) // also before paths that do not exist
	for _, r := range routes {
		if r.who.checksHost() {
			s.add(r)
		}
	}
	return nil
}

// add adds a route and what comes before it.
func (s *Server) add(r route, before ...fiber.Handler) {
	handlers := append(before, s.guard(r.who, r.handle))
	s.door.App.Add(r.method, r.path, handlers...)
	if r.method == http.MethodGet {
		s.door.App.Add(http.MethodHead, r.path, handlers...)
	}
}

type route struct {
	method, path string
	who          who
	handle       fiber.Handler
}

// routes lists every way in. It is the whole map of this door.
func (s *Server) routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	all := []route{
		{get, "/", anybody, s.showRoot},
		{get, "/login", anybody, s.showLogin},
		{post, "/login", anybody, s.postLogin},
		{get, "/login/code", anybody, s.showCode},
		{post, "/login/code", anybody, s.postCode},
		{post, "/login/resend", anybody, s.postResend},
		{get, "/login/link/:token", anybody, s.openLink},
		{get, "/login/link", anybody, s.showLink},
		{post, "/login/link", anybody, s.postLink},
		{get, "/login/not-me/:token", anybody, s.showNotMe},
		{post, "/login/not-me/:token", anybody, s.postNotMe},
		{get, "/login/first/:token", anybody, s.showFirst},
		{post, "/login/first/:token", anybody, s.postFirst},
		{post, "/logout", anybody, s.postLogout},
		{get, "/account", person, s.showAccount},
		{post, "/account/settings", person, s.postSettings},
		{post, "/account/sessions/end", person, s.postEndSession},
		{get, "/account/sessions/end-others", person, s.showEndOthers},
		{post, "/account/sessions/end-others", person, s.postEndOthers},
		{get, "/account/history", person, s.showHistory},
		{get, "/account/export", person, s.export},
		{get, "/account/delete", person, s.showDelete},
		{post, "/account/delete", person, s.postDelete},
		{get, "/forward-auth", anyHost, s.forwardAuth},
		{get, "/static/:hash/:name", anyHost, s.files.serve},
		{get, "/healthz", anyHost, func(c *fiber.Ctx) error { return c.SendString("ok\n") }},
		{get, "/readyz", anyHost, s.ready},
	}
	if s.Mailbox != nil {
		all = append(all, route{get, "/mailbox", thisHost, s.showMailbox})
	}
	if s.Metrics != nil {
		all = append(all, route{get, "/metrics", thisHost, s.metrics})
	}
	return all
}

// guard lets through who may.
func (s *Server) guard(w who, handle fiber.Handler) fiber.Handler {
	switch w {
	case anybody, anyHost:
		return handle
	case person:
		return func(c *fiber.Ctx) error {
			sess, err := s.session(c)
			if err != nil {
				return err
			}
			if sess.ID == 0 {
				return s.toLogin(c)
			}
			return handle(c)
		}
	case thisHost:
		return func(c *fiber.Ctx) error {
			if !s.door.AtThisMachine(c) {
				return door.Fail(http.StatusNotFound)
			}
			return handle(c)
		}
	}
	return func(*fiber.Ctx) error { return door.Fail(http.StatusForbidden) }
}

// ready reports whether the database answers and takes writes, and whether the bus, if
// there is one, is connected.
func (s *Server) ready(c *fiber.Ctx) error {
	err := s.DB.Ready(c.UserContext())
	if err == nil && s.Bus != nil {
		err = s.Bus()
	}
	if err != nil {
		return &door.Problem{Status: http.StatusServiceUnavailable, Key: "down", Wait: 5 * time.Second, Cause: err}
	}
	return c.SendString("ready\n")
}
