package signkeys_test

import (
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

func TestTwoProcessesMakeOneKeyAtATime(t *testing.T) {
	twoProcesses(t, func(t *testing.T, a, b *db.DB, _ *dbtest.Clock) {
		const many = 12
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				d := []*db.DB{a, b}[i%2]
				rotate(t, d, newRing(t, d, 1, quarter))
			})
		}
		all.Wait()
		r := newRing(t, a, 1, quarter)
		_, next, old := list(t, r)
		dbtest.Want(t, old, many-1)
		dbtest.Want(t, rotate(t, a, r).KID, next)
	})
}

func TestOfARetiredKeyThePublicPartIsLeft(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		for range 2 {
			rotate(t, d, r)
		}
		var sealed []byte
		dbtest.Check(t, d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get(`SELECT sealed FROM signing_keys WHERE state = 'old'`).Scan(&sealed)
		}))
		dbtest.Want(t, len(sealed), 28) // nonce and tag around nothing
	})
}
