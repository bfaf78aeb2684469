package services_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// tries is how many wrong tokens are compared before a pair is refused.
const tries = 30

// rightAgain is how long a spent pair waits for one try once its hour is spent.
const rightAgain = 12 * time.Second

func TestThirtyOfAnyNumberOfWrongGuessesAtOnceAreWrittenDown(t *testing.T) {
	for _, n := range []int{tries - 1, tries, tries + 1, 60, 200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				shop, printer := h.addPair(t)
				by, guess := from(home, h.guess(t, shop)), h.guess(t, printer)
				got := atOnce(t, n, func(int) (services.Verdict, error) { return h.s.Verify(t.Context(), by, nil) })
				want(t, got[services.BadCaller], n)
				if wrote := h.refusals(t, shop); wrote != min(n, tries) {
					t.Errorf("of %d wrong tokens of a caller %d were written down", n, wrote)
				}
				h.clock.Advance(24 * time.Hour)
				by = from(home, h.triple(t, shop))
				got = atOnce(t, n, func(int) (services.Verdict, error) { return h.s.Verify(t.Context(), by, &guess) })
				want(t, got[services.BadClaim], n)
				if wrote := h.refusals(t, printer); wrote != min(n, tries) {
					t.Errorf("of %d wrong tokens that were verified %d were written down", n, wrote)
				}
			})
		})
	}
}

// meanwhile runs fn while the next request is under way: after it has begun, and
// before it has read anything.
func (h *house) meanwhile(fn func()) {
	h.d.Now = func() time.Time {
		h.d.Now = h.clock.Now
		fn()
		return h.clock.Now()
	}
}

// The claim is read before the guesses at it are recorded, and judged after: the caller's
// own token, which follows a wrong one, has its limits read in between.
func TestGuessesAtAClaimThatAreRecordedAfterItWasReadCount(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		want(t, h.guesses(t, shop, home), services.BadCaller)
		guess := h.guess(t, printer)
		recorded := false
		h.d.Now = h.onCall(3, func() { // it begins, it reads both entries, it reads the limits
			for range tries {
				want(t, h.asks(t, shop, guess), services.BadClaim)
			}
			recorded = true
		})
		want(t, h.asks(t, shop, h.triple(t, printer)), services.BadClaim)
		want(t, recorded, true)
		want(t, h.refusals(t, printer), tries)
	})
}

// onCall is the clock, and runs fn when it is asked for the nth time.
func (h *house) onCall(n int, fn func()) func() time.Time {
	return func() time.Time {
		if n--; n == 0 {
			h.d.Now = h.clock.Now
			fn()
		}
		return h.clock.Now()
	}
}

// The right token below reads budgets that show every guess. Each has to count
// for one, or half of the thirty would lock its sender out.
func TestAGuessThatIsWrittenDownWhileAnotherRequestBeginsCountsOnce(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		guess := func(n int) func() {
			return func() {
				for range n {
					want(t, h.guesses(t, shop, home), services.BadCaller)
				}
			}
		}
		show := from(home, h.triple(t, shop))
		h.meanwhile(guess(tries - 1))
		want(t, h.verify(t, show, nil), services.OK)
		want(t, h.refusals(t, shop), tries-1)
		h.meanwhile(guess(1))
		want(t, h.verify(t, show, nil), services.BadCaller)
	})
}

func TestARightTokenAfterTooManyWrongOnesIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		for range tries {
			want(t, h.guesses(t, printer, home), services.BadCaller)
			want(t, h.asks(t, shop, h.guess(t, printer)), services.BadClaim)
		}
		h.untouched(t, func() {
			want(t, h.calls(t, printer, home), services.BadCaller)
			want(t, h.asks(t, shop, h.triple(t, printer)), services.BadClaim)
		})
	})
}

func TestOneWrongTokenBeforeTheLastLeavesARightOneGood(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		for range tries - 1 {
			want(t, h.guesses(t, shop, home), services.BadCaller)
			want(t, h.asks(t, shop, h.guess(t, printer)), services.BadClaim)
		}
		want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
	})
}

// A right token that comes with many wrong ones passes at most as one of the
// first thirty: whoever sends every code at once must not find the good ones.
func TestARightTokenAmongManyGuessesOnASpentPairIsRefused(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		for range tries {
			h.asks(t, shop, h.guess(t, printer))
		}
		by, right, guess := from(home, h.triple(t, shop)), h.triple(t, printer), h.guess(t, printer)
		got := atOnce(t, 100, func(i int) (services.Verdict, error) {
			claim := guess
			if i%10 == 0 {
				claim = right
			}
			return h.s.Verify(t.Context(), by, &claim)
		})
		want(t, got[services.BadClaim], 100)
		want(t, h.refusals(t, printer), tries)
	})
}

func TestTriesComeBackOneEachTwelveSecondsOnceTheHourIsSpent(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		guess := func() bool {
			before := h.refusals(t, shop)
			h.guesses(t, shop, home)
			return h.refusals(t, shop) > before
		}
		for range tries {
			want(t, guess(), true)
		}
		want(t, guess(), false)
		h.clock.Advance(2 * time.Second) // the minute gives back one
		want(t, guess(), true)
		want(t, guess(), false)
		for n := 0; ; n++ {
			h.clock.Advance(2 * time.Second)
			if !guess() {
				break
			}
			if n > 400 {
				t.Fatal("the hour has no bound")
			}
		}
		for !guess() {
			h.clock.Advance(2 * time.Second)
		}
		for range 5 { // nothing is left, to the second
			h.clock.Advance(rightAgain - time.Second)
			want(t, h.calls(t, shop, home), services.BadCaller)
			want(t, guess(), false)
			h.clock.Advance(time.Second)
			want(t, h.calls(t, shop, home), services.OK) // a right one takes nothing
			want(t, guess(), true)
			want(t, h.calls(t, shop, home), services.BadCaller)
			want(t, guess(), false)
		}
		h.clock.Advance(time.Hour)
		for range tries {
			want(t, guess(), true)
		}
		want(t, guess(), false)
	})
}

func TestStrangersTogetherHaveOneBudget(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		for i := range tries + 10 {
			want(t, h.guesses(t, shop, fmt.Sprint("198.51.100.", i)), services.BadCaller)
		}
		want(t, h.refusals(t, shop), tries)
		want(t, h.calls(t, shop, "203.0.113.1"), services.BadCaller)
	})
}

func TestManyStrangersAtOnceHaveOneBudget(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		show := h.guess(t, shop)
		atOnce(t, 90, func(i int) (services.Verdict, error) {
			return h.s.Verify(t.Context(), from(fmt.Sprint("198.51.100.", i), show), nil)
		})
		want(t, h.refusals(t, shop), tries)
	})
}

func TestStrangersCannotLockOutANetworkThatWasRightBefore(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		want(t, h.calls(t, shop, home), services.OK)
		h.written(t)
		h.clock.Advance(24 * time.Hour)
		for i := range tries + 10 {
			h.guesses(t, shop, fmt.Sprint("198.51.100.", i))
		}
		want(t, h.calls(t, shop, "198.51.100.200"), services.BadCaller)
		want(t, h.calls(t, shop, home), services.OK)
		// Its own wrong tokens are counted all the same, and for it alone.
		for range tries {
			h.guesses(t, shop, home)
		}
		want(t, h.calls(t, shop, home), services.BadCaller)
	})
}

// The guesses are not all written down when the right token comes.
func TestGuessesUnderWayDoNotLockOutANetworkThatWasRightBefore(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		want(t, h.calls(t, shop, home), services.OK)
		h.written(t)
		right, guess := h.triple(t, shop), h.guess(t, shop)
		got := atOnce(t, 120, func(i int) (services.Verdict, error) {
			if i%12 == 0 {
				return h.s.Verify(t.Context(), from(home, right), nil)
			}
			return h.s.Verify(t.Context(), from(fmt.Sprint("198.51.100.", i), guess), nil)
		})
		want(t, got[services.OK], 10)
	})
}

func TestANetworkThatWasRightBeforeSpendsNothingOfStrangers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		want(t, h.calls(t, shop, home), services.OK)
		h.written(t)
		for range tries + 10 {
			h.guesses(t, shop, home)
		}
		want(t, h.calls(t, shop, "203.0.113.1"), services.OK)
	})
}

func TestGuessesAtOneEntryDoNotHurtAnother(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		for range tries + 10 {
			h.guesses(t, printer, home)
		}
		want(t, h.calls(t, shop, home), services.OK)
		want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
		twin := h.add(t, printer.Name, "shops") // the same name elsewhere
		want(t, h.calls(t, twin, home), services.NotAllowed)
	})
}

func TestClaimsAreCountedPerCallerAndEntry(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		other, scanner := h.add(t, "other", services.AuthRealm), h.add(t, "scanner", "office")
		for range tries + 10 {
			want(t, h.asks(t, shop, h.guess(t, printer)), services.BadClaim)
		}
		want(t, h.asks(t, shop, h.triple(t, printer)), services.BadClaim)
		want(t, h.asks(t, other, h.triple(t, printer)), services.OK)
		want(t, h.asks(t, shop, h.triple(t, scanner)), services.OK)
		want(t, h.calls(t, printer, home), services.NotAllowed) // it is still who it says
		// From elsewhere the same caller has no new tries.
		claim := h.triple(t, printer)
		want(t, h.verify(t, from("203.0.113.1", h.triple(t, shop)), &claim), services.BadClaim)
	})
}

func TestNothingIsWatchedWhenNothingIsUnderWay(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		by, right, guess := from(home, h.triple(t, shop)), h.triple(t, printer), h.guess(t, printer)
		atOnce(t, 100, func(i int) (services.Verdict, error) {
			claim := right
			if i%2 == 0 {
				claim = guess
			}
			network := from(fmt.Sprint("198.51.100.", i), guess)
			if i%3 == 0 {
				network = by
			}
			return h.s.Verify(t.Context(), network, &claim)
		})
		want(t, h.s.Tallies(), 0)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = h.s.Verify(ended, by, &guess) // whatever comes of it
		want(t, h.s.Tallies(), 0)
	})
}

func TestWhileAGuessIsUnderWayItsPairsAreWatched(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		by, seen := from(home, h.guess(t, shop)), 0
		by.Client = func() audit.Client { seen = h.s.Tallies(); return audit.Client{} } // asked for when it is written down
		want(t, h.verify(t, by, nil), services.BadCaller)
		want(t, seen, 3) // its own, that of strangers, and that of its network
	})
}

func TestARightTokenWritesNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		all := func() {
			for range 3 {
				want(t, h.calls(t, shop, home), services.OK)
				want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
				h.clock.Advance(totp.Period)
			}
		}
		h.untouched(t, all)
		h.guesses(t, shop, home)
		h.asks(t, shop, h.guess(t, printer))
		h.untouched(t, all) // also while guesses are remembered
	})
}

func TestAGuessCountsAlsoWhenWhoAskedHasGone(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		by := from(home, h.guess(t, shop))
		for range tries {
			ctx, leave := context.WithCancel(t.Context())
			by.Client = func() audit.Client { leave(); return audit.Client{} }
			_, err := h.s.Verify(ctx, by, nil)
			check(t, err)
		}
		want(t, h.refusals(t, shop), tries)
		want(t, h.calls(t, shop, home), services.BadCaller)
	})
}

// While guesses cannot be written down they count in the process, or a database
// that is away would open the door to guessing.
func TestAGuessThatCannotBeWrittenDownIsAnErrorAndCounts(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		by := from(home, h.guess(t, shop))
		h.update(t, func(tx *db.Tx) error { _, err := tx.Exec(`ALTER TABLE audit RENAME TO elsewhere`); return err })
		if v, err := h.s.Verify(t.Context(), by, nil); err == nil || v == services.OK {
			t.Fatalf("verdict %v, %v", v, err)
		}
		want(t, h.budgets(t), 0)
		want(t, h.calls(t, shop, home), services.OK)
		for range tries - 1 {
			if v, err := h.s.Verify(t.Context(), by, nil); err == nil || v == services.OK {
				t.Fatalf("verdict %v, %v", v, err)
			}
		}
		want(t, h.calls(t, shop, home), services.BadCaller)
		h.clock.Advance(time.Hour + time.Second)
		want(t, h.calls(t, shop, home), services.OK)
		want(t, h.s.Tallies(), 0)
	})
}
