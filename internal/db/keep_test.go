package db_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// read reads one row of meta.
func read(tx *db.Tx, key string) (value string, err error) {
	err = tx.Get(`SELECT value FROM meta WHERE key = $1`, key).Scan(&value)
	return value, err
}

// keeps is read of what is kept, which counts how often it is read.
func keeps(tx *db.Tx, key string, reads *int) (string, error) {
	return db.Keep(tx, db.Key{What: "meta", More: key}, func() (string, error) {
		*reads++
		return read(tx, key)
	})
}

// set changes one row of meta.
func set(key, value string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE meta SET value = $2 WHERE key = $1`, key, value)
		return err
	}
}

func TestWhatIsKeptIsReadAnewAfterEveryChange(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		reads, views := 0, 0
		wants := func(value string, more int) {
			t.Helper()
			before := reads
			for range 3 {
				dbtest.Check(t, d.View(t.Context(), func(tx *db.Tx) error {
					got, err := keeps(tx, "a", &reads)
					dbtest.Want(t, got, value)
					return err
				}))
				views++
			}
			if d.Engine() == "sqlite" {
				dbtest.Want(t, reads-before, more)
			} else {
				dbtest.Want(t, reads, views)
			}
		}
		dbtest.Check(t, d.Update(t.Context(), put("a", "1")))
		wants("1", 1)
		dbtest.Check(t, d.Update(t.Context(), set("a", "2")))
		wants("2", 1)
		dbtest.Check(t, d.Update(t.Context(), put("b", "another row")))
		wants("2", 1)
		err := d.Update(t.Context(), func(tx *db.Tx) error { return errors.Join(set("a", "3")(tx), errOops) })
		dbtest.Want(t, errors.Is(err, errOops), true)
		wants("2", 1) // its group is committed all the same
	})
}

func TestAnUpdateKeepsNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dbtest.Check(t, d.Update(t.Context(), put("a", "1")))
		dbtest.Check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			reads := 0
			for _, value := range []string{"2", "3"} {
				if err := set("a", value)(tx); err != nil {
					return err
				}
				got, err := keeps(tx, "a", &reads)
				if err != nil {
					return err
				}
				dbtest.Want(t, got, value)
			}
			dbtest.Want(t, reads, 2)
			return nil
		}))
	})
}

func TestNoErrorIsKept(t *testing.T) {
	d, _ := sqlite(t)
	reads := 0
	for n := range 2 {
		dbtest.Check(t, d.View(t.Context(), func(tx *db.Tx) error {
			if _, err := keeps(tx, "a", &reads); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%v, want that there is none", err)
			}
			return nil
		}))
		dbtest.Want(t, reads, n+1)
	}
}

func TestNotMoreIsKeptThanThereIsRoomFor(t *testing.T) {
	d, _ := sqlite(t)
	dbtest.Check(t, d.View(t.Context(), func(tx *db.Tx) error {
		for n := range 3 * db.MaxKept {
			got, err := db.Keep(tx, db.Key{What: "number", ID: db.ID(n)}, func() (int, error) { return n, nil })
			if err != nil {
				return err
			}
			dbtest.Want(t, got, n)
			if kept := db.Kept(tx); kept > db.MaxKept {
				t.Fatalf("%d are kept", kept)
			}
		}
		return nil
	}))
}

// Two processes change and read one file at the same time. In every view what is kept is what
// is read, and nothing older than what was committed before the view.
func TestWhatIsKeptIsNeverOld(t *testing.T) {
	d, path := sqlite(t)
	other := dbtest.Open(t, "sqlite:"+path)
	dbtest.Check(t, d.Update(t.Context(), put("a", "0")))
	const changes = 300
	var mu sync.Mutex
	committed, kept := 0, 0
	change := func(d *db.DB) error {
		for range changes {
			var now int
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				value, err := read(tx, "a")
				if err != nil {
					return err
				}
				if now, err = strconv.Atoi(value); err != nil {
					return err
				}
				now++
				return set("a", strconv.Itoa(now))(tx)
			})
			if err != nil {
				return err
			}
			mu.Lock()
			committed = max(committed, now)
			mu.Unlock()
		}
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	look := func(d *db.DB) error {
		for ctx.Err() == nil {
			mu.Lock()
			atLeast := committed
			mu.Unlock()
			reads := 0
			err := d.View(t.Context(), func(tx *db.Tx) error {
				first, err := keeps(tx, "a", &reads)
				if err != nil {
					return err
				}
				direct, err := read(tx, "a")
				if n, _ := strconv.Atoi(first); err == nil && (first != direct || n < atLeast) {
					err = fmt.Errorf("kept is %s, read is %s, and %d was committed before", first, direct, atLeast)
				}
				return err
			})
			if err != nil {
				return err
			}
			mu.Lock()
			kept += 1 - reads
			mu.Unlock()
		}
		return nil
	}
	var writers, readers sync.WaitGroup
	errs := make(chan error, 8)
	for _, d := range []*db.DB{d, other} {
		writers.Go(func() { errs <- change(d) })
		for range 2 {
			readers.Go(func() { errs <- look(d) })
		}
	}
	writers.Wait()
	stop()
	readers.Wait()
	close(errs)
	for err := range errs {
		dbtest.Check(t, err)
	}
	if kept == 0 {
		t.Error("nothing was ever kept")
	}
}
