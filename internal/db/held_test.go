package db_test

import (
	"fmt"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestBehindAPoolerThatHandsOutTransactionsEverythingWorks(t *testing.T) {
	d := dbtest.Open(t, dbtest.Pooler(t))
	if !d.BehindPooler() {
		t.Error("the pooler went unnoticed")
	}
	const callers, each = 16, 20
	together(callers, func(i int) {
		for j := range each {
			key := fmt.Sprintf("%02d.%02d", i, j)
			if err := d.Update(t.Context(), put(key, "1")); err != nil {
				t.Errorf("write: %v", err)
			}
			read := func(tx *db.Tx) error {
				var value string
				return tx.Get(`SELECT value FROM meta WHERE key = $1`, key).Scan(&value)
			}
			if err := d.Read(t.Context(), read); err != nil {
				t.Errorf("read: %v", err)
			}
			if err := d.View(t.Context(), read); err != nil {
				t.Errorf("view: %v", err)
			}
		}
	})
	if n := len(keys(t, d)); n != callers*each {
		t.Errorf("%d of %d rows are there", n, callers*each)
	}
}

func TestWithoutAPoolerNoneIsFound(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		if d.BehindPooler() {
			t.Error("a pooler where there is none")
		}
	})
}

// A process that stands still in the middle of a transaction is one whose function
// does not come back.
func TestARowOfAFrozenProcessIsFreeAgainSoon(t *testing.T) {
	for name, place := range map[string]string{
		"direct": dbtest.URL(t, "postgres") + "&idle_in_transaction_session_timeout=700&lock_timeout=300",
		"pooler": dbtest.Pooler(t), // its own limits, of five seconds
	} {
		t.Run(name, func(t *testing.T) {
			frozen, living := dbtest.Open(t, place), dbtest.Open(t, place)
			if err := living.Update(t.Context(), put("row", "1")); err != nil {
				t.Fatal(err)
			}
			count := func(tx *db.Tx) error {
				_, err := tx.Exec(`UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'row'`)
				return err
			}
			holds, thaw, froze := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				var once bool
				froze <- frozen.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
					if err := count(tx); err != nil || once {
						return err
					}
					once = true
					close(holds)
					<-thaw
					return nil
				}))
			}()
			<-holds
			if err := living.Sequence(t.Context(), db.ReadCommitted(count)); err != nil {
				t.Errorf("the living process: %v", err)
			}
			close(thaw)
			if err := <-froze; err != nil && !db.Unavailable(err) {
				t.Errorf("the frozen process, when it wakes: %v", err)
			} else if want := 3; err == nil && number(t, living, "row") != want {
				t.Errorf("the row counts %d, want %d", number(t, living, "row"), want)
			}
		})
	}
}

// Whatever a transaction waits for, or is waited for, ends: for who waits for its rows,
// for the rows it waits for, and for a statement without end. A URL may set others.
func TestEveryTransactionOnPostgreSQLHasItsLimits(t *testing.T) {
	direct := dbtest.URL(t, "postgres")
	for name, c := range map[string]struct{ url, want string }{
		"direct":           {direct, "5s 4s 30s"},
		"pooler":           {dbtest.Pooler(t), "5s 4s 30s"},
		"set by the URL":   {direct + "&lock_timeout=300&statement_timeout=1min", "5s 300ms 1min"},
		"pooler, set, too": {dbtest.Pooler(t) + "&lock_timeout=300", "5s 300ms 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.Open(t, c.url)
			limits := func(tx *db.Tx) error {
				var idle, lock, statement string
				err := tx.Get(`SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout'), current_setting('statement_timeout')`).
					Scan(&idle, &lock, &statement)
				if got := idle + " " + lock + " " + statement; got != c.want {
					t.Errorf("the limits are %s, want %s", got, c.want)
				}
				return err
			}
			for kind, err := range map[string]error{
				"update": d.Update(t.Context(), limits), "sequence": d.Sequence(t.Context(), db.ReadCommitted(limits)), "view": d.View(t.Context(), limits),
			} {
				if err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			}
		})
	}
}
