// Package page is what all pages for people share: the layout and the templates, static
// files, error pages, who may see a page, and the session of a request.
//
// It has no page of its own. A page is a Route of a package above, whose handler reads
// input, calls one method below, and responds with Site.Write.
package page

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/words"
)

// Options are the operator's settings of pages.
type Options struct {
	PublicURL string
	Brand     Brand
}

// Brand is the name and look of the site.
type Brand struct {
	Name   string
	Logo   string // URL of the picture, or ""
	Accent string // #rrggbb, or ""
	// Help and Privacy are the addresses of pages that each page links to, or "".
	Help, Privacy string
	// LogoFile is the picture's file, read when the server starts.
	LogoFile string
}

// Site is what the pages of one server share.
type Site struct {
	Words    *words.Catalogue
	Sessions *session.Store
	Log      *slog.Logger
	Options  Options
	Now      func() time.Time
	Door     *door.Door
	// Holds reports whether the short-lived cookie of a bound session is good; nil: no session
	// is bound to a key of its device.
	Holds func(session db.ID, cookie string) bool
	// Elsewhere returns the local path that leads on to an absolute address where people may
	// come back to, or checks one that begins with LeadsToSite; "": they may not.
	Elsewhere func(address, bind string) string
	// OriginOf is the origin of the site to which such a path leads, or "".
	OriginOf func(next string) string

	views       *views
	files       *files
	drops       dropLog
	precompiled sync.Map        // form of a page to its words.Precompiled
	own         map[string]bool // paths of pages that redirect to no other origin
}

// Prepare reads the brand's files and makes the templates ready. It comes before every
// other method.
func (s *Site) Prepare() (err error) {
	if s.files, err = loadFiles(&s.Options.Brand); err != nil {
		return err
	}
	s.views = newViews()
	return nil
}

// Host is the public URL's host, without port.
func (s *Site) Host() string {
	u, err := url.Parse(s.Options.PublicURL)
	if err != nil {
		return s.Options.PublicURL
	}
	return u.Hostname()
}

// Open adds the routes of all packages and static files to the door, once. It remembers
// the paths of a person's pages, which redirect to no other origin. Routes that are added
// to the door before are not held to its host and origin.
func (s *Site) Open(routes ...Route) error {
	if s.own != nil {
		return errors.New("the pages of a site are opened once, all together")
	}
	routes = append(routes, Get("/static/:hash/:name", AnyHost, s.files.serve))
	s.own = map[string]bool{}
	for _, r := range routes {
		s.own[r.Path] = s.own[r.Path] || r.Who == Person
	}
	s.Door.SetFallback(s.showProblem)
	for _, r := range routes {
		switch {
		case r.Who == AnyOrigin:
			s.add(r, s.Door.OwnHost, door.FewFields)
		case !r.Who.checksHost():
			s.add(r, s.Door.SameOrigin)
		}
	}
	s.Door.App.Use(s.Door.OwnHost, s.Door.SameOrigin, door.FewFields) // also before paths that do not exist
	for _, r := range routes {
		if r.Who.checksHost() && r.Who != AnyOrigin {
			s.add(r)
		}
	}
	return nil
}

// add adds a route, with handlers that run before it.
func (s *Site) add(r Route, before ...fiber.Handler) {
	handlers := append(before, s.guard(r.Who, r.Handle))
	s.Door.App.Add(r.Method, r.Path, handlers...)
	if r.Method == http.MethodGet {
		s.Door.App.Add(http.MethodHead, r.Path, handlers...)
	}
}
