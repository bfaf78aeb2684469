package db_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// older are the steps of an older djauthy.
var older = []db.Step{{Name: "0001_start", Applied: 1}, {Name: "0002_last_take", Applied: 2}}

func begin(t testing.TB, d *db.DB, again bool) *db.Load {
	t.Helper()
	l, err := d.BeginLoad(t.Context(), older, again)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// loadable runs a test on an empty database of each engine, with and without tables.
func loadable(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	engines(t, func(t *testing.T, url string) {
		t.Run("no tables", func(t *testing.T) { fn(t, open(t, url)) })
	})
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) { fn(t, d) })
}

func TestALoadMakesTheSchemaOfItsStepsAndFillsIt(t *testing.T) {
	loadable(t, func(t *testing.T, d *db.DB) {
		l := begin(t, d, false)
		row := [][]any{{"a", "1"}}
		if err := errors.Join(l.Insert(t.Context(), table(t, d, "meta"), row), l.Finish(t.Context())); err != nil {
			t.Fatal(err)
		}
		if err := d.View(t.Context(), func(tx *db.Tx) error {
			taken, err := tx.Taken()
			if !reflect.DeepEqual(taken, older) {
				t.Errorf("steps taken: %v", taken)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if took, err := d.Migrate(t.Context()); err != nil || len(took) == 0 || took[0] != "0003_services" {
			t.Errorf("migrating took %v, %v", took, err)
		}
		wantKeys(t, d, "a")
	})
}

func TestALoadRefusesADatabaseWithRowsAndLeavesItAlone(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		fill := func(query string) {
			t.Helper()
			if err := d.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(query); return err }); err != nil {
				t.Fatal(err)
			}
		}
		fill(`INSERT INTO realms (realm, can_verify, can_administer) VALUES ('a', 1, 1)`)
		before := dbtest.Dump(t, d)
		for _, again := range []bool{false, true} {
			if _, err := d.BeginLoad(t.Context(), older, again); !errors.Is(err, db.ErrNotEmpty) || !strings.Contains(err.Error(), "realms") {
				t.Errorf("again %v: %v", again, err)
			}
		}
		if after := dbtest.Dump(t, d); !reflect.DeepEqual(after, before) {
			t.Errorf("it was changed: %v", after)
		}
		fill(`INSERT INTO migrations (name, applied_at) VALUES ('9999_future', 0)`)
		if _, err := d.BeginLoad(t.Context(), older, true); !errors.Is(err, db.ErrNewer) {
			t.Errorf("a newer database: %v", err)
		}
	})
}

func TestADatabaseThatALoadLeftUnfinishedIsRefusedUntilItIsLoadedAgain(t *testing.T) {
	loadable(t, func(t *testing.T, d *db.DB) {
		first := begin(t, d, false)
		row := [][]any{{"a", "1"}}
		if err := first.Insert(t.Context(), table(t, d, "meta"), row); err != nil {
			t.Fatal(err)
		}
		_, migrate := d.Migrate(t.Context())
		_, pending := d.Pending(t.Context())
		_, load := d.BeginLoad(t.Context(), older, false)
		for name, err := range map[string]error{"Migrate": migrate, "Pending": pending, "BeginLoad": load} {
			if !errors.Is(err, db.ErrUnfinished) {
				t.Errorf("%s: %v", name, err)
			}
		}
		second := begin(t, d, true)
		if first.Insert(t.Context(), table(t, d, "meta"), row) == nil || first.Finish(t.Context()) == nil || first.Abandon(t.Context()) == nil {
			t.Error("the first load goes on in the second's database")
		}
		if err := second.Insert(t.Context(), table(t, d, "meta"), row); err != nil {
			t.Error(err)
		}
		if err := second.Abandon(t.Context()); err != nil {
			t.Error(err)
		}
		if left := tables(t, d); len(left) != 0 {
			t.Errorf("an abandoned load leaves %v", left)
		}
		if took, err := d.Migrate(t.Context()); err != nil || len(took) == 0 {
			t.Errorf("afterwards migrating took %v, %v", took, err)
		}
	})
}

func TestALoadTouchesNoTableOfOthers(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		d := open(t, url)
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`CREATE TABLE users (theirs BIGINT)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.BeginLoad(t.Context(), older, true); err == nil || !strings.Contains(err.Error(), "users") {
			t.Errorf("where others have a table users: %v", err)
		}
		if err := d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Each(func(func(...any) error) error { return nil }, `SELECT theirs FROM users`)
		}); err != nil {
			t.Errorf("their table is gone: %v", err)
		}
	})
}
