package multifactor_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
)

func TestSweepCodesTakesOldAttemptsWhole(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := codes(t, "digits", 6)
		for range 10 {
			a := newID(t, d)
			for n := range multifactor.Slots {
				issue(t, d, c, a, n, false)
			}
		}
		clock.Advance(time.Hour)
		young := newID(t, d)
		issue(t, d, c, young, 0, false)
		before := clock.Now()
		for left := 31; left > 1; {
			var n int64
			check(t, d.Update(t.Context(), func(tx *db.Tx) (err error) {
				n, err = multifactor.SweepCodes(tx, before, 4)
				return err
			}))
			if n%multifactor.Slots != 0 || n < 4 || n > 6 && left > 1 {
				t.Fatalf("%d rows went at once", n)
			}
			left -= int(n)
			want(t, count(t, d, `SELECT count(*) FROM codes`), left)
			want(t, count(t, d, `SELECT count(*) FROM (SELECT attempt_id FROM codes WHERE attempt_id <> $1 GROUP BY attempt_id HAVING count(*) <> 3) half`, young), 0)
		}
		check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			n, err := multifactor.SweepCodes(tx, before, 4)
			want(t, n, 0)
			return err
		}))
	})
}

func TestSweepProofsWalksPastThoseThatCount(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		now := clock.Now()
		check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			for i := range 10 {
				expires := now
				if i%2 == 0 {
					expires = now.Add(time.Millisecond)
				}
				if err := multifactor.AddProof(tx, db.ID(i+1), 7, multifactor.Proof{Factor: "email", Account: 8, Verified: now.Add(-time.Hour), Expires: expires}); err != nil {
					return err
				}
			}
			return nil
		}))
		var from db.ID
		var total int64
		for steps := 0; ; steps++ {
			var n int64
			var next db.ID
			check(t, d.Update(t.Context(), func(tx *db.Tx) (err error) {
				n, next, err = multifactor.SweepProofs(tx, from, 4)
				return err
			}))
			if n > 4 {
				t.Fatalf("%d went at once", n)
			}
			total += n
			if from = next; next == 0 {
				want(t, steps, 3) // 4 + 4 + 2 rows, and the end
				break
			}
		}
		want(t, total, 5)
		want(t, count(t, d, `SELECT count(*) FROM proofs`), 5)
		want(t, count(t, d, `SELECT count(*) FROM proofs WHERE expires_at <= $1`, now.UnixMilli()), 0)
	})
}

func TestAProofEndsWithItsTime(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := multifactor.Proof{Factor: "email", Account: 8, Verified: clock.Now(), Expires: clock.Now().Add(time.Hour)}
		check(t, d.Update(t.Context(), func(tx *db.Tx) error { return multifactor.AddProof(tx, 1, 7, p) }))
		proofs := func(session db.ID) (all []multifactor.Proof) {
			check(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
				all, err = multifactor.Proofs(tx, session)
				return err
			}))
			return all
		}
		want(t, len(proofs(1)), 1)
		want(t, proofs(1)[0], p)
		want(t, len(proofs(2)), 0) // a proof in one session lifts no other
		p.Verified = p.Verified.Add(time.Minute)
		check(t, d.Update(t.Context(), func(tx *db.Tx) error { return multifactor.AddProof(tx, 1, 7, p) }))
		want(t, len(proofs(1)), 1)
		want(t, proofs(1)[0], p)
		clock.Advance(time.Hour)
		want(t, len(proofs(1)), 0)
		clock.Advance(-time.Hour)
		check(t, d.Update(t.Context(), func(tx *db.Tx) error { return multifactor.EndProofs(tx, 1) }))
		want(t, len(proofs(1)), 0)
	})
}
