package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// locked holds the write lock of an SQLite database, as another process does, until
// free is called.
func locked(t *testing.T, path string) (free func()) {
	t.Helper()
	other, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	c, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := c.ExecContext(context.Background(), `ROLLBACK`); err != nil {
			t.Error(err)
		}
	}
}

// began starts n Updates and returns when all of them are queued, or answered.
func began(ctx context.Context, t *testing.T, d *db.DB, n int, fn func(i int) func(*db.Tx) error) <-chan error {
	errs, before := make(chan error, n), db.Queued(d)
	for i := range n {
		go func() { errs <- d.Update(ctx, fn(i)) }()
	}
	waitFor(t, "updates to queue", func() bool { return db.Queued(d)+len(errs) >= before+n })
	return errs
}

func TestALockedDatabaseIsUnavailableAndWorksWhenFree(t *testing.T) {
	d, path := sqlite(t)
	db.SetLockWait(d, 50*time.Millisecond)
	free := locked(t, path)
	err := d.Update(t.Context(), put("locked out", "1"))
	if !db.Unavailable(err) {
		t.Errorf("got %v", err)
	}
	wantSentence(t, "locked", err, "locked")
	wantKeys(t, d) // who reads does not wait
	free()
	if err := d.Update(t.Context(), put("a", "1")); err != nil {
		t.Error(err)
	}
	wantKeys(t, d, "a")
}

func TestEverybodyWhoWaitsForALockedDatabaseIsAnsweredAfterOneWait(t *testing.T) {
	d, path := sqlite(t)
	const wait, writers = 500 * time.Millisecond, 20
	db.SetLockWait(d, wait)
	free := locked(t, path)
	start := time.Now()
	errs := began(t.Context(), t, d, writers, func(i int) func(*db.Tx) error { return put(fmt.Sprint(i), "1") })
	for range writers {
		if err := <-errs; !db.Unavailable(err) {
			t.Errorf("got %v", err)
		}
	}
	// One wait for all of them, where one after the other would be twenty.
	if took := time.Since(start); took > 4*wait {
		t.Errorf("%d writers were answered after %v, want about %v", writers, took, wait)
	}
	free()
	wantKeys(t, d)
}

func TestAnUpdateThatWaitsForALockedDatabaseIsTakenBackWithItsContext(t *testing.T) {
	d, path := sqlite(t)
	free := locked(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	gone := began(ctx, t, d, 3, func(i int) func(*db.Tx) error { return put(fmt.Sprint("gone", i), "1") })
	cancel()
	for range 3 { // the lock is held still
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	stays := began(t.Context(), t, d, 1, func(int) func(*db.Tx) error { return put("stays", "1") })
	free()
	if err := <-stays; err != nil {
		t.Error(err)
	}
	wantKeys(t, d, "stays")
}

func TestAnUpdateQueuedLaterWaitsItsOwnTimeForTheLock(t *testing.T) {
	d, path := sqlite(t)
	db.SetLockWait(d, 300*time.Millisecond)
	free := locked(t, path)
	first := began(t.Context(), t, d, 1, func(int) func(*db.Tx) error { return put("first", "1") })
	time.Sleep(200 * time.Millisecond) // so much later is the second
	second := began(t.Context(), t, d, 1, func(int) func(*db.Tx) error { return put("second", "1") })
	if err := <-first; !db.Unavailable(err) {
		t.Errorf("got %v", err)
	}
	free()
	if err := <-second; err != nil {
		t.Errorf("the second gave up with the first: %v", err)
	}
}

func TestADatabaseThatIsLockedIsClosedAfterOneWait(t *testing.T) {
	d, path := sqlite(t)
	db.SetLockWait(d, 100*time.Millisecond)
	free := locked(t, path)
	defer free()
	errs := began(t.Context(), t, d, 5, func(i int) func(*db.Tx) error { return put(fmt.Sprint(i), "1") })
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for range 5 {
		if err := <-errs; !db.Unavailable(err) {
			t.Errorf("got %v", err)
		}
	}
}

// A group whose first run failed begins anew, and another process takes the lock in
// between. It is nobody's fault, and nobody is answered with that of another.
func TestAGroupThatHasToBeginAgainWaitsForTheLockAndBlamesNobody(t *testing.T) {
	for name, c := range map[string]struct {
		wait  time.Duration
		fails func(error) bool // what those may be answered who did nothing wrong
	}{
		"in time":  {10 * time.Second, func(err error) bool { return err != nil }},
		"too late": {time.Nanosecond, func(err error) bool { return err != nil && !db.Unavailable(err) }},
	} {
		t.Run(name, func(t *testing.T) {
			d, path := sqlite(t)
			other, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(0)")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close() })
			own := errors.New("one's own")
			for round := range 300 {
				var once sync.Once
				var between sync.WaitGroup
				updates := []func() error{func() error {
					return d.Update(t.Context(), func(tx *db.Tx) error {
						once.Do(func() {
							tried := make(chan struct{})
							between.Go(func() { seize(t, other, sync.OnceFunc(func() { close(tried) })) })
							<-tried
						})
						return own
					})
				}}
				for i := range 3 {
					updates = append(updates, func() error { return d.Update(t.Context(), put(fmt.Sprint(round, i), "1")) })
				}
				for i, err := range group(t, d, updates...) {
					if i == 0 && err != nil && (errors.Is(err, own) || c.wait < time.Second) {
						continue
					}
					if c.fails(err) {
						t.Fatalf("update %d of round %d: %v", i, round, err)
					}
				}
				between.Wait()
				db.SetLockWait(d, c.wait) // the first of the next round finds the lock free
			}
		})
	}
}

// seize takes the write lock as soon as it is free, or gives up, and lets it go.
func seize(t *testing.T, other *sql.DB, tried func()) {
	defer tried()
	c, err := other.Conn(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = c.Close() }()
	for range 10_000 {
		if _, err := c.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err == nil {
			time.Sleep(time.Millisecond)
			if _, err := c.ExecContext(t.Context(), `ROLLBACK`); err != nil {
				t.Error(err)
			}
			return
		}
		tried()
	}
}
