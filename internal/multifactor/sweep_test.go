package multifactor_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
)

func TestSweepCodesTakesOldAttemptsWhole(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := codes(t, "digits", 6)
		for range 10 {
			a := newID(t, d)
			for n := range multifactor.Slots {
				issue(t, d, c, a, n, false)
			}
		}
		clock.Advance(time.Hour)
		young := newID(t, d)
		issue(t, d, c, young, 0, false)
		before := clock.Now()
		for left := 31; left > 1; {
			var n int64
			check(t, d.Update(t.Context(), func(tx *db.Tx) (err error) {
				n, err = multifactor.SweepCodes(tx, before, 4)
				return err
			}))
			if n%multifactor.Slots != 0 || n < 4 || n > 6 && left > 1 {
				t.Fatalf("%d rows went at once", n)
			}
			left -= int(n)
			want(t, count(t, d, `SELECT count(*) FROM codes`), left)
			want(t, count(t, d, `SELECT count(*) FROM (SELECT attempt_id FROM codes WHERE attempt_id <> $1 GROUP BY attempt_id HAVING count(*) <> 3) half`, young), 0)
		}
		check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			n, err := multifactor.SweepCodes(tx, before, 4)
			want(t, n, 0)
			return err
		}))
	})
}
