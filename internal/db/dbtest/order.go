package dbtest

import (
	"context"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// InOrder checks on PostgreSQL that do takes the rows of a table in the order of a column.
// Two who take the same rows in different orders wait for each other, and PostgreSQL ends
// one of them. It holds the first row until somebody waits for that: do has taken none of
// the others then, and none of the later tables'. Every row of the table is one that do
// takes.
func InOrder(t *testing.T, d *db.DB, table, column string, do func() error, later ...string) {
	t.Helper()
	done := make(chan error, 1)
	err := d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
		if err := each(tx, `SELECT 1 FROM `+table+` ORDER BY `+column+` LIMIT 1 FOR UPDATE`); err != nil {
			return err
		}
		go func() { done <- do() }()
		if !waitedFor(tx) {
			t.Error("nobody waits for the first row")
			return nil
		}
		for _, name := range append(later, table) {
			var all, free int
			if err := tx.Get(`SELECT count(*) FROM ` + name).Scan(&all); err != nil {
				return err
			}
			if err := tx.Get(`SELECT count(*) FROM (SELECT 1 FROM ` + name + ` FOR UPDATE SKIP LOCKED) free`).Scan(&free); err != nil {
				return err
			}
			if all == 0 || free != all {
				t.Errorf("who waits for the first row of %s holds %d of %d of %s", table, all-free, all, name)
			}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// PassesOver checks on PostgreSQL that do does not wait for the first row of a table, by a
// column, which somebody holds.
func PassesOver(t *testing.T, d *db.DB, table, column string, do func(ctx context.Context) error) {
	t.Helper()
	err := d.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
		if err := each(tx, `SELECT 1 FROM `+table+` ORDER BY `+column+` LIMIT 1 FOR UPDATE`); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // less than lock_timeout
		defer cancel()
		return do(ctx)
	}))
	if err != nil {
		t.Error(err)
	}
}

func each(tx *db.Tx, query string) error {
	return tx.Each(func(func(...any) error) error { return nil }, query)
}

// waitedFor reports whether another transaction comes to wait for what this one holds.
func waitedFor(tx *db.Tx) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		var n int
		err := tx.Get(`SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))`).Scan(&n)
		if err != nil || n > 0 {
			return err == nil
		}
	}
	return false
}
