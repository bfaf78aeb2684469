package services_test

import (
	"errors"
	"testing"

	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// A decoy that cannot be opened shows where it is used.
func TestAWrongTokenIsComparedWithADecoyWhereASeedIsMissing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := h.wrongTokens(t)
		shop, printer := h.add(t, "till", services.AuthRealm), h.add(t, "scanner", "office")
		right, guess, unknown := h.triple(t, printer), h.guess(t, printer), nobody(1)
		all["own, known"]() // with the decoy whole nothing is amiss
		h.s.BreakDecoy()
		for name, claim := range map[string]*services.Triple{"unknown": &unknown, "without an older seed": &guess} {
			if _, err := h.s.Verify(t.Context(), from(home, *claim), nil); !errors.Is(err, totp.ErrSeed) {
				t.Errorf("a caller, %s: the decoy was not read: %v", name, err)
			}
			if _, err := h.s.Verify(t.Context(), from(home, h.triple(t, shop)), claim); !errors.Is(err, totp.ErrSeed) {
				t.Errorf("a claim, %s: the decoy was not read: %v", name, err)
			}
		}
		want(t, h.asks(t, shop, right), services.OK)
	})
}

// The codes of all steps are computed for the decoy, too: its own token is found among
// them, and is good for nothing.
func TestTheTokenOfTheDecoyIsComputedAndGoodForNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		seed, err := h.s.DecoySeed()
		check(t, err)
		for off := int64(-3); off <= 3; off++ {
			token := h.token(t, seed, off)
			step, ok, err := h.s.MatchDecoy(h.clock.Now(), token)
			check(t, err)
			want(t, step, totp.Step(h.clock.Now())+off)
			want(t, ok, false)
			show := services.Triple{Name: "nobody", Realm: "office", Token: token}
			want(t, h.verify(t, from(home, show), nil), services.BadCaller)
			// Nor for an entry without an older seed, beside which the decoy stands.
			show = services.Triple{Name: shop.Name, Realm: shop.Realm, Token: token}
			want(t, h.verify(t, from(home, show), nil), services.BadCaller)
		}
	})
}
