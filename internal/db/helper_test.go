package db_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// TestMain lets the test binary be a second process on the same database: with
// childURL set it does a child's work and no tests.
func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := child(url); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// errOops is an error of a caller's own.
var errOops = errors.New("oops")

// sqlite opens a migrated SQLite database without rehearsals.
func sqlite(t testing.TB) (d *db.DB, path string) {
	t.Helper()
	url := dbtest.URL(t, "sqlite")
	return dbtest.Open(t, url), url[len("sqlite:"):]
}

// put writes one row of meta.
func put(key, value string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, $2)`, key, value)
		return err
	}
}

// keys are the keys of meta in order.
func keys(t testing.TB, d *db.DB) (all []string) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error {
		all = nil
		return tx.Each(func(scan func(...any) error) error {
			var key string
			err := scan(&key)
			all = append(all, key)
			return err
		}, `SELECT key FROM meta ORDER BY key`)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantKeys(t testing.TB, d *db.DB, want ...string) {
	t.Helper()
	if got := keys(t, d); !slices.Equal(got, want) {
		t.Errorf("the table holds %v, want %v", got, want)
	}
}

// fill writes n bytes, more than a database limited by limitTo has room for.
func fill(key string, n int) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, hex(zeroblob($2)))`, key, n/2)
		return err
	}
}

// limitTo lets a SQLite database grow by so many pages and no further, as a
// disk that is nearly full does.
func limitTo(t testing.TB, d *db.DB, pages int) {
	t.Helper()
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		var count, page int64
		if err := tx.Get(`PRAGMA page_count`).Scan(&count); err != nil {
			return err
		}
		return tx.Get(fmt.Sprintf(`PRAGMA max_page_count = %d`, count+int64(pages))).Scan(&page)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// group runs updates in one group: it holds the writer until all of them wait,
// in their order. It returns the error of each.
func group(t testing.TB, d *db.DB, updates ...func() error) []error {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		var once bool
		first <- d.Update(t.Context(), func(*db.Tx) error {
			if !once {
				once = true
				close(held)
				<-release
			}
			return nil
		})
	}()
	<-held
	errs := make([]error, len(updates))
	done := make(chan struct{}, len(updates))
	for i, update := range updates {
		go func() {
			errs[i] = update()
			done <- struct{}{}
		}()
		waitFor(t, "an update to queue", func() bool { return db.Queued(d) == i+1 })
	}
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	for range updates {
		<-done
	}
	return errs
}

// waitFor returns when something has come about.
func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for start := time.Now(); !is(); runtime.Gosched() {
		if time.Since(start) > 20*time.Second {
			t.Fatal("waited 20 s for " + what)
		}
	}
}
