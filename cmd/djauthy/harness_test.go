package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/outbox"
)

// asProgram makes the test binary be djauthy itself, for tests that need a
// process: signals, a full disk, what is printed.
const asProgram = "TEST_BINARY_IS_DJAUTHY"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	code := m.Run()
	if common.site != nil {
		common.site.stop()
		common.site.mail.close()
		_ = os.RemoveAll(common.dir)
	}
	os.Exit(code)
}

// site is a running server with a mail server that keeps what it sends. Tests
// speak to it over sockets.
type site struct {
	public  *url.URL
	addr    string // where it listens
	environ []string
	mail    *inbox
	clock   *clock
	house   *app
	out     *book
	stop    func() int // ends the server; the exit code
}

// clock is the machine's clock moved by an offset, or standing still.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	frozen time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return time.Now().Add(c.offset)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	if !c.frozen.IsZero() {
		c.frozen = c.frozen.Add(d)
	}
}

// freeze stops the clock, so that answers depend on no time.
func (c *clock) freeze() {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = now.Truncate(time.Second)
}

// book is a buffer that many may write to.
type book struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const testKey = "djauthy tests seal with this key, nobody else"

// freePort returns a port that nobody listens on. It lies below those that
// the system gives to outgoing connections, or one of them could take it before
// the server does.
func freePort() string {
	for {
		port := strconv.Itoa(16_000 + rand.N(16_000))
		if l, err := net.Listen("tcp", "0.0.0.0:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
}

// settle completes settings with what a test server needs; later ones win.
func settle(dir string, mail *inbox, settings []string) (environ []string, values map[string]string) {
	all := []string{
		"DJAUTHY_LISTEN=127.0.0.1:" + freePort(), "DJAUTHY_DATABASE=sqlite:" + filepath.Join(dir, "d.db"), "DJAUTHY_SECRET_KEY=" + testKey,
		"DJAUTHY_EMAIL_HOST=127.0.0.1", "DJAUTHY_EMAIL_PORT=" + mail.port(), "DJAUTHY_EMAIL_TLS=none", "DJAUTHY_LOG_FORMAT=json",
	}
	values = map[string]string{}
	for _, s := range append(all, settings...) {
		name, value, _ := strings.Cut(s, "=")
		values[name] = value
	}
	for name, value := range values {
		environ = append(environ, name+"="+value)
	}
	return environ, values
}

// open starts a server in this process, after prepare has seen what it is made of.
func open(dir string, mail *inbox, settings []string, prepare ...func(*app)) (*site, error) {
	environ, values := settle(dir, mail, settings)
	ctx, cancel := context.WithCancel(context.Background())
	s := &site{addr: values["DJAUTHY_LISTEN"], environ: environ, mail: mail, clock: &clock{}, out: &book{}}
	e := &env{ctx: ctx, stdout: s.out, stderr: s.out, environ: environ}
	h, err := e.openReady(slog.LevelWarn)
	if err != nil {
		cancel()
		return nil, err
	}
	h.db.Now = s.clock.Now
	h.sessions.WriteEvery = time.Hour // that the use of a cookie is recorded shows in the next answers: tests say when
	s.house = h
	for _, fn := range prepare {
		fn(h)
	}
	if s.public, err = url.Parse(h.cfg.PublicURL); err != nil {
		cancel()
		return nil, err
	}
	ended := make(chan int, 1)
	go func() {
		code := exitOK
		if err := h.serve(e); err != nil {
			fmt.Fprintln(s.out, "djauthy:", err)
			code = exitFailed
		}
		if err := h.close(); err != nil {
			fmt.Fprintln(s.out, "djauthy:", err)
			code = exitFailed
		}
		ended <- code
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-ended })
	return s, s.awake(ended)
}

// awake waits until the server answers.
func (s *site) awake(ended chan int) error {
	for range 400 {
		r, err := http.Get("http://" + strings.Replace(s.addr, "0.0.0.0", "127.0.0.1", 1) + "/healthz")
		if err == nil {
			_ = r.Body.Close()
			return nil
		}
		select {
		case code := <-ended:
			ended <- code
			return fmt.Errorf("the server ended with %d: %s", code, s.out)
		case <-time.After(25 * time.Millisecond):
		}
	}
	return fmt.Errorf("the server does not answer: %s", s.out)
}

// start runs a server with its own settings until the test ends.
func start(t testing.TB, settings ...string) *site {
	t.Helper()
	mail := openInbox()
	t.Cleanup(mail.close)
	return startWith(t, t.TempDir(), mail, append([]string{"DJAUTHY_DATABASE=" + dbtest.Ready(t, "sqlite")}, settings...)...)
}

// startUnsent is start for a server that queues messages and hands them over as ever, to
// an outbox that nobody runs.
func startUnsent(t testing.TB, settings ...string) *site {
	t.Helper()
	return startPrepared(t, func(h *app) {
		h.outbox = outbox.New(h.db, h.keys, h.channels.Handlers(), h.metrics, h.log)
	}, settings...)
}

// startPrepared is start for a server of which something is changed before it serves.
func startPrepared(t testing.TB, prepare func(*app), settings ...string) *site {
	t.Helper()
	mail := openInbox()
	t.Cleanup(mail.close)
	s, err := open(t.TempDir(), mail, settings, prepare)
	if err != nil {
		t.Fatal(err)
	}
	s.stopAfter(t)
	return s
}

func startWith(t testing.TB, dir string, mail *inbox, settings ...string) *site {
	t.Helper()
	s, err := open(dir, mail, settings)
	if err != nil {
		t.Fatal(err)
	}
	s.stopAfter(t)
	return s
}

func (s *site) stopAfter(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if code := s.stop(); code != exitOK && !t.Failed() {
			t.Errorf("the server ended with %d:\n%s", code, s.out)
		}
	})
}

var common struct {
	once sync.Once
	dir  string
	site *site
	err  error
}

// shared is the one server of the tests that do not disturb each other. Every
// browser has an address of its own, so no test spends another's budgets.
func shared(t testing.TB) *site {
	t.Helper()
	common.once.Do(func() {
		if common.dir, common.err = os.MkdirTemp("", "djauthy-test-"); common.err == nil {
			common.site, common.err = open(common.dir, openInbox(), nil)
		}
	})
	if common.err != nil {
		t.Fatal(common.err)
	}
	return common.site
}

// engines runs a test against a server on SQLite and one on PostgreSQL.
func engines(t *testing.T, fn func(t *testing.T, s *site), settings ...string) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			fn(t, start(t, append([]string{"DJAUTHY_DATABASE=" + dbtest.Ready(t, engine)}, settings...)...))
		})
	}
}

// sent waits until no message is on its way.
func (s *site) sent(t testing.TB) {
	t.Helper()
	s.await(t, "the outbox is empty", func() bool { return s.count(t, `SELECT count(*) FROM outbox WHERE state = 0`) == 0 })
}

func (s *site) await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain until %s", what)
}

func (s *site) count(t testing.TB, query string) (n int64) {
	t.Helper()
	if err := s.house.db.View(context.Background(), func(tx *db.Tx) error { return tx.Get(query).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// command runs a command beside the server, on the same settings.
func (s *site) command(args ...string) (stdout, stderr string, code int) {
	return s.commandFrom("", args...)
}

// commandFrom runs a command that reads a text.
func (s *site) commandFrom(stdin string, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(stdin), &out, &errs, s.environ)
	return out.String(), errs.String(), code
}

func (s *site) must(t testing.TB, args ...string) string {
	t.Helper()
	stdout, stderr, code := s.command(args...)
	if code != exitOK {
		t.Fatalf("djauthy %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}
