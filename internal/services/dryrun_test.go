package services_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

// rowsAtRandom are rows of few names, numbers, seeds and ends, so that most contradict
// or repeat others.
func rowsAtRandom(r *rand.Rand, end time.Time, n int) (rows []services.Row) {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	for i := range n {
		row := services.Row{
			Line: i + 1, ID: services.ID(r.IntN(25)), Name: fmt.Sprint("name", r.IntN(12)), Realm: one("office", "lab"),
			Seed: one(shopSeed, shopSeed, printerSeed, " "+shopSeed, "", "no base32!"),
		}
		switch r.IntN(12) {
		case 0:
			row.Expires = end
		case 1:
			row.Expires = end.Add(time.Hour)
		case 2:
			row.ID = services.MaxID + services.ID(r.IntN(2))
		case 3:
			row.Problem = "it cannot be read"
		case 4:
			row.Skip = "auth.user"
		case 5:
			row.Name = one("", " ", " name1 ", "a\x00")
		}
		rows = append(rows, row)
	}
	return rows
}

// A dry run is worth nothing if the run after it comes to something else.
func TestATrialForetellsWhatAnImportComesTo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.add(t, "here", "office")
		for round := range 20 {
			r := rand.New(rand.NewPCG(7, uint64(round)))
			rows := rowsAtRandom(r, h.clock.Now().Add(time.Hour), 60)
			var told []services.RowResult
			h.untouched(t, func() {
				trial := h.s.NewDryRun()
				for from := 0; from < len(rows); {
					to := min(len(rows), from+1+r.IntN(20))
					some, err := trial.Rows(t.Context(), rows[from:to])
					check(t, err)
					told, from = append(told, some...), to
				}
			})
			for i, row := range rows {
				o, reason := h.tryImport(t, row)
				if want := (services.RowResult{Outcome: o, Reason: reason}); told[i] != want {
					t.Errorf("round %d, %+v: %+v, but then %+v", round, row, told[i], want)
				}
			}
			h.update(t, func(tx *db.Tx) error { // half of them are here in the next round
				for n := range 6 {
					e, err := h.s.Find(tx, fmt.Sprint("name", n), "office")
					if err == nil {
						err = h.s.Delete(tx, e.ID, audit.By{Actor: audit.Command})
					}
					if err != nil && !errors.Is(err, db.ErrNotFound) {
						return err
					}
				}
				return nil
			})
		}
	})
}
