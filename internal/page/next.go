package page

import (
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// WayBack is the requested way back as a URI reference of this server, "" if there is none. An
// address of a site on another host becomes the path that leads there.
// A refused one is logged.
func (s *Site) WayBack(c *fiber.Ctx, requested string) string {
	return s.WayBackBy(c, requested, "")
}

// WayBackBy is WayBack with what a hand-off to a site is bound to.
func (s *Site) WayBackBy(c *fiber.Ctx, requested, bind string) string {
	if requested == "" {
		return ""
	}
	if s.Elsewhere != nil && (strings.HasPrefix(requested, "http") || strings.HasPrefix(requested, LeadsToSite)) {
		if local := s.Elsewhere(requested, bind); local != "" {
			return local
		}
	}
	next, refusal := door.LocalPath(requested)
	if refusal != "" {
		if ok, left := s.drops.admit(s.Now()); ok {
			s.Log.Warn("a way back was dropped", "request", s.Door.RequestID(c), "why", refusal, "next", loggable(requested), "untold", left)
		}
	}
	return next
}

// LeadsToSite begins the local path that leads on to a site on another host.
const LeadsToSite = "/login/site?"

// SiteOrigin is the origin of the site on another host to which a way back leads, or "".
func (s *Site) SiteOrigin(next string) string {
	if s.OriginOf == nil || !strings.HasPrefix(next, LeadsToSite) {
		return ""
	}
	return s.OriginOf(next)
}

// LeadsOut reports whether a way back leads to an app, which may redirect to
// another origin, and not to a page of the account.
func (s *Site) LeadsOut(next string) bool { return next != "" && !s.own[pathOf(next)] }

// pathOf is the path of a local address, without query and fragment.
func pathOf(address string) string {
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		return address[:end]
	}
	return address
}

// LoginFor is the address of the sign-in page that keeps a way back.
func LoginFor(next string) string {
	if next == "" {
		return "/login"
	}
	return "/login?next=" + strings.ReplaceAll(url.QueryEscape(next), "+", "%20")
}

// Escaped is a text for a query. Slashes and colons stay, for those who read addresses.
func Escaped(text string) string {
	return escapes.Replace(url.QueryEscape(text))
}

var escapes = strings.NewReplacer("+", "%20", "%2F", "/", "%3A", ":")

// StepUp is the address of a step-up for levels and actions that leads back to next. way
// chooses a way, "" leaves the choice.
func StepUp(levels, actions []string, way, next string) string {
	var query []string
	for _, name := range levels {
		query = append(query, "level="+url.QueryEscape(name))
	}
	for _, name := range actions {
		query = append(query, "action="+url.QueryEscape(name))
	}
	if way != "" {
		query = append(query, "way="+url.QueryEscape(way))
	}
	if next != "" {
		query = append(query, "next="+strings.ReplaceAll(url.QueryEscape(next), "+", "%20"))
	}
	if len(query) == 0 {
		return "/step-up"
	}
	return "/step-up?" + strings.Join(query, "&")
}

// Query is the request's query as it was sent.
func Query(c *fiber.Ctx) string {
	_, query, _ := strings.Cut(c.OriginalURL(), "?")
	return query
}

// loggable is the beginning of an address for the log, without its query, which
// may hold secrets of an app.
func loggable(address string) string {
	const most = 100
	path := pathOf(address)
	if len(path) > most {
		path = path[:most] + "…"
	}
	return strings.ToValidUTF8(path, "\ufffd")
}

// LostCookie is the value of done by which the sign-in page says that a cookie was lost.
const LostCookie = "no_cookies"

// signInURL is the sign-in page for a browser without a session, which is to come back to
// next. If it comes from where the session began, its cookie is lost.
func (s *Site) signInURL(c *fiber.Ctx, next string) string {
	query := url.Values{"next": {next}}
	from := s.Door.Referer(c)
	if s.Door.Cookie(c, door.SessionCookie) == "" && (from == "/login/code" || from == "/login/link") {
		query.Set("done", LostCookie)
	}
	return "/login?" + query.Encode()
}

const (
	dropLines = 20
	dropSpan  = time.Minute
)

// dropLog bounds the log lines about dropped ways back, which any visitor can cause, to
// dropLines per dropSpan.
type dropLog struct {
	mu     sync.Mutex
	since  time.Time
	lines  int
	untold int // lines left out since the last one
}

// admit reports whether there is room for a line, and how many were left out before it.
func (d *dropLog) admit(now time.Time) (ok bool, untold int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.since) >= dropSpan {
		d.since, d.lines = now, 0
	}
	if d.lines == dropLines {
		d.untold++
		return false, 0
	}
	d.lines++
	untold, d.untold = d.untold, 0
	return true, untold
}
