package db_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestReadyWritesOnceHoweverManyAsk(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		written := func() (at string) {
			err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.Get(`SELECT value FROM meta WHERE key = 'ready'`).Scan(&at) })
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		if err := d.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := written()
		c.Advance(time.Hour) // of the rows; that two seconds have passed is told by the machine's
		for range 10 {
			if err := d.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if again := written(); again != first {
			t.Errorf("a write at %s and one at %s", first, again)
		}
	})
}

// Who asks, such as a load balancer, does not wait as long as an Update would.
func TestReadySaysSoonThatADatabaseIsLocked(t *testing.T) {
	t.Parallel()
	d, path := sqlite(t)
	free := locked(t, path)
	defer free()
	start := time.Now()
	err := d.Ready(t.Context())
	if took := time.Since(start); !db.Unavailable(err) || took > 8*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}
