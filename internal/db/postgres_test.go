package db_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// together runs fn in n goroutines that start at once.
func together(n int, fn func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { <-start; fn(i) })
	}
	close(start)
	wg.Wait()
}

func number(t *testing.T, d *db.DB, key string) (n int) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get(`SELECT CAST(value AS INTEGER) FROM meta WHERE key = $1`, key).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestManyCallersAddToOneSharedRowAtOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		d.Rehearse = false
		const callers, each = 64, 5
		var runs atomic.Int64
		together(callers, func(int) {
			for range each {
				err := d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
					runs.Add(1)
					_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('n', '1')
						ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT)`)
					return err
				}))
				if err != nil {
					t.Error(err)
				}
			}
		})
		if n := number(t, d, "n"); n != callers*each {
			t.Errorf("the sum is %d, want %d", n, callers*each)
		}
		// They queue for the row instead of running into each other.
		if n := runs.Load(); n != callers*each {
			t.Errorf("%d runs for %d updates", n, callers*each)
		}
	})
}

func TestContendedReadThenWriteLosesNoUpdate(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		if err := d.Update(t.Context(), put("n", "0")); err != nil {
			t.Fatal(err)
		}
		const callers = 50
		together(callers, func(int) {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				var n int
				if err := tx.Get(`SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'n'`).Scan(&n); err != nil {
					return err
				}
				_, err := tx.Exec(`UPDATE meta SET value = $1 WHERE key = 'n'`, fmt.Sprint(n+1))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		if n := number(t, d, "n"); n != callers {
			t.Errorf("the sum is %d, want %d", n, callers)
		}
	})
}

// Under a weaker level both would find one row and write: write skew.
func TestAnOwnPartIsAsIfAloneOnTheDatabase(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		for round := range 10 {
			together(2, func(i int) {
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					var n int
					like := fmt.Sprintf("round %d %%", round)
					if err := tx.Get(`SELECT count(*) FROM meta WHERE key LIKE $1`, like).Scan(&n); err != nil || n > 0 {
						return err
					}
					return put(fmt.Sprintf("round %d %d", round, i), "1")(tx)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		if n := len(keys(t, d)); n != 10 {
			t.Errorf("%d rows, want 10: one for each round", n)
		}
	})
}

func TestAClaimSkipsRowsThatAnotherHolds(t *testing.T) {
	d := dbtest.Fresh(t, "postgres")
	for _, key := range []string{"1", "2"} {
		if err := d.Update(t.Context(), put(key, "1")); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(tx *db.Tx, key *string) error {
		return tx.Get(`SELECT key FROM meta ORDER BY key LIMIT 1` + tx.SkipLocked()).Scan(key)
	}
	var first, second string
	err := d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
		if err := claim(tx, &first); err != nil {
			return err
		}
		return d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error { return claim(tx, &second) }))
	}))
	if err != nil || first != "1" || second != "2" {
		t.Fatalf("claimed %q and %q, %v", first, second, err)
	}
}

// relay passes connections on to a server until it is cut.
type relay struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l}
	t.Cleanup(r.cut)
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, near, far)
			r.mu.Unlock()
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
		}
	}()
	return r
}

func (r *relay) cut() {
	_ = r.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
}

func TestPostgresThatGoesAwayIsUnavailable(t *testing.T) {
	direct := dbtest.URL(t, "postgres")
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	r := newRelay(t, u.Host)
	u.Host = r.Addr().String()
	d := dbtest.Open(t, u.String())

	err = d.Update(t.Context(), func(tx *db.Tx) error {
		if err := put("half", "1")(tx); err != nil {
			return err
		}
		r.cut()
		return put("done", "1")(tx)
	})
	if !db.Unavailable(err) {
		t.Errorf("in the middle of an update: %v", err)
	}
	for name, err := range map[string]error{
		"Update": d.Update(t.Context(), put("a", "1")),
		"View":   d.View(t.Context(), func(*db.Tx) error { return nil }),
		"Ping":   d.Ping(t.Context()),
	} {
		if !db.Unavailable(err) {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
	again := dbtest.Open(t, direct)
	wantKeys(t, again)
}

func TestPostgresThatIsReadOnlyIsUnavailable(t *testing.T) {
	at := dbtest.URL(t, "postgres")
	dbtest.Open(t, at)
	d, err := db.Open(t.Context(), at+"&default_transaction_read_only=on")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Update(t.Context(), put("a", "1")); !db.Unavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestPostgresThatIsNotThereIsSaidInOneSentence(t *testing.T) {
	base := os.Getenv("DJAUTHY_TEST_POSTGRES")
	if base == "" {
		base = dbtest.URL(t, "postgres") // skips or fails
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	_ = l.Close()
	for name, at := range map[string]string{
		"no server":   "postgres://user:hunter2@" + free + "/x?sslmode=disable",
		"no database": base + "&dbname=there_is_none",
	} {
		d, err := db.Open(t.Context(), at)
		if err == nil {
			_ = d.Close()
		}
		wantSentence(t, name, err, "open database: cannot reach PostgreSQL")
	}
}
