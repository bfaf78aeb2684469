// Package door is the HTTP server that pages and APIs share: the Fiber app with its
// bounds, the headers, the cross-origin check, cookies, the client's address, and how an
// error becomes a response. It serves no page and knows no rule of signing in.
package door

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/djauthy/djauthy/internal/seal"
)

const (
	maxBody = 64 << 10
	// minHeader holds the cookies and headers of a browser that has no other app
	// on this host.
	minHeader = 8 << 10
	// A request that is not complete after readLimit is cut off.
	readLimit   = 30 * time.Second
	idleLimit   = 75 * time.Second
	handleLimit = 15 * time.Second
)

// Door is the HTTP server.
type Door struct {
	App *fiber.App

	site    site
	public  *url.URL
	https   bool
	strict  string // Strict-Transport-Security
	trusted []netip.Prefix
	log     *slog.Logger
	observe func(route, method string, status int, took time.Duration)
	prefix  string
	count   atomic.Uint64
	// underWay counts the requests in progress.
	underWay atomic.Int64
	// noAddress logs once that a trusted proxy sends something other than an address.
	noAddress sync.Once
	warned    warnings
	origin    *http.CrossOriginProtection
	answer    Answer
	choose    []func(*fiber.Ctx, *Problem) Answer
}

// Answer writes a problem as a page or for programs. The status is already set.
type Answer func(*fiber.Ctx, *Problem) error

// Options are what a Door needs to know.
type Options struct {
	PublicURL string // as browsers reach the server; links, origins and cookies use it, never Host
	Trusted   []netip.Prefix
	// MaxHeader bounds the head of a request, in bytes. A connection that has sent so
	// much holds three times as many until it ends.
	MaxHeader int
	// HSTSSubdomains makes browsers use https for every host below PublicURL's.
	HSTSSubdomains bool
	Log            *slog.Logger
	// Observe is called for every response, with the route's pattern, never the path.
	Observe func(route, method string, status int, took time.Duration)
}

// New returns a door with no routes. Those for programs are added first, because package
// page adds the cross-origin check for all routes after it.
func New(o Options) (*Door, error) {
	public, err := url.Parse(o.PublicURL)
	if err != nil {
		return nil, err
	}
	site, err := siteOf(public)
	if err != nil {
		return nil, fmt.Errorf("public URL %s: %w", o.PublicURL, err)
	}
	d := &Door{
		site: site, public: public, https: public.Scheme == "https", trusted: o.Trusted, log: o.Log, observe: o.Observe,
		strict: strictTransport(public.Scheme == "https", o.HSTSSubdomains),
		prefix: strconv.FormatUint(uint64(seal.Random(1)[0])<<24|uint64(time.Now().Unix()&0xffffff), 36),
		origin: http.NewCrossOriginProtection(),
		answer: func(c *fiber.Ctx, p *Problem) error { return c.SendString(http.StatusText(p.Status) + "\n") },
	}
	d.App = fiber.New(fiber.Config{
		AppName: "djauthy", Immutable: true, StrictRouting: true, CaseSensitive: true, DisableStartupMessage: true,
		ReadBufferSize: max(o.MaxHeader, minHeader), BodyLimit: maxBody, ReadTimeout: readLimit, WriteTimeout: readLimit, IdleTimeout: idleLimit,
		RequestMethods:               append(slices.Clone(fiber.DefaultMethods), otherMethod),
		DisablePreParseMultipartForm: true, // a handler responds to a malformed form
		ErrorHandler:                 d.writeUnhandled,
	})
	d.App.Server().SecureErrorLogMessage = true
	d.App.Server().Logger = quiet{}
	fiberHandler := d.App.Server().Handler
	d.App.Server().Handler = func(ctx *fasthttp.RequestCtx) {
		d.underWay.Add(1)
		defer d.underWay.Add(-1)
		if !slices.ContainsFunc(fiber.DefaultMethods, func(m string) bool { return m == string(ctx.Method()) }) {
			ctx.SetUserValue(methodKey{}, string(ctx.Method()))
			ctx.Request.Header.SetMethod(otherMethod)
		}
		fiberHandler(ctx)
	}
	d.App.Use(d.outer)
	return d, nil
}

// SetFallback sets how problems are written that no handler has written.
func (d *Door) SetFallback(a Answer) { d.answer = a }

// otherMethod stands for every method that Fiber does not know, which it would
// answer with 400 before any handler. No route but All has it.
const otherMethod = "OTHER"

type methodKey struct{}

// Method is the request's method, as it was sent.
func Method(c *fiber.Ctx) string {
	if method, ok := c.Context().UserValue(methodKey{}).(string); ok {
		return method
	}
	return c.Method()
}

// Serve answers on l until Shutdown.
func (d *Door) Serve(l net.Listener) error {
	if err := d.App.Listener(lineListener{l}); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Shutdown takes no more requests and waits until those in progress are answered, for at
// most the time given. It waits no longer than a second for a client that has sent half a
// request or nothing.
func (d *Door) Shutdown(l net.Listener, most time.Duration) {
	_ = l.Close() // Serve may not have begun with it
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.App.ShutdownWithTimeout(most)
	}()
	moment := time.Now().Add(min(most, time.Second))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if d.underWay.Load() == 0 && time.Now().After(moment) {
				return
			}
		}
	}
}

// quiet drops fasthttp's own log, which has a line for every client that disconnects.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// outer wraps the handlers of every request: bounds, errors, the log and metrics.
func (d *Door) outer(c *fiber.Ctx) error {
	start := time.Now()
	d.setHeaders(&c.Response().Header)
	if !d.wellFormed(c) {
		c.Context().SetConnectionClose()
		return d.App.ErrorHandler(c, Fail(http.StatusBadRequest))
	}
	ctx, cancel := context.WithTimeout(context.Background(), handleLimit)
	defer cancel()
	c.SetUserContext(ctx)
	err := bounded(c)
	if err == nil {
		err = guarded(c)
	}
	if err != nil {
		err = d.App.ErrorHandler(c, err)
	}
	took := time.Since(start)
	d.observe(c.Route().Path, c.Method(), c.Response().StatusCode(), took)
	if d.log.Enabled(ctx, slog.LevelDebug) {
		d.log.Debug("request", "id", d.RequestID(c), "method", c.Method(), "route", c.Route().Path, "status", c.Response().StatusCode(), "took", took.String())
	}
	return err
}

// guarded runs the handlers and turns a panic into an error, so that it does not end the
// server.
func guarded(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.Next()
}

// RequestID names a request in the log. It is made at the first call.
func (d *Door) RequestID(c *fiber.Ctx) string {
	const key = "request"
	if id, ok := c.Locals(key).(string); ok {
		return id
	}
	id := d.prefix + "-" + strconv.FormatUint(d.count.Add(1), 36)
	c.Locals(key, id)
	return id
}

// wellFormed refuses what HTTP libraries read in different ways (request smuggling): more
// than one Host, and a length beside a transfer encoding (RFC 9112 3.2, 6.1).
func (d *Door) wellFormed(c *fiber.Ctx) bool {
	raw := c.Request().Header.RawHeaders()
	hosts, length, coding := 0, false, false
	for len(raw) > 0 {
		line := raw
		if end := bytes.IndexByte(raw, '\n'); end >= 0 {
			line, raw = raw[:end], raw[end+1:]
		} else {
			raw = nil
		}
		name, _, found := bytes.Cut(line, []byte(":"))
		if !found {
			continue
		}
		switch len(name) {
		case len("Host"):
			if bytes.EqualFold(name, []byte("Host")) {
				hosts++
			}
		case len("Content-Length"):
			length = length || bytes.EqualFold(name, []byte("Content-Length"))
		case len("Transfer-Encoding"):
			coding = coding || bytes.EqualFold(name, []byte("Transfer-Encoding"))
		}
	}
	return hosts <= 1 && !(length && coding)
}
