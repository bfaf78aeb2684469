package door

import (
	"bytes"
	"net"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"
)

// MaxBody is the longest body of a request, in bytes. A longer one is 413.
const MaxBody = maxBody

// Answers sets how problems are told where no handler has told them: what the HTTP
// library refuses before any handler, and paths that nobody serves. choose returns nil
// for what is told as SetFallback says.
func (d *Door) Answers(choose func(*fiber.Ctx, *Problem) Answer) { d.choose = choose }

// tellUnhandled is Tell for problems that no handler has told.
func (d *Door) tellUnhandled(c *fiber.Ctx, err error) error {
	answer, p := d.answer, problemOf(err)
	if d.choose != nil {
		if other := d.choose(c, p); other != nil {
			answer = other
		}
	}
	c.Response().SkipBody = c.Method() == fiber.MethodHead // the HTTP library forgets it of what it refuses
	return d.WriteProblem(c, err, answer)
}

// Path is a request's path as it was sent, without its query. Where the headers could
// not be read it is the first line's, which may be cut short.
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

// AfterResponse runs fn, once, when the first bytes of the answer to the request have been
// written, or its connection has ended without. It must not wait for anything.
func AfterResponse(c *fiber.Ctx, fn func()) {
	if conn, ok := c.Context().Conn().(*lineConn); ok {
		// One that waits still is of a request whose answer goes out with this one's.
		if earlier := conn.then.Swap(&fn); earlier != nil {
			(*earlier)()
		}
	} else {
		fn()
	}
}

// lineListener gives connections that remember how their request begins.
type lineListener struct{ net.Listener }

// Accept waits for the next connection.
func (l lineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: conn}, nil
}

// lineConn remembers how the request begins that is being read: fasthttp forgets method
// and path of a request whose headers it cannot read.
type lineConn struct {
	net.Conn
	start [256]byte
	n     int
	// answered: what is read next begins another request.
	answered bool
	then     atomic.Pointer[func()] // what is done once it is
}

// Read reads, and remembers the beginning of a request.
func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.answered && n > 0 {
		c.n, c.answered = 0, false
	}
	c.n += copy(c.start[c.n:], p[:n])
	return n, err
}

// Write answers a request.
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

// path is that of the request's first line (RFC 9112 3), "" if there is none.
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
