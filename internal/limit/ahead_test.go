package limit_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/limit"
)

// The clock goes ahead, budgets are taken, and it comes back.
func TestWhatAClockTookThatWasAheadLocksNobodyOut(t *testing.T) {
	for _, jump := range []time.Duration{25 * time.Hour, 400 * 24 * time.Hour} {
		dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
			b := limit.Budget{Name: "send", Key: "ann", Rates: config.Rates{{N: 2, Per: time.Hour}, {N: 4, Per: 24 * time.Hour}}}
			other := limit.Budget{Name: "send", Key: "network", Rates: config.Rates{{N: 3, Per: time.Hour}}}
			c.Advance(jump)
			takes(t, d, b, 2)
			update(t, d, func(tx *db.Tx) error { return limit.Block(tx, "not_me", "ann", c.Now().Add(time.Minute)) })
			c.Advance(-jump)
			if !left(t, d, b) {
				t.Errorf("after %v nothing is left", jump)
			}
			// It is a budget again, with all its rates, and so are those taken with it.
			for i := range 2 {
				if wait := take(t, d, b, other); wait > 0 {
					t.Errorf("after %v, take %d has to wait for %v", jump, i, wait)
				}
			}
			wantWait(t, d, b, 30*time.Minute)
			takes(t, d, other, 1)
			wantWait(t, d, other, 20*time.Minute)
			if err := d.View(t.Context(), func(tx *db.Tx) error {
				is, err := limit.Blocked(tx, "not_me", "ann", time.Minute)
				if is {
					t.Errorf("after %v a block of a minute still holds", jump)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
