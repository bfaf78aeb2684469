package db_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestUpdateStaysAndViewSeesIt(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		if err := d.Update(t.Context(), put("a", "1")); err != nil {
			t.Fatal(err)
		}
		var value string
		err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get(`SELECT value FROM meta WHERE key = $1`, "a").Scan(&value)
		})
		if err != nil || value != "1" {
			t.Fatalf("read %q, %v", value, err)
		}
	})
}

func TestNoRowIsErrNotFound(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		var value string
		err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get(`SELECT value FROM meta WHERE key = $1`, "none").Scan(&value)
		})
		if !errors.Is(err, db.ErrNotFound) || db.Unavailable(err) {
			t.Fatalf("got %v, unavailable %v", err, db.Unavailable(err))
		}
	})
}

func TestAnErrorRollsAnUpdateBackAndComesOutAsItWas(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			return errors.Join(put("a", "1")(tx), errOops)
		})
		if !errors.Is(err, errOops) || db.Unavailable(err) {
			t.Fatalf("got %v", err)
		}
		wantKeys(t, d)
	})
}

func TestARehearsedUpdateRunsTwiceAndStaysOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		runs, found := 0, 0
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			runs++
			var n int
			if err := tx.Get(`SELECT count(*) FROM meta`).Scan(&n); err != nil {
				return err
			}
			found += n
			return put("a", "1")(tx)
		})
		if err != nil || runs != 2 || found != 0 {
			t.Fatalf("%d runs, which found %d rows, %v; want 2 runs on an empty table", runs, found, err)
		}
		wantKeys(t, d, "a")
	})
}

func TestWithoutRehearsalAnUpdateRunsOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		d.Rehearse = false
		runs := 0
		err := d.Update(t.Context(), func(*db.Tx) error { runs++; return nil })
		if err != nil || runs != 1 {
			t.Fatalf("%d runs, %v", runs, err)
		}
	})
}

func TestViewRefusesToWrite(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		for _, query := range []string{
			`INSERT INTO meta (key, value) VALUES ('a', '1')`, `DELETE FROM users`, `UPDATE users SET email = ''`, `CREATE TABLE x (y BIGINT)`,
		} {
			err := d.View(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(query); return err })
			if err == nil || !strings.Contains(err.Error(), "read") {
				t.Errorf("%s: %v", query, err)
			}
		}
		wantKeys(t, d)
		// It is still there for the next who read.
		for range 20 {
			if err := d.View(t.Context(), func(*db.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestReadAnswersOneQueryAndRefusesToWrite(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		if err := d.Update(t.Context(), put("a", "1")); err != nil {
			t.Fatal(err)
		}
		var value string
		err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.Get(`SELECT value FROM meta WHERE key = 'a'`).Scan(&value) })
		if err != nil || value != "1" {
			t.Errorf("read %q, %v", value, err)
		}
		if err := d.Read(t.Context(), put("b", "1")); err == nil {
			t.Error("Read wrote")
		}
		wantKeys(t, d, "a")
	})
}

func TestAViewSeesOneMoment(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		count := func(tx *db.Tx) (n int) {
			if err := tx.Get(`SELECT count(*) FROM meta`).Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		var before, after int
		err := d.View(t.Context(), func(tx *db.Tx) error {
			before = count(tx)
			if err := d.Update(t.Context(), put("a", "1")); err != nil {
				return err
			}
			after = count(tx)
			return nil
		})
		if err != nil || before != 0 || after != 0 {
			t.Fatalf("saw %d, then %d rows, %v", before, after, err)
		}
		wantKeys(t, d, "a")
	})
}

func TestAFailedPartOfASequenceKeepsTheEarlierAndStopsTheLater(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		for _, first := range []func(func(*db.Tx) error) db.Part{db.Serializable, db.ReadCommitted} {
			err := d.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(`DELETE FROM meta`); return err })
			if err != nil {
				t.Fatal(err)
			}
			later := false
			err = d.Sequence(t.Context(), first(put("counted", "1")),
				db.Serializable(func(tx *db.Tx) error { return errors.Join(put("undone", "1")(tx), errOops) }),
				db.Serializable(func(*db.Tx) error { later = true; return nil }))
			if !errors.Is(err, errOops) || later {
				t.Fatalf("got %v, a later part ran: %v", err, later)
			}
			wantKeys(t, d, "counted")
		}
	})
}

func TestWhatComesAfterTheDecidingPartDoesNotUndoItsAnswer(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		var dropped error
		d.Dropped = func(err error) { dropped = err }
		// In one group with others, on SQLite, and past the end of the caller's time.
		ctx, cancel := context.WithCancel(t.Context())
		err := d.Sequence(ctx,
			db.ReadCommitted(put("decided", "1")),
			db.Afterwards(func(tx *db.Tx) error { return errors.Join(put("undone", "1")(tx), errOops) }),
			db.Afterwards(func(tx *db.Tx) error { cancel(); return put("later", "1")(tx) }))
		if err != nil {
			t.Errorf("what is decided is answered with %v", err)
		}
		if !errors.Is(dropped, errOops) {
			t.Errorf("told of %v, want the part that failed", dropped)
		}
		wantKeys(t, d, "decided", "later")
	})
}

func TestATransactionHasOneTimeFromTheDatabasesClock(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		c.Advance(1500 * time.Microsecond)
		check := func(tx *db.Tx) error {
			c.Advance(time.Hour)
			if want := c.Now().Add(-time.Hour).Truncate(time.Millisecond); !tx.Now.Equal(want) || tx.Now.Location() != time.UTC {
				t.Errorf("the time is %v, want %v in UTC", tx.Now, want)
			}
			if !db.Time(tx.Millis()).Equal(tx.Now) {
				t.Errorf("stored as %d it reads as %v", tx.Millis(), db.Time(tx.Millis()))
			}
			return nil
		}
		if err := errors.Join(d.View(t.Context(), check), d.Update(t.Context(), check)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAPanicIsAnErrorAndHarmsNothingThatFollows(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			if err := put("a", "1")(tx); err != nil {
				return err
			}
			panic("boom")
		})
		if err == nil || !strings.Contains(err.Error(), "boom") {
			t.Fatalf("got %v", err)
		}
		wantKeys(t, d)
		if err := d.Update(t.Context(), put("b", "1")); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, d, "b")
	})
}

func TestAPanicInAViewHarmsNoLaterView(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		for range 20 { // more than there are readers
			func() {
				defer func() { _ = recover() }()
				_ = d.View(t.Context(), func(*db.Tx) error { panic("boom") })
			}()
		}
		for range 20 {
			if err := d.View(t.Context(), func(*db.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestReadersThatLoadDoesNotNeedAreNotOpened(t *testing.T) {
	d := opened(t, "sqlite")
	for range 20 {
		if err := d.Read(t.Context(), func(*db.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.Readers(d); n != 1 {
		t.Errorf("one read after the other took %d readers", n)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := d.Read(ctx, func(*db.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a read that nobody waits for: %v", err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// opened opens and migrates a database that the test itself closes.
func opened(t *testing.T, engine string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dbtest.URL(t, engine))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAfterCloseTheDatabaseIsUnavailableAtOnce(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for name, use := range map[string]func(context.Context, *db.DB) error{
			"Update": func(ctx context.Context, d *db.DB) error { return d.Update(ctx, put("a", "1")) },
			"View":   func(ctx context.Context, d *db.DB) error { return d.View(ctx, func(*db.Tx) error { return nil }) },
			"Ping":   func(ctx context.Context, d *db.DB) error { return d.Ping(ctx) },
		} {
			t.Run(engine+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := opened(t, engine)
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				if err := use(ctx, d); err == nil || !db.Unavailable(err) {
					t.Errorf("%v, unavailable %v", err, db.Unavailable(err))
				}
				if ctx.Err() != nil {
					t.Error("it waited for a closed database until its time was up")
				}
			})
		}
	}
}

func TestCloseWaitsForAView(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			d := opened(t, engine)
			held, release := make(chan struct{}), make(chan struct{})
			viewed, closed := make(chan error), make(chan error)
			go func() {
				viewed <- d.View(t.Context(), func(tx *db.Tx) error {
					close(held)
					<-release
					var n int
					return tx.Get(`SELECT count(*) FROM meta`).Scan(&n)
				})
			}()
			<-held
			go func() { closed <- d.Close() }()
			waitFor(t, "Close to begin", func() bool {
				return d.Update(t.Context(), func(*db.Tx) error { return nil }) != nil
			})
			close(release)
			if err := <-viewed; err != nil {
				t.Errorf("a view under way: %v", err)
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTimesAreStoredInMillisecondsAndComeBack(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		err := d.View(t.Context(), func(tx *db.Tx) error {
			var stored int64
			var back, never time.Time
			err := tx.Get(`SELECT CAST($1 AS BIGINT), CAST($1 AS BIGINT), CAST($2 AS BIGINT)`, at, time.Time{}).Scan(&stored, &back, &never)
			if stored != at.UnixMilli() || !back.Equal(at.Truncate(time.Millisecond)) || back.Location() != time.UTC || !never.IsZero() {
				t.Errorf("%s is stored as %d and comes back as %s; no time comes back as %s", at, stored, back, never)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestAllReturnsEveryRowInOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		var all []string
		if err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
			for _, key := range []string{"b", "c", "a"} {
				if err := put(key, "x")(tx); err != nil {
					return err
				}
			}
			all, err = db.All(tx, db.One[string], `SELECT key FROM meta WHERE value = $1 ORDER BY key`, "x")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(all, []string{"a", "b", "c"}) {
			t.Error(all)
		}
	})
}
