package door

import (
	"bufio"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Stream sends what fn writes after the handler has returned, of unknown length. HTTP/1.1
// gets it in chunks; an HTTP/1.0 client, such as nginx as a proxy by default, does not know
// them (RFC 9112 7.1): there the end of the connection is the end of the body. HEAD gets the
// same headers, and fn is not called.
func Stream(c *fiber.Ctx, fn func(w *bufio.Writer)) {
	header := &c.Response().Header
	old, head := !c.Request().Header.IsHTTP11(), c.Method() == fiber.MethodHead
	switch {
	case old:
		header.SetContentLength(-2) // until the connection is closed
	case head:
		header.SetContentLength(-1) // in chunks
	}
	switch {
	case head:
	case old:
		text := header.AppendBytes(nil)
		c.Context().HijackSetNoResponse(true)
		c.Context().Hijack(func(conn net.Conn) { writeUntilClosed(conn, text, fn) })
	default:
		c.Context().SetBodyStreamWriter(fn)
	}
}

// writeUntilClosed writes a response without a length. The caller closes the connection.
func writeUntilClosed(conn net.Conn, header []byte, fn func(w *bufio.Writer)) {
	if err := conn.SetWriteDeadline(time.Now().Add(readLimit)); err != nil {
		return
	}
	w := bufio.NewWriter(conn)
	if _, err := w.Write(header); err != nil {
		return
	}
	fn(w)
	_ = w.Flush() // an error means that the client is gone
}
