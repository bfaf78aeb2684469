package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/djauthy/djauthy/internal/db"
)

// A Problem is an error response: a status and the key of its texts.
type Problem struct {
	Status int
	// Key names the texts error.KEY.heading and error.KEY.text.
	Key string
	// Link is where to go on, an absolute URL; "": the sign-in page.
	Link string
	// Wait is when to try again, for Retry-After; 0: no such header.
	Wait time.Duration
	// Cause is for the log alone; nobody outside sees it.
	Cause error
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %v", p.Status, p.Key, p.Cause) }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

var keys = map[int]string{
	http.StatusBadRequest: "bad_request", http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "forbidden",
	http.StatusNotFound: "not_found", http.StatusMethodNotAllowed: "method", http.StatusRequestEntityTooLarge: "too_large",
	http.StatusRequestHeaderFieldsTooLarge: "head_too_large", http.StatusTooManyRequests: "too_many",
	http.StatusUnsupportedMediaType: "packed", http.StatusMisdirectedRequest: "wrong_address", http.StatusInternalServerError: "internal", http.StatusServiceUnavailable: "down",
}

// Fail is the problem of a status.
func Fail(status int) *Problem {
	key, ok := keys[status]
	if !ok {
		key = "bad_request"
	}
	return &Problem{Status: status, Key: key}
}

// downFor is what Retry-After says when the database does not answer.
const downFor = 5 * time.Second

// problemOf finds the problem behind an error.
func problemOf(err error) *Problem {
	var p *Problem
	var fe *fiber.Error
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &fe):
		return Fail(fe.Code)
	case errors.As(err, &small):
		return Fail(http.StatusRequestHeaderFieldsTooLarge)
	case db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded):
		return &Problem{Status: http.StatusServiceUnavailable, Key: "down", Wait: downFor, Cause: err}
	}
	return &Problem{Status: http.StatusInternalServerError, Key: "internal", Cause: err}
}

// WriteProblem turns an error into a status, a log line and a response. No other code does.
func (d *Door) WriteProblem(c *fiber.Ctx, err error, answer Answer) error {
	p := problemOf(err)
	if p.Cause != nil {
		d.log.Error("request failed", "id", d.RequestID(c), "method", c.Method(), "route", c.Route().Path, "status", p.Status, "err", p.Cause)
	}
	if p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusRequestHeaderFieldsTooLarge {
		drain(c.Context().Conn())
	}
	d.setHeaders(&c.Response().Header) // for requests that the HTTP library refuses before any handler
	c.Status(p.Status)
	if p.Wait > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(Seconds(p.Wait)))
	}
	return answer(c, p)
}

const (
	drainMost  = 1 << 20
	drainPause = 100 * time.Millisecond
	drainWait  = time.Second
)

// drain reads the rest of a request that is too large, within bounds and until the client
// pauses: if a connection is closed with unread bytes, the response may be lost (RFC 9112
// 9.6).
func drain(conn net.Conn) {
	if conn == nil {
		return
	}
	buf := make([]byte, 16<<10)
	end := time.Now().Add(drainWait)
	for most := drainMost; most > 0; {
		pause := time.Now().Add(drainPause)
		if pause.After(end) {
			return
		}
		if err := conn.SetReadDeadline(pause); err != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		most -= n
	}
}

// Seconds is a wait in whole seconds, rounded up.
func Seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
