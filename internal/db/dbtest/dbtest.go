// Package dbtest runs a test against every database engine.
package dbtest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// Clock is a clock that moves only when a test moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows Start.
func NewClock() *Clock { return &Clock{now: Start} }

// Now is the time the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Start is what a fresh clock shows.
var Start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// Run runs fn once on SQLite and once on PostgreSQL, each with an empty
// database whose clock the test owns and whose Updates are rehearsed: run,
// rolled back, run again. PostgreSQL is at DJAUTHY_TEST_POSTGRES; without it
// that half is skipped, but never where CI is set.
func Run(t *testing.T, fn func(t *testing.T, d *db.DB, c *Clock)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			d := Fresh(t, engine)
			c := &Clock{now: Start}
			d.Now = c.Now
			d.Rehearse = true
			fn(t, d, c)
		})
	}
}

// URL returns the address of an empty database of the engine, "sqlite" or
// "postgres", which goes when the test ends.
func URL(t testing.TB, engine string) string {
	t.Helper()
	if engine == "sqlite" {
		return "sqlite:" + t.TempDir() + "/d.db"
	}
	base := os.Getenv(postgres)
	if base == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must set DJAUTHY_TEST_POSTGRES")
		}
		t.Skip("DJAUTHY_TEST_POSTGRES is not set; `make test` sets it")
	}
	return base + "&search_path=" + schema(t)
}

// schema makes an empty schema, which is ten times cheaper than a database.
func schema(t testing.TB) string {
	t.Helper()
	name := schemaName()
	if err := execRoot(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := execRoot(context.Background(), "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return name
}

func schemaName() string { return "t_" + strings.ToLower(rand.Text()) }

// Open opens and migrates the database at url until the test ends.
func Open(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// Check ends the test if there is an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Want ends the test if what it got is not what it wanted.
func Want[T comparable](t testing.TB, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}
