package services_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

func TestTokensWithinTheWindowPassAndNoOthers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		for window := range 4 {
			h.s.Settings.Window = window
			for off := int64(-4); off <= 4; off++ {
				wantOwn, wantClaim := services.NotAllowed, services.OK // the printer is who it says, and may ask nothing
				if max(off, -off) > int64(window) {
					wantOwn, wantClaim = services.BadCaller, services.BadClaim
				}
				late := services.Triple{Name: printer.Name, Realm: printer.Realm, Token: h.token(t, printer.Seed, off)}
				if v := h.verify(t, from(fmt.Sprint("192.0.2.", window), late), nil); v != wantOwn {
					t.Errorf("window %d: a caller's token %d steps off: %v", window, off, v)
				}
				if v := h.asks(t, shop, late); v != wantClaim {
					t.Errorf("window %d: a verified token %d steps off: %v", window, off, v)
				}
			}
			h.clock.Advance(time.Hour)
		}
	})
}

func TestATokenIsGoodForManyCalls(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		claim := h.triple(t, printer)
		for range 3 {
			want(t, h.asks(t, shop, claim), services.OK)
		}
		// A caller may show its own token for both.
		want(t, h.asks(t, shop, h.triple(t, shop)), services.OK)
	})
}

func TestAVerdictNamesWhatDoesNotHold(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		told := []string{}
		h.s.Verified = func(v string) { told = append(told, v) }
		good, guess := h.triple(t, printer), h.guess(t, printer)
		want(t, h.verify(t, from(home, h.guess(t, shop)), &good), services.BadCaller)
		want(t, h.verify(t, from(home, good), &good), services.NotAllowed)
		want(t, h.asks(t, shop, guess), services.BadClaim)
		want(t, h.asks(t, shop, good), services.OK)
		want(t, fmt.Sprint(told), "[bad_caller not_allowed bad_claim ok]")
		// Names and realms are told apart by case.
		good.Name = "Printer"
		want(t, h.asks(t, shop, good), services.BadClaim)
	})
}

func TestWhoMayNotAskLearnsNothingOfWhatItAsks(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		_, printer := h.addPair(t)
		office := h.add(t, "desk", "office")
		want(t, h.calls(t, office, home), services.NotAllowed)
		h.untouched(t, func() {
			want(t, h.asks(t, office, h.triple(t, printer)), services.NotAllowed)
			want(t, h.asks(t, office, h.guess(t, printer)), services.NotAllowed)
			want(t, h.asks(t, office, services.Triple{Name: "nobody", Realm: "office", Token: "000000"}), services.NotAllowed)
		})
	})
}

func (h *house) rotate(t *testing.T, e services.Entry, keep time.Duration) (seed string) {
	t.Helper()
	h.update(t, func(tx *db.Tx) (err error) {
		seed, err = h.s.Rotate(tx, e.ID, tx.Now.Add(keep), audit.By{Actor: audit.Command})
		return err
	})
	return seed
}

func TestBothSeedsAreGoodUntilTheOldOneEnds(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		old, fresh := shop, shop
		fresh.Seed = h.rotate(t, shop, time.Hour)
		if fresh.Seed == old.Seed || h.get(t, shop).Seed != fresh.Seed {
			t.Fatal("the newest seed is not the one that is shown")
		}
		h.clock.Advance(time.Hour - time.Millisecond)
		want(t, h.calls(t, old, home), services.OK)
		want(t, h.calls(t, fresh, home), services.OK)
		want(t, h.asks(t, fresh, h.triple(t, old)), services.OK)
		h.clock.Advance(time.Millisecond)
		want(t, h.calls(t, old, home), services.BadCaller)
		want(t, h.calls(t, fresh, home), services.OK)
		want(t, h.asks(t, fresh, h.triple(t, old)), services.BadClaim)
	})
}

func TestARotationEndsTheSeedThatWasOnItsWayOut(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		first, _ := h.addPair(t)
		second, third := first, first
		second.Seed = h.rotate(t, first, time.Hour)
		third.Seed = h.rotate(t, first, time.Hour)
		want(t, h.calls(t, first, home), services.BadCaller)
		want(t, h.calls(t, second, home), services.OK)
		want(t, h.calls(t, third, home), services.OK)
		h.rotate(t, first, 0)
		want(t, h.calls(t, third, home), services.BadCaller)
	})
}

func TestAnEntryIsGoodUntilItExpires(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		short, err := h.tryAdd(t, services.Draft{Name: "short", Realm: services.AuthRealm, Expires: h.clock.Now().Add(time.Hour)})
		check(t, err)
		h.clock.Advance(time.Hour - time.Millisecond)
		want(t, h.calls(t, short, home), services.OK)
		want(t, h.asks(t, shop, h.triple(t, short)), services.OK)
		h.clock.Advance(time.Millisecond)
		want(t, h.calls(t, short, home), services.BadCaller)
		want(t, h.asks(t, shop, h.triple(t, short)), services.BadClaim)
		h.update(t, func(tx *db.Tx) error { return h.s.SetExpiry(tx, short.ID, time.Time{}, audit.By{Actor: audit.Command}) })
		want(t, h.calls(t, short, home), services.OK)
	})
}

// Whatever is wrong, and however often it is tried, the answers and the budgets
// that pay for them are the same.
func TestUnknownAndExpiredEntriesLookLikeAWrongToken(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		expired, err := h.tryAdd(t, services.Draft{Name: "expired", Realm: "office", Expires: h.clock.Now().Add(time.Second)})
		check(t, err)
		h.clock.Advance(time.Second)
		unknown := services.Triple{Name: "nobody", Realm: "office", Token: "000000"}
		cost := map[string]int{}
		for name, show := range map[string]services.Triple{"unknown": unknown, "expired": h.triple(t, expired), "wrong": h.guess(t, printer)} {
			cost[name] = h.writes(t, func() {
				for range 40 {
					want(t, h.verify(t, from(home, show), nil), services.BadCaller)
					want(t, h.asks(t, shop, show), services.BadClaim)
				}
			})["budgets"]
		}
		if cost["wrong"] == 0 || cost["unknown"] != cost["wrong"] || cost["expired"] != cost["wrong"] {
			t.Errorf("budgets that were spent: %v", cost)
		}
	})
}

// The token of no step is that of the decoy by chance alone; an entry that does
// not exist has no good token at all.
func TestNoTokenIsGoodForAnEntryThatDoesNotExist(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		gone := h.triple(t, printer)
		h.update(t, func(tx *db.Tx) error { return h.s.Delete(tx, printer.ID, audit.By{Actor: audit.Command}) })
		want(t, h.verify(t, from(home, gone), nil), services.BadCaller)
		want(t, h.asks(t, shop, gone), services.BadClaim)
		want(t, h.verify(t, from(home, services.Triple{}), &services.Triple{}), services.BadCaller)
	})
}

func TestWithSingleUseAVerifiedTokenPassesOnceAmongFiftyAtOnce(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.SingleUse = true
		shop, printer := h.addPair(t)
		by, claim := from(home, h.triple(t, shop)), h.triple(t, printer)
		for range 3 {
			got := atOnce(t, 50, func(int) (services.Verdict, error) { return h.s.Verify(t.Context(), by, &claim) })
			if got[services.OK] != 1 || got[services.BadClaim] != 49 {
				t.Fatalf("verdicts %v, want one ok and 49 refused", got)
			}
			h.clock.Advance(totp.Period)
			claim.Token = h.token(t, printer.Seed, 0)
		}
	})
}

func TestWithSingleUseAnOlderTokenIsUsedUpToo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.SingleUse = true
		shop, printer := h.addPair(t)
		older, newer := h.triple(t, printer), h.triple(t, printer)
		older.Token, newer.Token = h.token(t, printer.Seed, -1), h.token(t, printer.Seed, 1)
		want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
		want(t, h.asks(t, shop, older), services.BadClaim)
		want(t, h.asks(t, shop, newer), services.OK)
		want(t, h.asks(t, shop, h.triple(t, printer)), services.BadClaim)
	})
}

func TestWithSingleUseARefusedTokenIsNoGuess(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.SingleUse = true
		shop, printer := h.addPair(t)
		used := h.triple(t, printer)
		want(t, h.asks(t, shop, used), services.OK)
		for range 40 {
			want(t, h.asks(t, shop, used), services.BadClaim)
		}
		h.clock.Advance(totp.Period)
		want(t, h.asks(t, shop, h.triple(t, printer)), services.OK)
	})
}

func TestWithSingleUseACallersOwnTokenStaysGood(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.s.Settings.SingleUse = true
		shop, _ := h.addPair(t)
		for range 3 {
			want(t, h.calls(t, shop, home), services.OK)
		}
	})
}

// What happens between an administrator's token and what it asks for counts.
func TestAnAdministratorNeedsItsRightInTheTransactionToo(t *testing.T) {
	for name, lose := range map[string]func(h *house, tx *db.Tx, e services.Entry) error{
		"deleted": func(h *house, tx *db.Tx, e services.Entry) error {
			return h.s.Delete(tx, e.ID, audit.By{Actor: audit.Command})
		},
		"moved": func(h *house, tx *db.Tx, e services.Entry) error {
			return h.s.Rename(tx, e.ID, e.Name, "office", audit.By{Actor: audit.Command})
		},
		"expired": func(h *house, tx *db.Tx, e services.Entry) error {
			return h.s.SetExpiry(tx, e.ID, tx.Now, audit.By{Actor: audit.Command})
		},
		"realm lost its right": func(_ *house, tx *db.Tx, e services.Entry) error { return services.DropRealm(tx, e.Realm) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				h.update(t, func(tx *db.Tx) error {
					return services.SetRealm(tx, services.Realm{Name: "admins", Right: services.Administer})
				})
				admin := h.add(t, "ann", "admins")
				h.s.Verified = func(string) { h.update(t, func(tx *db.Tx) error { return lose(h, tx, admin) }) }
				ran := false
				v, err := h.s.As(t.Context(), from(home, h.triple(t, admin)), services.Administer, func(*db.Tx) error { ran = true; return nil })
				check(t, err)
				if v == services.OK || ran {
					t.Errorf("verdict %v, and it was carried out: %v", v, ran)
				}
			})
		})
	}
}

func TestAnAdministratorsTransactionIsOneWithItsCheck(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin, shop := h.add(t, "ann", services.AdminRealm), h.add(t, "shop", services.AuthRealm)
		rename := func(by services.Entry) services.Verdict {
			v, err := h.s.As(t.Context(), from(home, h.triple(t, by)), services.Administer, func(tx *db.Tx) error {
				return h.s.Rename(tx, shop.ID, "store", shop.Realm, audit.By{Actor: audit.Command})
			})
			check(t, err)
			return v
		}
		want(t, rename(shop), services.NotAllowed)
		want(t, h.get(t, shop).Name, "shop")
		want(t, rename(admin), services.OK)
		want(t, h.get(t, shop).Name, "store")
		v, err := h.s.Authorize(t.Context(), from(home, h.triple(t, admin)), services.Administer)
		check(t, err)
		want(t, v, services.OK)
	})
}
