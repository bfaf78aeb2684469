package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/djauthy/djauthy/internal/access"
	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/check"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/forward"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/resident"
	"github.com/djauthy/djauthy/internal/ungleichotp"
	"github.com/djauthy/djauthy/internal/web"
)

// drainFor is how long requests in progress may take after the signal to stop.
const drainFor = 10 * time.Second

type serveCmd struct{}

// Run serves until the context ends.
func (serveCmd) Run(e *env) error {
	hangups := make(chan os.Signal, 1)
	defer ignoreHangups(hangups)()
	h, err := e.openReady(slog.LevelDebug)
	if err != nil {
		return err
	}
	go h.logHangups(hangups)
	err = h.serve(e)
	return errors.Join(err, h.close())
}

// ignoreHangups keeps the server running when its terminal closes (SIGHUP) and when the
// reader of its output ends (SIGPIPE), until stop is called.
func ignoreHangups(hangups chan os.Signal) (stop func()) {
	signal.Notify(hangups, syscall.SIGHUP)
	pipes := make(chan os.Signal, 1) // never read: registering it is enough to ignore SIGPIPE
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() {
		signal.Stop(hangups)
		signal.Stop(pipes)
		close(hangups)
	}
}

// logHangups logs each SIGHUP, which some send to have the settings read again.
func (h *app) logHangups(hangups <-chan os.Signal) {
	for range hangups {
		h.log.Info("SIGHUP is ignored: settings are read at the start only; restart to change them")
	}
}

func (h *app) serve(e *env) error {
	l, err := listen("listen", h.cfg.Listen)
	if err != nil {
		return err
	}
	front, err := h.handler()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	var counters net.Listener
	if h.cfg.Metrics.Listen != "" {
		if counters, err = listen("metrics.listen", h.cfg.Metrics.Listen); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	if err := h.printFirstAdmin(e); err != nil {
		return errors.Join(err, l.Close())
	}
	h.warnOfSites(e.ctx)
	// Workers stop after the server, so that they finish what it accepted.
	workers, stopWorkers := context.WithCancel(context.WithoutCancel(e.ctx))
	defer stopWorkers()
	g, ctx := errgroup.WithContext(e.ctx)
	g.Go(func() error { return h.outbox.Run(workers) })
	g.Go(func() error { return h.sessions.Run(workers) })
	g.Go(func() error { return h.services.Run(workers) })
	g.Go(func() error { return h.sweeper().Run(workers) })
	g.Go(func() error { return h.signkeys.Run(workers) })
	if h.bus != nil {
		g.Go(func() error { return h.bus.Run(ctx) }) // like the door, it takes no more after the signal to stop
	}
	if h.mailbox != nil {
		g.Go(func() error { return h.mailbox.Run(workers) })
	}
	if counters != nil {
		g.Go(func() error { return h.serveMetrics(ctx, counters) })
	}
	g.Go(func() error { return front.Serve(l) })
	go resident.Release() // starting uses more memory than serving
	g.Go(func() error {
		<-ctx.Done()
		h.log.Info("stopping: finishing requests and messages in progress")
		front.Shutdown(l, drainFor)
		stopWorkers()
		return nil
	})
	h.log.Info("djauthy answers", "url", h.cfg.PublicURL, "listen", l.Addr().String(), "database", h.db.Engine(), "version", version)
	return g.Wait()
}

// handler is the door with all its routes.
func (h *app) handler() (*door.Door, error) {
	d, err := door.New(door.Options{
		PublicURL: h.cfg.PublicURL, Trusted: h.cfg.TrustedProxies, MaxHeader: h.cfg.MaxHeaderKiB << 10, HSTSSubdomains: h.cfg.HSTSSubdomains,
		Log: h.log, Observe: h.metrics.Request,
	})
	if err != nil {
		return nil, err
	}
	(&ungleichotp.Server{Services: h.services, PublicURL: h.cfg.PublicURL, Log: h.log}).Open(d)
	site := &page.Site{
		Words: h.words, Sessions: h.sessions, Log: h.log, Now: h.db.Now, Door: d,
		Options: page.Options{PublicURL: h.cfg.PublicURL, Brand: page.Brand{Name: h.cfg.Brand.Name, LogoFile: h.cfg.Brand.Logo, Accent: h.cfg.Brand.Accent, Help: h.cfg.Brand.Help, Privacy: h.cfg.Brand.Privacy}},
	}
	if err := site.Prepare(); err != nil {
		return nil, err
	}
	asked := &forward.Server{Access: h.access, Sites: h.sites, Keys: h.signkeys}
	return d, site.Open(append(asked.Routes(site), h.pages(d).Routes(site)...)...)
}

// pages are the pages for people.
func (h *app) pages(d *door.Door) *web.Server {
	c := h.cfg
	s := &web.Server{
		DB: h.db, Signin: h.signin, Access: h.access, Directory: h.directory, Discovery: h.discovery, Keys: h.signkeys, Submitted: h.metrics.Submitted,
		Manual: c.Mode == "manual",
	}
	if h.binds() {
		s.Binding = &access.Binding{Binder: boundkey.New(h.keys.MAC("bound session")), PublicURL: c.PublicURL, Cookie: d.CookieName(door.BoundCookie), Static: "/static"}
	}
	for _, p := range c.Providers {
		s.Providers = append(s.Providers, p.Name)
	}
	if h.bus != nil {
		s.Bus = h.bus.Ready
	}
	if c.MailboxPage() {
		s.Mailbox = h.mailbox
	}
	if c.Metrics.Listen == "" {
		s.Metrics = h.metrics.Handler()
	}
	return s
}

// printFirstAdmin prints how to become the first administrator, if there is none.
func (h *app) printFirstAdmin(e *env) error {
	token, needed, err := h.signin.MakeAdminToken(e.ctx)
	if err != nil || !needed {
		return err
	}
	fmt.Fprintf(e.stderr, "First administrator: %s/login/first/%s\n", h.cfg.PublicURL, token)
	return nil
}

// warnOfSites logs which sites let nobody in, because of what is in the database.
func (h *app) warnOfSites(ctx context.Context) {
	warnings, err := check.Sites(ctx, h.db, h.access.Factors, h.sites.All())
	if err != nil {
		h.log.Warn("the levels and groups of sites were not looked at", "err", err)
	}
	for _, w := range warnings {
		h.log.Warn(w)
	}
}

func (h *app) serveMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h.metrics.Handler())
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listen listens on an address. Its error says what to do.
func listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program already listens on %s: stop it, or set %s (%s) to another address", address, key, config.Variable(key))
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("not allowed to listen on %s: take a port above 1023, or give the program the right to (%s)", address, key)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s (%s): %w", address, key, err)
	}
	return l, nil
}
