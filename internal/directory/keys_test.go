package directory_test

import (
	"slices"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/signkeys"
)

// keyLines are the lines of history about signing keys, the earliest first.
func keyLines(t *testing.T, d *db.DB) (all []string) {
	t.Helper()
	dbtest.Check(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.All(tx, func(line *string, scan db.Scan) error { return scan(line) },
			`SELECT event || ' ' || detail || ' ' || actor_kind FROM audit WHERE subject_kind = 'key' ORDER BY id`)
		return err
	}))
	return all
}

func TestWhoRotatesKeysStandsInTheHistory(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir := open(t, d)
		_, err := dir.Keys.JWKS(t.Context()) // makes the first keys
		dbtest.Check(t, err)
		dbtest.Want(t, len(keyLines(t, d)), 0)
		before, err := dir.Keys.List(t.Context())
		dbtest.Check(t, err)
		k, err := dir.RotateKeys(t.Context(), directory.Command())
		dbtest.Check(t, err)
		dbtest.Want(t, k.KID, before[1].KID)
		dbtest.Want(t, k.State, signkeys.Active)
		lines := keyLines(t, d)
		if len(lines) != 1 || lines[0] != "changed "+k.KID+" command" {
			t.Errorf("the history has %q", lines)
		}
		k, withdrawn, err := dir.WithdrawKeys(t.Context(), directory.Command())
		dbtest.Check(t, err)
		dbtest.Want(t, len(withdrawn), 3)
		for _, gone := range withdrawn {
			lines = append(lines, "deleted "+gone.KID+" command")
		}
		lines = append(lines, "changed "+k.KID+" command")
		if got := keyLines(t, d); !slices.Equal(got, lines) {
			t.Errorf("the history has %q, want %q", got, lines)
		}
	})
}
