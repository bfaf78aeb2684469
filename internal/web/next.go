package web

import (
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
			s.Log.Warn("a way back was dropped", "request", s.door.RequestID(c), "why", refusal, "next", pathOf(asked), "untold", left)
		}
	}
	return next
}

// query is the request's query as it was sent.
func query(c *fiber.Ctx) string {
	_, query, _ := strings.Cut(c.OriginalURL(), "?")
	return query
}

// pathOf is the beginning of an address for the log. What stands in a query may
// be secret.
func pathOf(address string) string {
	const most = 100
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		address = address[:end]
	}
	if len(address) > most {
		address = address[:most] + "…"
	}
	return strings.ToValidUTF8(address, "\ufffd")
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
