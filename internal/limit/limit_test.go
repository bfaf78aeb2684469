package limit_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/limit"
)

// budget is five in fifteen minutes.
func budget(key string) limit.Budget {
	return limit.Budget{Name: "send_per_id", Key: key, Rates: config.Rates{{N: 5, Per: 15 * time.Minute}}}
}

// take counts one event as its callers do, in a ReadCommitted part.
func take(t testing.TB, d *db.DB, budgets ...limit.Budget) (wait time.Duration) {
	t.Helper()
	err := d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) (err error) {
		wait, err = limit.Take(tx, budgets...)
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// takes takes n events, which have to be allowed.
func takes(t testing.TB, d *db.DB, b limit.Budget, n int) {
	t.Helper()
	for i := range n {
		if wait := take(t, d, b); wait != 0 {
			t.Fatalf("event %d of %d has to wait %v", i+1, n, wait)
		}
	}
}

func wantWait(t testing.TB, d *db.DB, b limit.Budget, want time.Duration) {
	t.Helper()
	if got := take(t, d, b); got != want {
		t.Errorf("wait %v, want %v", got, want)
	}
}

func update(t testing.TB, d *db.DB, fn func(*db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func left(t testing.TB, d *db.DB, budgets ...limit.Budget) (ok bool) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) (err error) { ok, err = limit.Left(tx, budgets...); return err }); err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestABudgetAllowsNAtOnceThenTellsHowLong(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		takes(t, d, b, 5)
		wantWait(t, d, b, 3*time.Minute)
		wantWait(t, d, b, 3*time.Minute) // asking costs nothing
		c.Advance(time.Minute)
		wantWait(t, d, b, 2*time.Minute)
		takes(t, d, budget("ben"), 5) // another key
		takes(t, d, limit.Budget{Name: "another", Key: "ann", Rates: b.Rates}, 5)
	})
}

func TestWhoWaitsAsToldIsLetInOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		takes(t, d, b, 5)
		c.Advance(take(t, d, b) - time.Millisecond)
		wantWait(t, d, b, time.Millisecond)
		c.Advance(time.Millisecond)
		takes(t, d, b, 1)
		wantWait(t, d, b, 3*time.Minute)
	})
}

func TestTimeGivesBackEvenlyAndNeverMoreThanN(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		for _, step := range []struct {
			after time.Duration
			n     int
		}{{0, 5}, {3 * time.Minute, 1}, {6 * time.Minute, 2}, {15 * time.Minute, 5}, {1000 * time.Hour, 5}, {5 * time.Minute, 1}, {time.Minute, 1}} {
			c.Advance(step.after)
			takes(t, d, b, step.n)
			if wait := take(t, d, b); wait <= 0 || wait > 3*time.Minute {
				t.Errorf("after %v and %d events the next waits %v", step.after, step.n, wait)
			}
		}
	})
}

func TestAllRatesOfABudgetHoldAndARefusalTakesOfNone(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := limit.Budget{Name: "tries_per_id", Key: "ann", Rates: config.Rates{{N: 3, Per: time.Hour}, {N: 6, Per: 24 * time.Hour}}}
		takes(t, d, b, 3)
		for range 10 {
			wantWait(t, d, b, 20*time.Minute) // the hour's
		}
		c.Advance(time.Hour)
		takes(t, d, b, 3)
		wantWait(t, d, b, 3*time.Hour) // 24h/6, an hour of it gone: the day's
		c.Advance(3 * time.Hour)
		takes(t, d, b, 1)
		wantWait(t, d, b, 4*time.Hour)
	})
}

func TestBudgetsTakenTogetherAllHoldAndARefusalTakesOfNone(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		per := func(key string, n int) limit.Budget {
			return limit.Budget{Name: "x", Key: key, Rates: config.Rates{{N: n, Per: time.Hour}}}
		}
		narrow, wide := per("narrow", 2), per("wide", 5)
		for range 2 {
			if wait := take(t, d, narrow, wide); wait != 0 {
				t.Fatalf("wait %v", wait)
			}
		}
		for range 10 {
			if wait := take(t, d, wide, narrow); wait != 30*time.Minute {
				t.Errorf("wait %v, want the narrow one's", wait)
			}
		}
		if left(t, d, narrow, wide) || !left(t, d, wide) {
			t.Error("Left does not say what Take would")
		}
		takes(t, d, wide, 3)
		if wait := take(t, d, wide, narrow); wait != 30*time.Minute {
			t.Errorf("wait %v, want the longest", wait)
		}
		if take(t, d) != 0 || !left(t, d) {
			t.Error("no budget at all refuses")
		}
	})
}

// A setting may say "5/15m, 5/15m", and callers may ask for one thing twice.
func TestARateNamedTwiceDoesNotFail(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		r := config.Rate{N: 2, Per: time.Hour}
		b := limit.Budget{Name: "x", Key: "ann", Rates: config.Rates{r, r}}
		take(t, d, b)
		update(t, d, func(tx *db.Tx) error { return limit.GiveBack(tx, limit.Amount{Budget: b, N: 1}) })
		takes(t, d, b, 1)
	})
}

func TestRatesOfOneNameDoNotShareARow(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		for _, r := range []config.Rate{{N: 1, Per: time.Hour}, {N: 2, Per: time.Hour}, {N: 1, Per: 2 * time.Hour}} {
			takes(t, d, limit.Budget{Name: "x", Key: "ann", Rates: config.Rates{r}}, r.N)
		}
		// A name and a key that run together are not another name and key.
		takes(t, d, limit.Budget{Name: "ab", Key: "c", Rates: config.Rates{{N: 1, Per: time.Hour}}}, 1)
		takes(t, d, limit.Budget{Name: "a", Key: "bc", Rates: config.Rates{{N: 1, Per: time.Hour}}}, 1)
	})
}

func TestGiveBackReturnsWhatWasTakenAndNoMore(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		takes(t, d, b, 5)
		give := func(n int) {
			update(t, d, func(tx *db.Tx) error { return limit.GiveBack(tx, limit.Amount{Budget: b, N: n}) })
		}
		give(0)
		wantWait(t, d, b, 3*time.Minute)
		give(2)
		takes(t, d, b, 2)
		wantWait(t, d, b, 3*time.Minute)
		// Too much, or much later: never more than N at once.
		give(100)
		takes(t, d, b, 5)
		c.Advance(time.Hour)
		give(1)
		takes(t, d, b, 5)
		wantWait(t, d, b, 3*time.Minute)
		// Who has no row has nothing to get back.
		update(t, d, func(tx *db.Tx) error { return limit.GiveBack(tx, limit.Amount{Budget: budget("ben"), N: 3}) })
		takes(t, d, budget("ben"), 5)
		wantWait(t, d, budget("ben"), 3*time.Minute)
	})
}

func TestLeftSaysWhatTakeWouldAndTakesNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		for spent := range 6 {
			for range 10 {
				if want := spent < 5; left(t, d, b) != want {
					t.Errorf("with %d of 5 spent, Left is %v", spent, !want)
				}
			}
			if wait := take(t, d, b); (wait == 0) != (spent < 5) {
				t.Errorf("with %d of 5 spent, Take says %v", spent, wait)
			}
		}
		c.Advance(3*time.Minute - time.Millisecond)
		if left(t, d, b) {
			t.Error("too early")
		}
		c.Advance(time.Millisecond)
		if !left(t, d, b) {
			t.Error("three minutes give back one")
		}
		c.Advance(time.Hour)
		if !left(t, d, b) {
			t.Error("a row in the past is not as good as none")
		}
	})
}

func TestABlockHoldsUntilItsTimeOrItsEnd(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		blocked := func(name, key string) (is bool) {
			if err := d.View(t.Context(), func(tx *db.Tx) (err error) { is, err = limit.Blocked(tx, name, key, time.Hour); return err }); err != nil {
				t.Fatal(err)
			}
			return is
		}
		block := func(until time.Time) {
			update(t, d, func(tx *db.Tx) error { return limit.Block(tx, "not_me", "ann", until) })
		}
		if blocked("not_me", "ann") {
			t.Error("blocked from the start")
		}
		block(c.Now().Add(10 * time.Minute))
		if !blocked("not_me", "ann") || blocked("not_me", "ben") || blocked("other", "ann") {
			t.Error("a block holds for its name and key alone")
		}
		c.Advance(10*time.Minute - time.Millisecond)
		if !blocked("not_me", "ann") {
			t.Error("it ended early")
		}
		c.Advance(time.Millisecond)
		if blocked("not_me", "ann") {
			t.Error("it holds beyond its time")
		}
		block(c.Now().Add(time.Hour)) // again
		if !blocked("not_me", "ann") {
			t.Error("a second block does not hold")
		}
		update(t, d, func(tx *db.Tx) error { return limit.Unblock(tx, "not_me", "ann") })
		if blocked("not_me", "ann") {
			t.Error("Unblock did not end it")
		}
		update(t, d, func(tx *db.Tx) error { return limit.Unblock(tx, "not_me", "nobody") })
	})
}

func TestOfAHundredAtOnceExactlyNGetThrough(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		const callers, n = 100, 7
		b := limit.Budget{Name: "x", Key: "ann", Rates: config.Rates{{N: n, Per: time.Hour}, {N: 50, Per: 24 * time.Hour}}}
		var through atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range callers {
			wg.Go(func() {
				<-start
				if take(t, d, b) == 0 {
					through.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		if through.Load() != n {
			t.Errorf("%d of %d got through, want %d", through.Load(), callers, n)
		}
	})
}

// Row 60 of the checklist: two processes, and a restart.
func TestDatabaseHandlesShareABudgetAndARestartResetsNone(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := dbtest.URL(t, engine)
			c := func() time.Time { return dbtest.Start }
			open := func() *db.DB { d := dbtest.Open(t, url); d.Now = c; return d }
			one, two := open(), open()
			takes(t, one, budget("ann"), 3)
			takes(t, two, budget("ann"), 2)
			wantWait(t, one, budget("ann"), 3*time.Minute)
			wantWait(t, two, budget("ann"), 3*time.Minute)
			wantWait(t, open(), budget("ann"), 3*time.Minute)
		})
	}
}

// Row 61 of the checklist.
func TestAClockThatJumpsAnHourLocksNobodyOutForLongerThanTheJump(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		b := budget("ann")
		takes(t, d, b, 5)
		c.Advance(-time.Hour)
		if wait := take(t, d, b); wait > 0 {
			t.Errorf("after a fall of an hour the wait is %v", wait)
		}
		// Forward: no more than N, and the fall back again locks out no longer.
		c.Advance(2 * time.Hour)
		takes(t, d, b, 5)
		wantWait(t, d, b, 3*time.Minute)
		c.Advance(-time.Hour)
		if wait := take(t, d, b); wait > 0 {
			t.Errorf("after a jump there and back the wait is %v", wait)
		}
	})
}

func TestSweepWalksAllRowsAndRemovesOnlyWhatIsSpentOut(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		update(t, d, func(tx *db.Tx) error {
			var all error
			for i := range 25 {
				_, err := limit.Take(tx, budget(fmt.Sprint("old ", i)))
				all = errors.Join(all, err, limit.Block(tx, "old", fmt.Sprint(i), tx.Now.Add(time.Minute)))
			}
			return all
		})
		c.Advance(4 * time.Minute)
		for i := range 10 {
			takes(t, d, budget(fmt.Sprint("new ", i)), 5)
		}
		update(t, d, func(tx *db.Tx) error { return limit.Block(tx, "new", "ann", tx.Now.Add(time.Hour)) })
		var removed int64
		var from string
		steps := 0
		for ; ; steps++ {
			var gone int64
			var next string
			update(t, d, func(tx *db.Tx) (err error) { gone, next, err = limit.Sweep(tx, from, 10); return err })
			if gone > 10 {
				t.Fatalf("%d rows went in a step of 10", gone)
			}
			removed += gone
			if next == "" {
				break
			}
			if next <= from {
				t.Fatal("the walk stands still")
			}
			from = next
		}
		if removed != 50 || steps < 6 || steps > 7 {
			t.Errorf("%d rows went in %d steps, want 50 of 61 in 7", removed, steps)
		}
		for i := range 10 {
			wantWait(t, d, budget(fmt.Sprint("new ", i)), 3*time.Minute)
		}
		var blocked bool
		update(t, d, func(tx *db.Tx) (err error) { blocked, err = limit.Blocked(tx, "new", "ann", time.Hour); return err })
		if !blocked {
			t.Error("a block that holds went")
		}
	})
}

func TestTheTableHoldsNoAddress(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		takes(t, d, budget("ann@example.org"), 1)
		err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Each(func(scan func(...any) error) error {
				var key []byte
				err := scan(&key)
				if len(key) != 16 {
					t.Errorf("a key is %q", key)
				}
				return err
			}, `SELECT key FROM budgets`)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestEachOfThreeRatesRefuses(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		b := limit.Budget{Name: "x", Key: "k", Rates: config.Rates{{N: 2, Per: time.Minute}, {N: 3, Per: time.Hour}, {N: 4, Per: 24 * time.Hour}}}
		take := func() (wait time.Duration) {
			if err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
				wait, err = limit.Take(tx, b)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return wait
		}
		for _, step := range []struct {
			after time.Duration
			takes int
			wait  time.Duration // of the next take
		}{
			{0, 2, 30 * time.Second},                            // the first rate
			{time.Minute, 1, 19 * time.Minute},                  // the second
			{20 * time.Minute, 1, 5*time.Hour + 39*time.Minute}, // the third
			{5*time.Hour + 38*time.Minute, 0, time.Minute},      // a refusal takes nothing
			{time.Minute, 1, 6 * time.Hour},                     // and one came back
		} {
			clock.Advance(step.after)
			for n := range step.takes {
				if wait := take(); wait != 0 {
					t.Fatalf("after %s take %d has to wait %s", step.after, n+1, wait)
				}
			}
			if wait := take(); wait != step.wait {
				t.Fatalf("after %s the next take waits %s, want %s", step.after, wait, step.wait)
			}
		}
	})
}

func TestARateIsUnusedUntilAnEventIsTakenAndAfterItsTime(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		day := config.Rate{N: 100, Per: 100 * 24 * time.Hour}
		b := limit.Budget{Name: "x", Key: "k", Rates: config.Rates{{N: 3, Per: time.Minute}, {N: 30, Per: time.Hour}, day}}
		unused := func(r config.Rate) (is bool) {
			update(t, d, func(tx *db.Tx) (err error) { is, err = limit.Unused(tx, b, r); return err })
			return is
		}
		for _, r := range b.Rates {
			if !unused(r) {
				t.Errorf("%v is used before anything was taken", r)
			}
		}
		takes(t, d, b, 1)
		for after, want := range map[time.Duration][]bool{0: {false, false, false}, 20 * time.Second: {true, false, false}, 2 * time.Minute: {true, true, false}, 24 * time.Hour: {true, true, true}} {
			clock.Advance(after)
			for i, r := range b.Rates {
				if unused(r) != want[i] {
					t.Errorf("after %s %v is unused: %v", after, r, !want[i])
				}
			}
			clock.Advance(-after)
		}
		clock.Advance(-10 * 365 * 24 * time.Hour) // taken by a clock that was ahead
		if !unused(day) {
			t.Error("a time from the future counts")
		}
	})
}

// Of a row that an older djauthy wrote, or of which a clock that was ahead was cleared, the
// second rate is spent until 1970: further back than a Duration goes, for a rate as long as
// that of a day's messages.
func TestTheWaitIsThatOfTheRateThatRefuses(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		b := limit.Budget{Name: "x", Key: "k", Rates: config.Rates{{N: 1, Per: time.Minute}, {N: 100_000, Per: 100_000 * 24 * time.Hour}}}
		var wait time.Duration
		update(t, d, func(tx *db.Tx) (err error) {
			if _, err = limit.Take(tx, b); err != nil {
				return err
			}
			if _, err = tx.Exec(`UPDATE budgets SET spent_to_2 = 0`); err != nil {
				return err
			}
			wait, err = limit.Take(tx, b)
			return err
		})
		if wait != time.Minute {
			t.Errorf("the wait is %s", wait)
		}
	})
}
