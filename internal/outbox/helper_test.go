package outbox_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func count(t *testing.T, d *db.DB, query string, args ...any) (n int) {
	t.Helper()
	check(t, d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) }))
	return n
}

func check(t *testing.T, err error) {
	t.Helper()
	dbtest.Check(t, err)
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	dbtest.Want(t, got, wanted)
}
