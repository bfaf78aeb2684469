package sites

import (
	"errors"
	"fmt"
	"strings"

	"github.com/djauthy/djauthy/internal/config"
)

// What a request can be refused for. Read adds a reason for the log, which holds nothing of
// the request.
var (
	// ErrNoSite: the host is that of no site. It has to be answered without a redirect.
	ErrNoSite = errors.New("the request is for no site")
	// ErrIncomplete: the proxy does not say enough of the request; its settings are at fault.
	ErrIncomplete = errors.New("the proxy leaves out what the request is")
	// ErrUnreadable: the request is malformed, or its path means too many things (400).
	ErrUnreadable = errors.New("the request cannot be read")
)

var errTarget = fmt.Errorf("%w: its target does not begin with a slash, or has a byte in it that no address has", ErrUnreadable)

// Request is a request for a site as a trusted proxy says it is: the values of single header
// lines, or "" where the line is missing.
type Request struct {
	Proto  string // X-Forwarded-Proto: http, https, or ws and wss for WebSockets, as Traefik writes them
	Host   string // X-Forwarded-Host: host[:port]
	URI    string // X-Forwarded-Uri: the target with its query, as the client sent it
	Method string // X-Forwarded-Method
}

// IsRepeatable reports whether a browser that was led away may come back by the request's
// address: another method loses the body. Without a method it is taken for GET.
func (r Request) IsRepeatable() bool {
	return r.Method == "" || r.Method == "GET" || r.Method == "HEAD"
}

// Target is what a request is for.
type Target struct {
	Site   *Site
	Access Access
	// Path is that of the request as the client sent it, without the query.
	Path string
	// Address leads back to it: the site's origin and the URI, byte by byte. It holds no
	// control character, space, # or byte that is not ASCII, and is safe in a Location header;
	// in HTML it has to be escaped. It is "" if it would be longer than MaxAddress, or if
	// the proxy says no URI.
	Address string
}

// Read says which site a request is for and what it requires. A request of which the proxy
// says neither host nor scheme is for public_url's own origin; there the URI may be missing,
// too. The error is ErrNoSite, ErrIncomplete or ErrUnreadable; with it the target is empty.
func (s *Sites) Read(r Request) (Target, error) {
	site, err := s.siteOf(r)
	switch {
	case err != nil:
		return Target{}, err
	case r.URI == "" && site == s.own:
		return Target{Site: site, Access: site.ready.none}, nil
	case r.URI == "":
		return Target{}, fmt.Errorf("%w: X-Forwarded-Uri is missing", ErrIncomplete)
	}
	access, err := site.Access(r.URI)
	if err != nil {
		return Target{}, err
	}
	path, _, _ := strings.Cut(r.URI, "?")
	address := ""
	if len(site.Origin)+len(r.URI) <= MaxAddress {
		address = site.Origin + r.URI
	}
	return Target{Site: site, Access: access, Path: path, Address: address}, nil
}

// siteOf is the site of a request by its scheme and host.
func (s *Sites) siteOf(r Request) (*Site, error) {
	scheme := schemeOf(r.Proto)
	switch {
	case r.Host == "" && r.Proto == "":
		return s.own, nil
	case r.Host == "":
		return nil, fmt.Errorf("%w: X-Forwarded-Host is missing", ErrIncomplete)
	case r.Proto == "":
		return nil, fmt.Errorf("%w: X-Forwarded-Proto is missing", ErrIncomplete)
	case scheme == "":
		return nil, fmt.Errorf("%w: X-Forwarded-Proto is none of http, https, ws and wss", ErrUnreadable)
	}
	if site, found := s.at[place{scheme, r.Host}]; found {
		return site, nil
	}
	origin, err := config.Origin(scheme, r.Host)
	if err != nil {
		return nil, fmt.Errorf("%w: X-Forwarded-Host is no host", ErrNoSite)
	}
	if site, found := s.at[placeOf(origin)]; found {
		return site, nil
	}
	return nil, fmt.Errorf("%w: X-Forwarded-Proto and -Host are the origin of none", ErrNoSite)
}

// schemeOf is the scheme of the origin (RFC 6455 3, 4.1), or "".
func schemeOf(proto string) string {
	switch strings.ToLower(proto) {
	case "https", "wss":
		return "https"
	case "http", "ws":
		return "http"
	}
	return ""
}

// Access is what the target of a request at the site requires: a path with its escapes, and a
// query, which makes no difference. It is ErrUnreadable if it is none or if, where there is a
// rule, its path can be read in too many ways.
func (s *Site) Access(target string) (Access, error) {
	if !strings.HasPrefix(target, "/") || !inAddress(target) {
		return Access{}, errTarget
	}
	path, _, _ := strings.Cut(target, "?")
	switch {
	case len(s.rules) == 0:
		return s.ready.none, nil
	case isPlain(path):
		return s.oneReading(path), nil
	}
	all, err := readings(path)
	switch {
	case err != nil:
		return Access{}, err
	case len(all) == 1:
		return s.oneReading(all[0]), nil
	}
	return s.manyReadings(all), nil
}
