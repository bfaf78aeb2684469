package limit_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/limit"
)

// Two statements about the same rows in different orders wait for each other, and
// PostgreSQL ends one of them. It inserts the rows of one statement one after the
// other, so their order in an empty table (ctid, PostgreSQL 5.6) is the order in
// which the statement takes them.
func TestEveryStatementTakesItsRowsInTheOrderOfTheirKeys(t *testing.T) {
	many := make([]limit.Budget, 20)
	amounts := make([]limit.Amount, len(many))
	for i := range many {
		rates := config.Rates{{N: 30, Per: time.Minute}, {N: 300, Per: time.Hour}, {N: 3000, Per: 24 * time.Hour}} // two rows
		many[i] = limit.Budget{Name: "x", Key: fmt.Sprint(i), Rates: rates}
		amounts[i] = limit.Amount{Budget: many[i], N: 1}
	}
	for name, do := range map[string]func(tx *db.Tx) error{
		"Take":     func(tx *db.Tx) error { _, err := limit.Take(tx, many...); return err },
		"Charge":   func(tx *db.Tx) error { return limit.Charge(tx, many...) },
		"GiveBack": func(tx *db.Tx) error { return limit.GiveBack(tx, amounts...) },
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.Fresh(t, "postgres")
			if err := d.Sequence(t.Context(), db.ReadCommitted(do)); err != nil {
				t.Fatal(err)
			}
			keys := keysAsTaken(t, d)
			if len(keys) != 2*len(many) {
				t.Fatalf("%d rows, want %d", len(keys), 2*len(many))
			}
			for i := 1; i < len(keys); i++ {
				if bytes.Compare(keys[i-1], keys[i]) >= 0 {
					t.Fatalf("row %d has the key %x, and row %d before it %x", i, keys[i], i-1, keys[i-1])
				}
			}
		})
	}
}

// keysAsTaken lists the keys of all budgets in the order in which they were inserted.
func keysAsTaken(t *testing.T, d *db.DB) (keys [][]byte) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) (err error) {
		keys, err = db.All(tx, db.One[[]byte], `SELECT key FROM budgets ORDER BY ctid`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestTheSweeperPassesOverABudgetThatIsBeingTaken(t *testing.T) {
	d := dbtest.Fresh(t, "postgres")
	for i := range 10 {
		b := limit.Budget{Name: "x", Key: fmt.Sprint(i), Rates: config.Rates{{N: 1, Per: time.Microsecond}}}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { return limit.Charge(tx, b) }); err != nil {
			t.Fatal(err)
		}
	}
	dbtest.PassesOver(t, d, "budgets", "key", func(ctx context.Context) error {
		return d.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
			tx.Now = tx.Now.Add(time.Minute)
			n, _, err := limit.Sweep(tx, "", 100)
			if err == nil && n != 9 {
				t.Errorf("%d of 10 rows went, one is held", n)
			}
			return err
		}))
	})
}
