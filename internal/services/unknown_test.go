package services_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/services"
)

// nobody is a triple of a name that no entry has.
func nobody(n int) services.Triple {
	return services.Triple{Name: fmt.Sprint("nobody ", n), Realm: "office", Token: "000000"}
}

// wrongTokens are wrong tokens of every kind: known and unknown, each as the caller's
// own and as a claim.
func (h *house) wrongTokens(t *testing.T) map[string]func() {
	t.Helper()
	h.setRealm(t, "shops", services.Verify, "office")
	shop, printer := h.add(t, "shop", "shops"), h.add(t, "printer", "office")
	barred := h.add(t, "x", "lab")
	expired, err := h.tryAdd(t, services.Draft{Name: "expired", Realm: "office", Expires: h.clock.Now().Add(time.Second)})
	check(t, err)
	h.clock.Advance(time.Second)
	want(t, h.calls(t, printer, home), services.NotAllowed)
	h.written(t)
	own := func(show services.Triple, network string) func() {
		return func() { want(t, h.verify(t, from(network, show), nil), services.BadCaller) }
	}
	claim := func(about services.Triple) func() {
		return func() { want(t, h.asks(t, shop, about), services.BadClaim) }
	}
	return map[string]func(){
		"own, known":                          own(h.guess(t, printer), "203.0.113.1"),
		"own, known, where it called before":  own(h.guess(t, printer), home),
		"own, unknown":                        own(nobody(1), "203.0.113.2"),
		"own, unknown, where others called":   own(nobody(2), home),
		"own, expired":                        own(h.triple(t, expired), "203.0.113.3"),
		"claim, known":                        claim(h.guess(t, printer)),
		"claim, unknown":                      claim(nobody(3)),
		"claim, expired":                      claim(h.triple(t, expired)),
		"claim, in a realm it may not ask of": claim(h.triple(t, barred)),
	}
}

// Four rows of budgets, the last use, and a line of history. What is not written is not
// waited for, and would tell by the time of the answer which names are known.
func TestAWrongTokenWritesAsManyRowsWhateverStandsBehindTheName(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.wrongTokens(t)
		for _, round := range []string{"first", "second"} {
			for name, guess := range all {
				h.clock.Advance(time.Second)
				wrote, rows := h.writes(t, guess), 0
				for _, n := range wrote {
					rows += n
				}
				if rows != 4 || wrote["budgets"] != 2 {
					t.Errorf("%s, the %s time: %d rows were written, want 4 with 2 of budgets: %v", name, round, rows, wrote)
				}
			}
		}
	})
}

// A name that is refused for good without a write is answered faster. So the budget of
// one name that is spent must not be that of the next.
func TestANameThatIsSpentLeavesOtherUnknownNamesTheirBudgets(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for n := range 3 {
			for range tries {
				h.verify(t, from(home, nobody(n)), nil)
			}
			want(t, len(h.writes(t, func() { h.verify(t, from(home, nobody(n)), nil) })), 0)
		}
		wrote := h.writes(t, func() { h.verify(t, from(home, nobody(3)), nil) })
		want(t, wrote["budgets"], 2)
	})
}

// Names without number have a bounded number of budgets over all networks.
func TestUnknownNamesOfOneBucketShareABudget(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		seen := map[uint16]services.Triple{}
		one, other, found := services.Triple{}, services.Triple{}, false
		for n := 0; !found; n++ {
			other = nobody(n)
			one, found = seen[h.s.Bucket(other)]
			seen[h.s.Bucket(other)] = other
		}
		for range tries {
			h.verify(t, from(home, one), nil)
		}
		want(t, len(h.writes(t, func() { h.verify(t, from("203.0.113.1", other), nil) })), 0)
	})
}

func TestMadeUpNamesLeaveABoundedNumberOfRows(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.d.Rehearse = false
		shop, _ := h.addPair(t)
		wrote := h.writes(t, func() {
			for i := range 1000 {
				want(t, h.verify(t, from(home, nobody(i)), nil), services.BadCaller)
			}
		})
		if most := 2*networkTries + 2; wrote["budgets"] > most {
			t.Errorf("a thousand names of one network left %d budgets, want at most %d", wrote["budgets"], most)
		}
		by := from("203.0.113.1", h.triple(t, shop))
		for i := range 3 * callerTries {
			claim := nobody(i)
			want(t, h.verify(t, by, &claim), services.BadClaim)
		}
		for _, table := range []string{"unknown_services", "unknown_history"} {
			if n := len(h.dump(t)[table]); n > 256 {
				t.Errorf("%s has %d rows", table, n)
			}
		}
		want(t, h.count(t, `SELECT count(*) FROM audit WHERE subject_kind = 'service'`), 2) // that they were added
		want(t, h.s.Tallies(), 0)
	})
}

func TestWhatCannotBeWrittenDownIsRefusedAlikeForUnknownNames(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		_, printer := h.addPair(t)
		for network, show := range map[string]services.Triple{home: h.guess(t, printer), "203.0.113.1": nobody(1)} {
			h.withoutWrites(t, func() {
				failed := 0
				for range tries + 5 {
					if _, err := h.s.Verify(t.Context(), from(network, show), nil); err != nil {
						failed++
					}
				}
				want(t, failed, tries)
			})
		}
	})
}

// withoutWrites runs fn while no wrong token can be written down.
func (h *house) withoutWrites(t *testing.T, fn func()) {
	t.Helper()
	h.without(t, "audit", func() {
		h.update(t, renames("unknown_history", "gone"))
		fn()
		h.update(t, renames("gone", "unknown_history"))
	})
}
