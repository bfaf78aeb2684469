package db_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// open opens a database that is not migrated.
func open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func engines(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { fn(t, dbtest.URL(t, engine)) })
	}
}

func TestBothEnginesHaveTheSameStepsByName(t *testing.T) {
	lite, err1 := db.MigrationNames("sqlite")
	pg, err2 := db.MigrationNames("postgres")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if len(lite) == 0 || !slices.Equal(lite, pg) {
		t.Errorf("sqlite has %v, postgres %v", lite, pg)
	}
	if !slices.IsSorted(lite) {
		t.Errorf("steps are not in the order of their names: %v", lite)
	}
}

func TestPendingTellsWithoutDoing(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		d := open(t, url)
		for range 2 {
			names, err := d.Pending(t.Context())
			if err != nil || len(names) == 0 {
				t.Fatalf("on an empty database: %v, %v", names, err)
			}
		}
		if err := d.Update(t.Context(), put("a", "1")); err == nil {
			t.Error("Pending made the tables")
		}
		pending, err := d.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		took, err := d.Migrate(t.Context())
		if err != nil || !slices.Equal(took, pending) {
			t.Errorf("told %v, took %v, %v", pending, took, err)
		}
		if names, err := d.Pending(t.Context()); err != nil || len(names) != 0 {
			t.Errorf("after it: %v, %v", names, err)
		}
	})
}

func TestMigratingTwiceDoesNothing(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		d := open(t, url)
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := d.Update(t.Context(), put("kept", "1")); err != nil {
			t.Fatal(err)
		}
		if took, err := d.Migrate(t.Context()); err != nil || len(took) != 0 {
			t.Errorf("took %v, %v", took, err)
		}
		wantKeys(t, d, "kept")
	})
}

func TestHandlesThatMigrateAtOnceTakeTurns(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		names, err := db.MigrationNames("sqlite")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var took []string
		together(6, func(int) {
			d, err := db.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			steps, err := d.Migrate(t.Context())
			if err := errors.Join(err, d.Close()); err != nil {
				t.Error(err)
			}
			mu.Lock()
			took = append(took, steps...)
			mu.Unlock()
		})
		if !slices.Equal(took, names) {
			t.Errorf("together they took %v, want each of %v once", took, names)
		}
	})
}

func TestADatabaseOfANewerDjauthyIsRefusedAndLeftAlone(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		d := open(t, url)
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO migrations (name, applied_at) VALUES ('9999_future', 0)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_, migrate := d.Migrate(t.Context())
		_, pending := d.Pending(t.Context())
		for name, err := range map[string]error{"Migrate": migrate, "Pending": pending} {
			if !errors.Is(err, db.ErrNewer) || !strings.Contains(err.Error(), "9999_future") || !strings.Contains(err.Error(), "newer djauthy") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAStepThatFailsLeavesTheDatabaseAsItWas(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		d := open(t, url)
		// A table is in the way, in the middle of the first step.
		block := func(tx *db.Tx) error { _, err := tx.Exec(`CREATE TABLE sessions (x BIGINT)`); return err }
		if err := d.Update(t.Context(), block); err != nil {
			t.Fatal(err)
		}
		_, err := d.Migrate(t.Context())
		if err == nil || !strings.Contains(err.Error(), "0001_start") || !strings.Contains(err.Error(), "sessions") {
			t.Errorf("the error names neither step nor reason: %v", err)
		}
		if err := d.Update(t.Context(), put("a", "1")); err == nil {
			t.Error("half a step stayed")
		}
		unblock := func(tx *db.Tx) error { _, err := tx.Exec(`DROP TABLE sessions`); return err }
		if err := d.Update(t.Context(), unblock); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Errorf("with the way clear: %v", err)
		}
	})
}
