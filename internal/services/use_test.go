package services_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

func (h *house) wantUse(t *testing.T, e services.Entry, u services.Use) {
	t.Helper()
	if got := h.get(t, e).Use; !got.At.Equal(u.At) || got.Caller != u.Caller || got.Network != u.Network || got.Result != u.Result {
		t.Errorf("the last use of %s is %+v, want %+v", e.Name, got, u)
	}
}

func TestTheLastUseTellsWhenForWhomFromWhereAndWhatCameOut(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		h.wantUse(t, shop, services.Use{})
		want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
		h.written(t)
		at := h.clock.Now()
		h.wantUse(t, shop, services.Use{At: at, Caller: shop.ID, Network: home, Result: services.Accepted})
		h.wantUse(t, printer, services.Use{At: at, Caller: shop.ID, Network: home, Result: services.Accepted})
		h.clock.Advance(time.Second)
		want(t, h.asks(t, shop, h.guess(t, printer)), services.BadClaim) // at once, not with Run
		h.wantUse(t, printer, services.Use{At: h.clock.Now(), Caller: shop.ID, Network: home, Result: services.Refused})
		want(t, h.guesses(t, shop, "203.0.113.1"), services.BadCaller)
		h.wantUse(t, shop, services.Use{At: h.clock.Now(), Caller: shop.ID, Network: "203.0.113.1", Result: services.Refused})
	})
}

func TestTheLastUseIsExactToAMinuteWhileNothingElseChanges(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		h.calls(t, shop, home)
		h.written(t)
		h.clock.Advance(time.Minute - time.Millisecond)
		h.calls(t, shop, home)
		want(t, h.s.WaitingUses(), 0)
		h.clock.Advance(time.Millisecond)
		h.calls(t, shop, home)
		want(t, h.s.WaitingUses(), 1)
		h.written(t)
		h.calls(t, shop, "203.0.113.1")
		want(t, h.s.WaitingUses(), 1)
		h.written(t)
		h.asks(t, shop, h.triple(t, printer))
		h.written(t)
		h.asks(t, printer, h.triple(t, shop))
		want(t, h.s.WaitingUses(), 1) // by another: the printer, which may not ask, itself
	})
}

func TestALateUseDoesNotCoverALaterOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		h.clock.Advance(time.Second)
		h.guesses(t, shop, "203.0.113.1")
		h.written(t)
		h.wantUse(t, shop, services.Use{At: h.clock.Now(), Caller: shop.ID, Network: "203.0.113.1", Result: services.Refused})
	})
}

// A guess between a call and the second in which it is written down must not
// take from the caller that it was right.
func TestACallIsRememberedAlsoWhenAGuessFollowsIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		h.clock.Advance(time.Millisecond)
		h.guesses(t, shop, "203.0.113.1")
		h.written(t)
		wantNetworks(t, h, shop, home)
	})
}

func wantNetworks(t *testing.T, h *house, e services.Entry, networks ...string) {
	t.Helper()
	var got []string
	h.view(t, func(tx *db.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var network string
			err := scan(&network)
			got = append(got, network)
			return err
		}, `SELECT network FROM service_callers WHERE service_id = $1 ORDER BY network`, e.ID)
	})
	slices.Sort(networks)
	if !slices.Equal(got, networks) {
		t.Errorf("%s is known to have called from %v, want %v", e.Name, got, networks)
	}
}

func TestEveryNetworkFromWhichAServiceCalledIsRemembered(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		var networks []string
		for i := range 20 { // all of them within one second, one after the other
			networks = append(networks, fmt.Sprint("192.0.2.", i))
			want(t, h.calls(t, shop, networks[i]), services.OK)
			h.clock.Advance(time.Millisecond)
		}
		want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
		h.written(t)
		wantNetworks(t, h, shop, append(networks, home)[:20]...)
		wantNetworks(t, h, printer) // it was asked about, and has not called
	})
}

func TestHistoryTellsOfTheFirstCallFromANetwork(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		for _, network := range []string{home, home, "203.0.113.1", home} {
			h.calls(t, shop, network)
			h.written(t)
			h.clock.Advance(time.Hour)
		}
		var arrived []string
		for _, l := range h.history(t, shop) {
			if l.Event == audit.ServiceArrived {
				arrived = append(arrived, l.Client.Prefix)
			}
		}
		if !slices.Equal(arrived, []string{"203.0.113.1", home}) {
			t.Errorf("arrived from %v", arrived)
		}
	})
}

func (h *house) history(t *testing.T, e services.Entry) (all []audit.ServiceLine) {
	t.Helper()
	h.view(t, func(tx *db.Tx) (err error) { all, err = audit.OfService(tx, int64(e.ID), 100); return err })
	return all
}

func TestUsesAreDroppedWhenMoreWaitThanFitAndCallsGoOn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		show := h.triple(t, shop)
		for i := range services.MaxUses + 5 {
			want(t, h.verify(t, from(fmt.Sprintf("10.0.%d.%d", i/256, i%256), show), nil), services.OK)
		}
		want(t, h.s.WaitingUses(), services.MaxUses)
		h.written(t)
		want(t, h.s.WaitingUses(), 0)
		want(t, h.count(t, `SELECT count(*) FROM service_callers`), services.MaxUses)
		want(t, h.calls(t, shop, home), services.OK)
		want(t, h.s.WaitingUses(), 1)
	})
}

func TestRunWritesWhatWaitsWhenItEnds(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		check(t, h.s.Run(ctx))
		want(t, h.s.WaitingUses(), 0)
		h.wantUse(t, shop, services.Use{At: h.clock.Now(), Caller: shop.ID, Network: home, Result: services.Accepted})
	})
}

func TestRunWritesUsesWhileItRuns(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.s.Run(ctx) }()
		patience := time.After(30 * time.Second)
		for h.get(t, shop).Use.At.IsZero() {
			select {
			case <-patience:
				t.Fatal("the use was not written")
			default:
			}
		}
		stop()
		check(t, <-ended)
	})
}

func (h *house) sweepCallers(t *testing.T, before time.Time, limit int) (n int64) {
	t.Helper()
	h.update(t, func(tx *db.Tx) (err error) { n, err = services.SweepCallers(tx, before, limit); return err })
	return n
}

func TestTheSweeperForgetsNetworksThatAreSilent(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		for i := range 4 {
			h.calls(t, shop, fmt.Sprint("192.0.2.", i))
			h.written(t)
			h.clock.Advance(time.Hour)
		}
		want(t, h.sweepCallers(t, h.ago(4*time.Hour), 10), 0)
		want(t, h.sweepCallers(t, h.ago(2*time.Hour), 1), 1) // two are due; the oldest goes first
		wantNetworks(t, h, shop, "192.0.2.1", "192.0.2.2", "192.0.2.3")
		want(t, h.sweepCallers(t, h.ago(2*time.Hour), 10), 1)
		wantNetworks(t, h, shop, "192.0.2.2", "192.0.2.3")
	})
}

func (h *house) ago(d time.Duration) time.Time { return h.clock.Now().Add(-d) }

func TestANetworkFromWhichAServiceStillCallsIsNotForgotten(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		h.written(t)
		h.clock.Advance(25 * time.Hour)
		h.calls(t, shop, home)
		h.written(t)
		want(t, h.sweepCallers(t, h.ago(time.Hour), 10), 0)
		wantNetworks(t, h, shop, home)
	})
}

func TestAUseThatWaitsIsNotThatOfTheNextOfItsName(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		check(t, h.rename(t, shop, "store", shop.Realm))
		next := h.add(t, shop.Name, shop.Realm)
		h.written(t)
		h.wantUse(t, next, services.Use{})
		wantNetworks(t, h, next)
	})
}
