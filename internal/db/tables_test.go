package db_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func tables(t testing.TB, d *db.DB) (all []db.Table) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) (err error) { all, err = tx.Tables(); return err }); err != nil {
		t.Fatal(err)
	}
	return all
}

func table(t testing.TB, d *db.DB, name string) db.Table {
	t.Helper()
	all := tables(t, d)
	i := slices.IndexFunc(all, func(t db.Table) bool { return t.Name == name })
	if i < 0 {
		t.Fatalf("no table %s", name)
	}
	return all[i]
}

// schema names the tables that the database has, but for the record of steps.
func schema(t testing.TB, d *db.DB) (all []string) {
	t.Helper()
	list := `SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'migrations' ORDER BY 1`
	if d.Engine() == "postgres" {
		list = `SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'migrations' ORDER BY 1`
	}
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			all = append(all, name)
			return err
		}, list)
	}); err != nil || len(all) == 0 {
		t.Fatalf("tables %v: %v", all, err)
	}
	return all
}

func TestTablesAreAllThatTheStepsMadeAndNobodyElses(t *testing.T) {
	seen := map[string][]db.Table{}
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		want := schema(t, d)
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`CREATE TABLE strangers (x BIGINT)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range tables(t, d) {
			got = append(got, x.Name)
			if len(x.Key) == 0 || len(x.Columns) == 0 {
				t.Errorf("%s has the key %v and the columns %v", x.Name, x.Key, x.Columns)
			}
		}
		if slices.Index(got, "users") > slices.Index(got, "accounts") {
			t.Errorf("accounts, which reference users, come first: %v", got)
		}
		seen[d.Engine()] = tables(t, d)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("tables are %v, the schema has %v", got, want)
		}
	})
	if len(seen) == 2 && !reflect.DeepEqual(seen["sqlite"], seen["postgres"]) {
		t.Errorf("the engines differ:\n%v\n%v", seen["sqlite"], seen["postgres"])
	}
}

func TestRowsComeBackAsTheyWerePutInTheSameOrderOnBothEngines(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		meta, budgets := table(t, d, "meta"), table(t, d, "budgets")
		if d.Engine() == "postgres" { // a server whose language sorts otherwise
			if err := d.Update(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(`ALTER TABLE meta ALTER COLUMN key TYPE TEXT COLLATE "und-x-icu"`)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		var texts, blobs [][]any
		for i, key := range []string{"", "A", "Z", "_", "a", "b", "ß", "é", "日本", "🙂"} {
			texts = append(texts, []any{key, fmt.Sprintf("value\n%d '\"$1", i)})
		}
		for i, key := range [][]byte{{}, {0}, []byte("text"), {0xff, 0xfe}} {
			blobs = append(blobs, []any{key, int64(math.MinInt64), int64(i - 1), int64(math.MaxInt64)})
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			if err := tx.InsertRows(meta, texts); err != nil {
				return err
			}
			return tx.InsertRows(budgets, blobs)
		}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			table db.Table
			want  [][]any
		}{{meta, texts}, {budgets, blobs}} {
			if got := rows(t, d, c.table); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s:\n%v, want\n%v", c.table.Name, got, c.want)
			}
		}
	})
}

func rows(t testing.TB, d *db.DB, x db.Table) (all [][]any) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		all = nil
		if n, err := tx.Count(x); err != nil || n == 0 {
			t.Errorf("%s has %d rows: %v", x.Name, n, err)
		}
		return tx.EachRow(x, func(values []any) error {
			all = append(all, slices.Clone(values))
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMoreRowsThanOneStatementTakes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		meta := table(t, d, "meta")
		var want [][]any
		for i := range 20_000 {
			want = append(want, []any{fmt.Sprintf("%05d", i), "x"})
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { return tx.InsertRows(meta, want) }); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, d, meta); !reflect.DeepEqual(got, want) {
			t.Errorf("%d rows, want %d", len(got), len(want))
		}
	})
}
