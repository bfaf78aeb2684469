package limit_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/limit"
)

// A state that the caller stores behaves as a budget does.
func TestSpendTakesAsABudgetDoes(t *testing.T) {
	r := config.Rate{N: 3, Per: 30 * time.Minute}
	now, state := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), int64(0)
	spends := func(want int) {
		t.Helper()
		for n := 0; ; n++ {
			next, ok := limit.Spend(r, state, now)
			if !ok && next != state {
				t.Errorf("a refusal moves the state from %d to %d", state, next)
			}
			state = next
			if !ok || n > want {
				if n != want {
					t.Errorf("%d are let through, want %d", n, want)
				}
				return
			}
		}
	}
	spends(3)
	now = now.Add(10*time.Minute - time.Microsecond)
	spends(0)
	now = now.Add(time.Microsecond)
	spends(1)
	now = now.Add(100 * time.Hour)
	spends(3)
	// A clock that was ahead by more than clocks may lie apart locks nobody out.
	now = now.Add(-time.Hour)
	spends(3)
	if next, ok := limit.Spend(config.Rate{}, 42, now); next != 42 || !ok {
		t.Errorf("no rate at all: %d, %v", next, ok)
	}
}
