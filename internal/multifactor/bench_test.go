package multifactor_test

import (
	"fmt"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// BenchmarkDecide is a decision as the server makes it for each request: the book's rules, those
// that guard three things, and whether the proofs of a session meet them. How many levels there
// are beside should make no difference.
func BenchmarkDecide(b *testing.B) {
	for _, levels := range []int{10, 1000} {
		b.Run(fmt.Sprintf("three of %d", levels), func(b *testing.B) {
			decides(b, levels, func(l *level, i int) {
				l.For = multifactor.Guards{Permissions: []string{fmt.Sprint("p", i)}, Groups: []string{fmt.Sprint("g", i)}, Sites: []string{fmt.Sprint("s", i)}}
			})
		})
		b.Run(fmt.Sprintf("all of %d", levels), func(b *testing.B) {
			decides(b, levels, func(l *level, _ int) { l.For.Sites = []string{"s3"} })
		})
	}
}

// decides has a session with a mailed code and a passkey ask for three things again and again.
// Each level is met by the last of its sets.
func decides(b *testing.B, levels int, guard func(l *level, i int)) {
	d := dbtest.Fresh(b, "sqlite")
	dbtest.Check(b, d.Update(b.Context(), func(tx *db.Tx) error {
		for i := range levels {
			l := needing(fmt.Sprint("l", i), i%100, "email+totp", "passkey:uv")
			guard(l, i)
			if err := multifactor.SetLevel(tx, *l); err != nil {
				return err
			}
		}
		return nil
	}))
	things := []multifactor.Thing{{Kind: multifactor.Site, Name: "s3"}, {Kind: multifactor.Group, Name: "g5"}, {Kind: multifactor.Permission, Name: "p7"}}
	var book multifactor.Book
	holds := proved("ev")
	dbtest.Check(b, d.View(b.Context(), func(tx *db.Tx) error {
		var generation string
		if err := tx.Get(`SELECT ` + multifactor.GenerationColumn).Scan(&generation); err != nil {
			return err
		}
		b.ReportAllocs()
		for b.Loop() {
			all, err := book.Rules(tx, generation)
			if err != nil {
				return err
			}
			rules, known := all.For(things...)
			if decision := multifactor.Decide(rules, nil, holds, now); !known || !decision.Allowed {
				b.Fatalf("%v", decision)
			}
		}
		return nil
	}))
}
