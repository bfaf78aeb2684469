package services_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/services"
)

// A wrong token that is in the database and still in flight counts twice until its record
// is finished. A right token waits for that, and is not refused.
func TestARightTokenWaitsForTheRecordOfTheLastWrongOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		for range tries - 2 {
			want(t, h.guesses(t, shop, home), services.BadCaller)
		}
		by, got := from(home, h.triple(t, shop)), make(chan services.Verdict, 1)
		h.onceRecorded(t, shop, tries-1, func() {
			go func() {
				v, err := h.s.Verify(t.Context(), by, nil)
				if err != nil {
					t.Error(err)
				}
				got <- v
			}()
			for end := time.Now().Add(30 * time.Second); !h.s.Awaited() && len(got) == 0 && time.Now().Before(end); {
				runtime.Gosched()
			}
		})
		want(t, h.guesses(t, shop, home), services.BadCaller)
		want(t, <-got, services.OK)
	})
}

// onceRecorded runs fn when the next token that is recorded as wrong is an entry's nth,
// before its record is finished: when the clock is read next.
func (h *house) onceRecorded(t *testing.T, e services.Entry, n int, fn func()) {
	t.Helper()
	var now func() time.Time
	now = func() time.Time {
		h.d.Now = h.clock.Now
		if h.refusals(t, e) == n {
			fn()
		} else {
			h.d.Now = now
		}
		return h.clock.Now()
	}
	h.d.Now = now
}
