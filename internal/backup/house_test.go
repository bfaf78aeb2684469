package backup_test

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/djauthy/djauthy/internal/backup"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

var engines = []string{"sqlite", "postgres"}

// pairs runs a test from each engine to each.
func pairs(t *testing.T, fn func(t *testing.T, from, to string)) {
	t.Helper()
	for _, from := range engines {
		for _, to := range engines {
			t.Run(from+" to "+to, func(t *testing.T) { fn(t, from, to) })
		}
	}
}

// open opens a database without migrating it.
func open(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// value is the i-th value of a column, each one different.
func value(c db.Column, i int) any {
	switch c.Kind {
	case db.KindInt:
		return int64(i)
	case db.KindText:
		return fmt.Sprintf("%d ż 日本 🙂 '\"\n", i)
	}
	return bytes.Repeat([]byte{0xff, 0}, i)
}

// fill adds n rows to every table that there is.
func fill(t testing.TB, d *db.DB, n int) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		tables, err := tx.Tables()
		if err != nil || len(tables) == 0 {
			return fmt.Errorf("%d tables: %w", len(tables), err)
		}
		for _, x := range tables {
			var rows [][]any
			for i := range n {
				var row []any
				for _, c := range x.Columns {
					row = append(row, value(c, i))
				}
				rows = append(rows, row)
			}
			if err := tx.InsertRows(x, rows); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// full is a migrated database with n rows in each table.
func full(t testing.TB, engine string, n int) *db.DB {
	t.Helper()
	d := dbtest.Fresh(t, engine)
	fill(t, d, n)
	return d
}

// write makes a backup in memory.
func write(t testing.TB, d *db.DB) ([]byte, backup.Contents) {
	t.Helper()
	var b bytes.Buffer
	c, err := backup.Write(t.Context(), d, &b, backup.Options{Version: "v1", Fingerprint: "f"})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), c
}

func restore(t testing.TB, d *db.DB, text []byte) backup.Contents {
	t.Helper()
	c, err := backup.Target{DB: d}.Restore(t.Context(), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantSame compares every row of every table.
func wantSame(t testing.TB, got, want map[string][]string) {
	t.Helper()
	for name := range maps.Keys(want) {
		slices.Sort(got[name])
		slices.Sort(want[name])
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s holds\n%q, want\n%q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d tables with rows, want %d", len(got), len(want))
	}
}
