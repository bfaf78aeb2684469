package multifactor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

const life = 10 * time.Minute

func codes(t *testing.T, alphabet string, length int) *multifactor.Codes {
	t.Helper()
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	check(t, err)
	c, err := multifactor.NewCodes(keys, alphabet, length, life)
	check(t, err)
	return c
}

// issue makes the n-th code of an attempt.
func issue(t *testing.T, d *db.DB, c *multifactor.Codes, attempt db.ID, n int, long bool) (code multifactor.Code) {
	t.Helper()
	check(t, d.Update(t.Context(), func(tx *db.Tx) (err error) {
		code, err = c.Issue(tx, attempt, n, long, 0)
		return err
	}))
	return code
}

func match(t *testing.T, d *db.DB, c *multifactor.Codes, attempt db.ID, text string, g accounts.Generation, short bool) (v multifactor.Verdict) {
	t.Helper()
	check(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
		v, err = c.Match(tx, attempt, text, g, short)
		return err
	}))
	return v
}

func newID(t *testing.T, d *db.DB) (id db.ID) {
	t.Helper()
	check(t, d.View(t.Context(), func(tx *db.Tx) error { id = tx.NewID(); return nil }))
	return id
}

func count(t *testing.T, d *db.DB, query string, args ...any) (n int) {
	t.Helper()
	check(t, d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) }))
	return n
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}
