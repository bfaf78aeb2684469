package web

import (
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// wayBack is the way back that somebody asks for as a URI reference of this
// server, "" if there is none. One that is refused leaves a line in the log.
func (s *Server) wayBack(c *fiber.Ctx, asked string) string {
	if asked == "" {
		return ""
	}
	next, refusal := door.LocalPath(asked)
	if refusal != "" {
		if tell, left := s.drops.tell(s.DB.Now()); tell {
			s.Log.Warn("a way back was dropped", "request", s.door.RequestID(c), "why", refusal, "next", loggable(asked), "untold", left)
		}
	}
	return next
}

// leadsOut reports whether a way back leads to an app, which may redirect to
// another origin, and not to a page of the account.
func (s *Server) leadsOut(next string) bool { return next != "" && !s.own[pathOf(next)] }

// pathOf is the path of a local address, without query and fragment.
func pathOf(address string) string {
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		return address[:end]
	}
	return address
}

// loginFor is the address of the sign-in page that keeps a way back.
func loginFor(next string) string {
	if next == "" {
		return "/login"
	}
	return "/login?next=" + strings.ReplaceAll(url.QueryEscape(next), "+", "%20")
}

// query is the request's query as it was sent.
func query(c *fiber.Ctx) string {
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

const (
	dropLines = 20
	dropSpan  = time.Minute
)

// dropLog bounds the lines about dropped ways back, which any visitor can cause:
// dropLines in a dropSpan.
type dropLog struct {
	mu     sync.Mutex
	since  time.Time
	lines  int
	untold int // since the last line
}

// tell reports whether there is room for a line, and how many there was none for
// before it.
func (d *dropLog) tell(now time.Time) (ok bool, untold int) {
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
