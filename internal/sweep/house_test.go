package sweep_test

import (
	"log/slog"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signin/signintest"
	"github.com/djauthy/djauthy/internal/sweep"
)

// house is a sweeper beside sign-ins, with the settings' own defaults and no limits on
// messages and tries.
type house struct {
	*signintest.House
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
	h := &house{House: signintest.Furnish(t, d, c), told: map[string]int64{}}
	h.Freely()
	h.Signin.Settings.TriesPerID = config.Rates{{N: 100_000, Per: time.Minute}}
	cfg, _, err := config.Load("", nil, nil, os.ReadFile)
	dbtest.Check(t, err)
	h.sweeper = &sweep.Sweeper{DB: d, Sessions: h.Signin.Sessions, Log: slog.New(slog.DiscardHandler), Removed: h.removed, Settings: sweep.Settings{
		Every: time.Millisecond, UnprovedAccounts: cfg.Sweep.UnprovedAccounts, CodeLife: cfg.LongestLife(),
	}}
	h.Deliver(t)
	return h
}

func (h *house) removed(kind string, n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told[kind] += n
}

// asks makes an attempt for an address and returns who asked and the code.
func (h *house) asks(t *testing.T, address string) (by signin.Requester, code string) {
	t.Helper()
	b := h.Browser("192.0.2.1")
	m := b.Gets(t, signintest.Addr(t, address))
	return b.By, m.Code
}

func (h *house) signsIn(t *testing.T, address string) signin.Requester {
	t.Helper()
	b := h.Browser("192.0.2.1")
	b.SignsIn(t, signintest.Addr(t, address))
	return b.By
}

// once sweeps and returns what was removed, without the kinds of which nothing was.
func (h *house) once(t *testing.T) map[string]int64 {
	t.Helper()
	counts, err := h.sweeper.Once(t.Context())
	dbtest.Check(t, err)
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts
}
