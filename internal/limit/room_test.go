package limit_test

import (
	"math"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/limit"
)

func wantRoom(t testing.TB, d *db.DB, b limit.Budget, want int) {
	t.Helper()
	var got int
	if err := d.View(t.Context(), func(tx *db.Tx) (err error) { got, err = limit.Room(tx, b); return err }); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("room for %d, want %d", got, want)
	}
}

func TestRoomIsHowManyTakesWouldBeAllowed(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		for spent := range 5 {
			wantRoom(t, d, b, 5-spent)
			takes(t, d, b, 1)
		}
		wantRoom(t, d, b, 0)
		c.Advance(3*time.Minute - time.Millisecond)
		wantRoom(t, d, b, 0)
		wantWait(t, d, b, time.Millisecond)
		c.Advance(time.Millisecond)
		wantRoom(t, d, b, 1)
		c.Advance(time.Hour)
		wantRoom(t, d, b, 5) // never more than at the beginning
		wantRoom(t, d, budget("ben"), 5)
	})
}

// What has happened counts, room or not, and the debt is paid before there is room
// again.
func TestAChargeCountsWithoutRoomAndIsPaidBack(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		charge := func() {
			if err := d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error { return limit.Charge(tx, b) })); err != nil {
				t.Fatal(err)
			}
		}
		charge()
		wantRoom(t, d, b, 4)
		takes(t, d, b, 4)
		charge()
		charge()
		wantRoom(t, d, b, 0)
		c.Advance(9*time.Minute - time.Millisecond) // three of three minutes each
		wantRoom(t, d, b, 0)
		c.Advance(time.Millisecond)
		wantRoom(t, d, b, 1)
	})
}

func TestRoomIsThatOfTheTightestRate(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := limit.Budget{Name: "guess", Key: "ann", Rates: config.Rates{{N: 3, Per: time.Minute}, {N: 5, Per: time.Hour}}}
		wantRoom(t, d, b, 3)
		takes(t, d, b, 3)
		wantRoom(t, d, b, 0)
		c.Advance(time.Minute)
		wantRoom(t, d, b, 2) // the hour has no more
		takes(t, d, b, 2)
		c.Advance(time.Minute)
		wantRoom(t, d, b, 0)
	})
}

// The times of a rate that does not divide evenly are rounded the same way in
// Room and Take.
func TestRoomAndTakeAgreeAtEveryMoment(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := limit.Budget{Name: "guess", Key: "ann", Rates: config.Rates{{N: 7, Per: time.Second}}}
		for range 20 {
			c.Advance(100 * time.Millisecond)
			for {
				var room int
				if err := d.View(t.Context(), func(tx *db.Tx) (err error) { room, err = limit.Room(tx, b); return err }); err != nil {
					t.Fatal(err)
				}
				allowed := take(t, d, b) == 0
				if allowed != (room > 0) {
					t.Fatalf("room for %d, and a take is allowed: %v", room, allowed)
				}
				if !allowed {
					break
				}
			}
		}
	})
}

func TestABudgetWithoutRatesHasRoomForEverything(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		wantRoom(t, d, limit.Budget{Name: "guess", Key: "ann"}, math.MaxInt32)
	})
}

func TestLookingAtRoomTakesNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		for range 10 {
			wantRoom(t, d, budget("ann"), 5)
		}
		var rows int
		if err := d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(`SELECT count(*) FROM budgets`).Scan(&rows) }); err != nil || rows != 0 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
}
