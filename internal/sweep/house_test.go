package sweep_test

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/sweep"
	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

// house is a sweeper beside sign-ins, with the settings' own defaults.
type house struct {
	d       *db.DB
	clock   *dbtest.Clock
	s       *signin.Service
	words   *words.Language
	mail    chan delivery.Worded
	sweeper *sweep.Sweeper

	mu   sync.Mutex
	told map[string]int64 // to Removed
}

func run(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) { fn(t, furnish(t, d, c)) })
}

func furnish(t *testing.T, d *db.DB, c *dbtest.Clock) *house {
	t.Helper()
	h := &house{d: d, clock: c, mail: make(chan delivery.Worded, 1024), told: map[string]int64{}}
	cfg, _, err := config.Load("", nil, nil, os.ReadFile)
	check(t, err)
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	check(t, err)
	texts, err := words.Load()
	check(t, err)
	h.words = texts.Get("en")
	log := slog.New(slog.DiscardHandler)
	channels, err := delivery.New(templates.FS, texts, map[string]delivery.Sender{accounts.Email: h})
	check(t, err)
	queue := outbox.New(d, keys, channels.Handlers(), h, log)
	codes, err := multifactor.NewCodes(keys, cfg.Code.Alphabet, cfg.Code.Length, cfg.ExpiryTime.Email)
	check(t, err)
	many := config.Rates{{N: 100_000, Per: time.Minute}}
	settings := signin.Settings{
		OpenSignup: true, Tries: cfg.Code.Tries,
		SendPerID: many, SendPerIP: many, SendPerIDPrefix: many, TriesPerID: many, Site: "Example", PublicURL: "https://login.example.org",
	}
	sessions := session.New(d, session.Settings{Idle: cfg.Session.Idle, Absolute: cfg.Session.Absolute}, log)
	h.s = signin.New(d, queue, codes, sessions, keys, settings, log)
	h.sweeper = &sweep.Sweeper{DB: d, Sessions: sessions, Log: log, Removed: h.removed, Settings: sweep.Settings{
		Every: time.Millisecond, UnprovedAccounts: cfg.Sweep.UnprovedAccounts, CodeLife: cfg.ExpiryTime.Email,
	}}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = queue.Run(ctx) })
	t.Cleanup(func() { stop(); wg.Wait() })
	return h
}

func (h *house) removed(kind string, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told[kind] += n
}

// The house is its own post.
func (h *house) Send(_ context.Context, w delivery.Worded) (string, error) {
	h.mail <- w
	return "", nil
}
func (h *house) Check(context.Context) error { return nil }
func (h *house) Sent(string, time.Duration)  {}
func (h *house) Failed(string, bool)         {}

// asks makes an attempt for an address and returns its requester and the code.
func (h *house) asks(t *testing.T, address string) (by signin.Requester, code string) {
	t.Helper()
	browser, _ := h.s.ReadBrowser("")
	by = signin.Requester{Browser: browser, Network: "192.0.2.1", Words: h.words, Client: audit.Client{Prefix: "192.0.2.0/24"}}
	asked, err := h.s.Start(t.Context(), signin.Request{ID: accounts.ID{Implementation: accounts.Email, Identifier: address}}, by)
	check(t, err)
	by.Attempt = asked.Attempt
	select {
	case w := <-h.mail:
		code, _, _ = strings.Cut(w.Text, "\n")
	case <-time.After(30 * time.Second):
		t.Fatal("no message came")
	}
	return by, code
}

func (h *house) signsIn(t *testing.T, address string) signin.Requester {
	t.Helper()
	by, code := h.asks(t, address)
	e, err := h.s.SubmitCode(t.Context(), code, by)
	check(t, err)
	if e.Verdict != signin.Accepted {
		t.Fatalf("%s: verdict %v", address, e.Verdict)
	}
	by.Session = e.Session
	return by
}

func (h *house) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	check(t, h.d.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(query, args...); return err }))
}

func (h *house) count(t *testing.T, query string, args ...any) (n int64) {
	t.Helper()
	check(t, h.d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) }))
	return n
}

// once sweeps and returns what was removed, without the kinds of which nothing was.
func (h *house) once(t *testing.T) map[string]int64 {
	t.Helper()
	counts, err := h.sweeper.Once(t.Context())
	check(t, err)
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}
