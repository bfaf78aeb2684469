package services_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

const (
	// networkTries is how many wrong tokens of a network are compared over all
	// entries, and callerTries those that a caller has verified.
	networkTries = 120
	callerTries  = 600
	// each is how many of them go to one entry: fewer than the entry's own limit.
	each = 20
)

// addMany adds n entries that may be verified.
func (h *house) addMany(t testing.TB, n int) (all []services.Entry) {
	t.Helper()
	for i := range n {
		all = append(all, h.add(t, fmt.Sprint("many ", i), "office"))
	}
	return all
}

// guessesAround has a network try n wrong tokens, each times at an entry.
func (h *house) guessesAround(t testing.TB, all []services.Entry, network string, n int) {
	t.Helper()
	for i := range n {
		want(t, h.guesses(t, all[i/each], network), services.BadCaller)
	}
}

// allRefusals is how many wrong tokens the history of all entries tells of.
func (h *house) allRefusals(t testing.TB) int {
	t.Helper()
	return h.count(t, `SELECT count(*) FROM audit WHERE event = 'refused'`)
}

// without runs fn while a table is away.
func (h *house) without(t testing.TB, table string, fn func()) {
	t.Helper()
	h.update(t, renames(table, "elsewhere"))
	fn()
	h.update(t, renames("elsewhere", table))
}

func renames(from, to string) func(tx *db.Tx) error {
	return func(tx *db.Tx) error { _, err := tx.Exec(`ALTER TABLE ` + from + ` RENAME TO ` + to); return err }
}

func TestANetworkHasOneBudgetOverAllEntries(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.addMany(t, networkTries/each+1)
		next := all[len(all)-1]
		h.guessesAround(t, all, home, networkTries-1)
		want(t, h.calls(t, next, home), services.NotAllowed) // it is who it says
		h.guessesAround(t, all[len(all)-2:], home, 1)
		want(t, h.calls(t, next, home), services.BadCaller)
		want(t, h.guesses(t, next, home), services.BadCaller)
		want(t, h.refusals(t, next), 0)
		want(t, h.calls(t, next, "203.0.113.1"), services.NotAllowed)
		h.clock.Advance(time.Minute)
		want(t, h.calls(t, next, home), services.NotAllowed)
	})
}

func TestTriesOfANetworkComeBackOneEachThreeSecondsOnceTheHourIsSpent(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.addMany(t, 60)
		for n := 0; h.allRefusals(t) < 1200; n++ { // as fast as the minute lets it
			h.guesses(t, all[n%len(all)], home)
			h.clock.Advance(500 * time.Millisecond)
		}
		h.clock.Advance(time.Second)
		before := h.allRefusals(t)
		for n := range 60 { // half a minute
			h.guesses(t, all[n%len(all)], home)
			h.clock.Advance(500 * time.Millisecond)
		}
		if got := h.allRefusals(t) - before; got < 9 {
			t.Errorf("%d tries in half a minute, want ten", got)
		}
	})
}

// By one address of a proxy come both strangers and the services.
func TestAServiceThatWasRightBeforeIsNotLockedOutByItsNetworksGuesses(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.addMany(t, networkTries/each+1)
		shop := h.add(t, "shop", services.AuthRealm)
		want(t, h.calls(t, shop, home), services.OK)
		h.written(t)
		h.guessesAround(t, all, home, networkTries)
		want(t, h.calls(t, all[len(all)-1], home), services.BadCaller) // a newcomer
		want(t, h.calls(t, shop, home), services.OK)
		for range tries {
			h.guesses(t, shop, home)
		}
		want(t, h.refusals(t, shop), tries)
		want(t, h.calls(t, shop, home), services.BadCaller) // by its own
	})
}

func TestWrongTokensOfAServiceThatWasRightBeforeTakeNothingFromItsNetwork(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.addMany(t, networkTries/each+1)
		for _, e := range all {
			want(t, h.calls(t, e, home), services.NotAllowed)
		}
		h.written(t)
		h.guessesAround(t, all, home, networkTries)
		want(t, h.calls(t, h.add(t, "shop", services.AuthRealm), home), services.OK)
	})
}

func TestACallerHasOneBudgetOverAllEntries(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, other := h.add(t, "shop", services.AuthRealm), h.add(t, "other", services.AuthRealm)
		all := h.addMany(t, callerTries/each+1)
		next := h.triple(t, all[len(all)-1])
		by := from(home, h.triple(t, shop))
		guesses := make([]services.Triple, len(all))
		for i, e := range all {
			guesses[i] = h.guess(t, e)
		}
		ask := func(n int) {
			atOnce(t, n, func(i int) (services.Verdict, error) { return h.s.Verify(t.Context(), by, &guesses[i/each]) })
		}
		ask(callerTries - 1)
		want(t, h.allRefusals(t), callerTries-1)
		want(t, h.verify(t, by, &next), services.OK)
		want(t, h.verify(t, by, &guesses[callerTries/each-1]), services.BadClaim)
		want(t, h.verify(t, by, &next), services.BadClaim)
		want(t, h.verify(t, from("203.0.113.1", by.Triple), &next), services.BadClaim) // the same caller
		want(t, h.verify(t, by, nil), services.OK)
		want(t, h.asks(t, other, next), services.OK)
		want(t, h.verify(t, by, &guesses[len(all)-1]), services.BadClaim)
		want(t, h.allRefusals(t), callerTries)
	})
}

func TestOfAnyNumberOfGuessesAtManyEntriesAtOnceNoMoreAreComparedThanOneNetworkMay(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		var shows []services.Triple
		for _, e := range h.addMany(t, 20) {
			shows = append(shows, h.guess(t, e))
		}
		atOnce(t, 20*each, func(i int) (services.Verdict, error) {
			return h.s.Verify(t.Context(), from(home, shows[i%len(shows)]), nil)
		})
		want(t, h.allRefusals(t), networkTries)
	})
}

// What one process has seen spent, another learns by the first wrong token there.
func TestANetworkThatSpentItsBudgetElsewhereIsCheckedAfterOneGuess(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.addMany(t, networkTries/each+1)
		next := all[len(all)-1]
		h.guessesAround(t, all, home, networkTries)
		other := newHouse(t, h.d, h.clock)
		want(t, other.guesses(t, next, home), services.BadCaller)
		want(t, other.calls(t, next, home), services.BadCaller)
		want(t, other.refusals(t, next), 0)
	})
}

// A right token costs one read. It does not touch the budgets, so it is good also
// where there is no table of budgets.
func TestARightTokenReadsNoBudgetWhileItsNetworkAndCallerHaveHalfOfTheirsLeft(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		all := h.addMany(t, networkTries/each)
		passes := func() bool {
			claim := h.triple(t, printer)
			v, err := h.s.Verify(t.Context(), from(home, h.triple(t, shop)), &claim)
			return err == nil && v == services.OK
		}
		h.guessesAround(t, all, home, networkTries/2)
		for i := range each {
			want(t, h.asks(t, shop, h.guess(t, all[i%2])), services.BadClaim)
		}
		h.without(t, "budgets", func() { want(t, passes(), true) })
		h.guessesAround(t, all[networkTries/2/each:], home, 2) // the second sees that less than half is left
		h.without(t, "budgets", func() { want(t, passes(), false) })
		want(t, passes(), true)
		h.clock.Advance(time.Minute)
		want(t, passes(), true) // this reads that there is room again
		h.without(t, "budgets", func() { want(t, passes(), true) })
	})
}

func TestWhatWasScarceIsForgottenInTwoHours(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.addMany(t, networkTries/each+1)
		h.guessesAround(t, all, home, networkTries)
		want(t, h.s.NearlySpent(), 1)
		h.clock.Advance(2 * time.Hour)
		h.without(t, "budgets", func() { want(t, h.calls(t, all[len(all)-1], home), services.NotAllowed) })
		want(t, h.s.NearlySpent(), 0)
	})
}

// Who makes it forget by filling it has every token checked.
func TestWhenMoreNetworksAreScarceThanFitEveryTokenIsChecked(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.s.FillNearlySpent(h.clock.Now())
		h.without(t, "budgets", func() {
			if _, err := h.s.Verify(t.Context(), from(home, h.triple(t, shop)), nil); err == nil {
				t.Error("the budgets were not read")
			}
		})
		h.clock.Advance(time.Hour)
		h.without(t, "budgets", func() { want(t, h.calls(t, shop, home), services.OK) })
	})
}

func TestGuessesThatCannotBeWrittenDownCountOverAllEntries(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.addMany(t, networkTries/each+1)
		next := all[len(all)-1]
		h.without(t, "audit", func() {
			for i := range networkTries {
				if _, err := h.s.Verify(t.Context(), from(home, h.guess(t, all[i/each])), nil); err == nil {
					t.Fatal("it was written down")
				}
			}
			want(t, h.calls(t, next, home), services.BadCaller)
			want(t, h.calls(t, next, "203.0.113.1"), services.NotAllowed)
			h.clock.Advance(3 * time.Second)
			want(t, h.calls(t, next, home), services.NotAllowed)
		})
	})
}

func TestWhatCouldNotBeWrittenDownIsForgottenInTime(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		lose := func() {
			h.without(t, "audit", func() {
				for range tries {
					_, _ = h.s.Verify(t.Context(), from(home, h.guess(t, shop)), nil) // an error
				}
				want(t, h.calls(t, shop, home), services.BadCaller)
			})
		}
		h.ahead(lose)
		want(t, h.calls(t, shop, home), services.BadCaller)
		h.clock.Advance(time.Hour) // and not a day
		want(t, h.calls(t, shop, home), services.OK)
		lose()
		h.clock.Advance(time.Hour)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		check(t, h.s.Run(ended))
		want(t, h.s.Tallies(), 0) // though nobody asked
	})
}
