// Package sites finds the site that a request is for and what it requires. A site is an app
// on a host of its own, behind a proxy that asks /forward-auth for each request; it has rules
// for some of its paths.
//
// The proxy compares no path with a rule: it forwards the request to the app, and the app
// reads the path in its own way. So a path that can be read in several ways requires what
// all its readings do, or is refused, and is never public.
//
// The package knows neither sessions nor levels nor who is in a group, and reads no header:
// it is given what a trusted proxy says of a request.
package sites

import (
	"strings"

	"github.com/djauthy/djauthy/internal/config"
)

// Site is a site of the settings with its rules ready to be compared. It never changes.
type Site struct {
	config.Site
	rules []rule
	ready prepared
}

// Sites are all sites of the settings, and public_url's own origin, which is one without
// rules. They are safe for concurrent use.
type Sites struct {
	own    *Site
	listed []*Site
	at     map[place]*Site
}

// place is an origin in two parts: its scheme, and host[:port] as browsers write them.
type place struct{ scheme, host string }

func placeOf(origin string) place {
	scheme, host, _ := strings.Cut(origin, "://")
	return place{scheme, host}
}

// New makes the sites of the settings. public is public_url; both are as config.Load has
// checked them.
func New(public string, all []config.Site) *Sites {
	own := newSite(config.Site{Origin: public, User: "username"})
	s := &Sites{own: own, at: map[place]*Site{placeOf(public): own}}
	for _, settings := range all {
		site := newSite(settings)
		s.listed = append(s.listed, site)
		s.at[placeOf(site.Origin)] = site
	}
	return s
}

func newSite(settings config.Site) *Site {
	s := &Site{Site: settings}
	for _, r := range settings.Rules {
		s.rules = append(s.rules, newRule(r))
	}
	s.ready = prepare(s)
	return s
}

// Own is public_url's own origin as a site.
func (s *Sites) Own() *Site { return s.own }

// All are the sites of the settings in their order, without public_url's own origin.
func (s *Sites) All() []*Site { return s.listed }

// Find returns the site with an origin, also public_url's own. Capitals, a default port, a
// dot at the end of the host and a final slash make no difference; international names are
// compared in ASCII.
func (s *Sites) Find(origin string) (site *Site, found bool) {
	normal, err := config.ParseOrigin(origin)
	if err != nil {
		return nil, false
	}
	site, found = s.at[placeOf(normal)]
	return site, found
}

// FindAddress returns the site that an absolute address is at, also public_url's own, if it
// is an address as Read makes them: nothing else may be redirected to. So browsers read the
// address alike, and its origin is compared byte by byte.
func (s *Sites) FindAddress(address string) (site *Site, found bool) {
	scheme, rest, _ := strings.Cut(address, "://")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || len(address) > MaxAddress || !inAddress(rest[slash:]) {
		return nil, false
	}
	site, found = s.at[place{scheme, rest[:slash]}]
	return site, found
}

// MaxAddress is the longest address, in bytes, to which a person comes back.
const MaxAddress = 8 << 10

// inAddress reports whether a text consists of bytes that browsers send in the target of a
// request (RFC 9112 3.2), which has no fragment.
func inAddress(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}
