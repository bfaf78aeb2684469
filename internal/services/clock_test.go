package services_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/services"
)

// ahead runs fn while the clock is a day ahead, and sets it back.
func (h *house) ahead(fn func()) {
	h.clock.Advance(24 * time.Hour)
	fn()
	h.clock.Advance(-24 * time.Hour)
}

func TestWithSingleUseATokenThatWasUsedWhileTheClockWasAheadRefusesNoOther(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.SingleUse = true
		shop, printer := h.addPair(t)
		h.ahead(func() { want(t, h.asks(t, shop, h.triple(t, printer)), services.OK) })
		want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
		want(t, h.asks(t, shop, h.triple(t, printer)), services.BadClaim) // used up
	})
}

// The newest token that a window lets pass is of no future: it stays used up.
func TestWithSingleUseTheNewestTokenOfTheWindowPassesOnce(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.SingleUse = true
		shop, printer := h.addPair(t)
		newest := h.triple(t, printer)
		newest.Token = h.token(t, printer.Seed, int64(h.s.Settings.Window))
		want(t, h.asks(t, shop, newest), services.OK)
		want(t, h.asks(t, shop, newest), services.BadClaim)
		want(t, h.asks(t, shop, h.triple(t, printer)), services.BadClaim) // an older one
	})
}

func TestALastUseFromTheFutureGivesWay(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.ahead(func() { h.calls(t, shop, home); h.written(t) })
		h.calls(t, shop, home)
		want(t, h.s.WaitingUses(), 1)
		h.written(t)
		h.wantUse(t, shop, services.Use{At: h.clock.Now(), Caller: shop.ID, Network: home, Result: services.Accepted})
		h.calls(t, shop, home)
		want(t, h.s.WaitingUses(), 0) // it is of this minute
	})
}

func TestANetworkSeenInTheFutureIsForgottenInItsTime(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.ahead(func() { h.calls(t, shop, home); h.written(t) })
		h.calls(t, shop, home)
		h.written(t)
		h.clock.Advance(time.Hour)
		want(t, h.sweepCallers(t, h.clock.Now(), 10), 1)
	})
}
