package door

import (
	"bytes"
	"net"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"
)

// MaxBody is the longest body of a request, in bytes. A longer one gets 413.
const MaxBody = maxBody

// Answers adds how problems are written that no handler has written: requests that the
// HTTP library refuses before any handler, and unknown paths. Each protocol adds its own,
// which returns nil for the paths of others. Where all do, the Answer of SetFallback
// writes them.
func (d *Door) Answers(choose func(*fiber.Ctx, *Problem) Answer) { d.choose = append(d.choose, choose) }

// writeUnhandled is WriteProblem for problems that no handler has written.
func (d *Door) writeUnhandled(c *fiber.Ctx, err error) error {
	answer, p := d.answer, problemOf(err)
	for _, choose := range d.choose {
		if own := choose(c, p); own != nil {
			answer = own
			break
		}
	}
	c.Response().SkipBody = c.Method() == fiber.MethodHead // which the HTTP library does not set where it refuses
	return d.WriteProblem(c, err, answer)
}

// Path is a request's path as it was sent, without its query. If the headers could not be
// read, it comes from the request line, of which it may be a part.
func Path(c *fiber.Ctx) string {
	if path := c.Path(); path != "/" {
		return path
	}
	if conn, ok := c.Context().Conn().(*lineConn); ok {
		if path := conn.path(); path != "" {
			return path
		}
	}
	return "/"
}

// AfterResponse runs fn once, after the first bytes of the response were written, or when
// the connection ends without a response. fn must not block.
func AfterResponse(c *fiber.Ctx, fn func()) {
	if conn, ok := c.Context().Conn().(*lineConn); ok {
		// One that still waits is of a pipelined request, whose response is written
		// together with this one's.
		if earlier := conn.then.Swap(&fn); earlier != nil {
			(*earlier)()
		}
	} else {
		fn()
	}
}

// lineListener accepts connections as lineConn.
type lineListener struct{ net.Listener }

// Accept waits for the next connection.
func (l lineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: conn}, nil
}

// lineConn keeps the first bytes of the current request: fasthttp drops the method and
// path of a request whose headers it cannot read.
type lineConn struct {
	net.Conn
	start [256]byte
	n     int
	// answered: the next bytes read begin another request.
	answered bool
	then     atomic.Pointer[func()] // runs after the response; see AfterResponse
}

// Read reads, and keeps the beginning of a request.
func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.answered && n > 0 {
		c.n, c.answered = 0, false
	}
	c.n += copy(c.start[c.n:], p[:n])
	return n, err
}

// Write writes a part of a response.
func (c *lineConn) Write(p []byte) (int, error) {
	c.answered = true
	n, err := c.Conn.Write(p)
	c.done()
	return n, err
}

// Close ends the connection.
func (c *lineConn) Close() error {
	c.done()
	return c.Conn.Close()
}

func (c *lineConn) done() {
	if then := c.then.Swap(nil); then != nil {
		(*then)()
	}
}

// path is the path in the request line (RFC 9112 3), "" if there is none.
func (c *lineConn) path() string {
	line, _, _ := bytes.Cut(bytes.TrimLeft(c.start[:c.n], "\r\n"), []byte("\n"))
	_, target, _ := bytes.Cut(line, []byte(" "))
	target, _, _ = bytes.Cut(target, []byte(" "))
	if _, rest, absolute := bytes.Cut(target, []byte("://")); absolute && target[0] != '/' {
		_, path, _ := bytes.Cut(rest, []byte("/"))
		target = append([]byte("/"), path...)
	}
	if end := bytes.IndexAny(target, "?#\r"); end >= 0 {
		target = target[:end]
	}
	return string(target)
}
