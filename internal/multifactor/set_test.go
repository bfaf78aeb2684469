package multifactor_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
)

func TestASetKeepsTheLatestCodesAndNoMore(t *testing.T) {
	c, a := codes(t, "digits", 6), newAttempt(dbtest.NewClock())
	size := 0
	for n := 1; n <= 2*multifactor.Slots; n++ {
		issue(t, c, a, false)
		if n == 1 {
			size = len(a.set)
		}
		want(t, len(a.set), size*min(n, multifactor.Slots))
	}
}

func TestADamagedSetIsAnErrorAndOpensNothing(t *testing.T) {
	c, a := codes(t, "digits", 6), newAttempt(dbtest.NewClock())
	first := issue(t, c, a, false)
	one := len(a.set)
	issue(t, c, a, true)
	damaged := []multifactor.Set{append(slices.Clone(a.set), 0)}
	for cut := 1; cut < len(a.set); cut++ {
		if cut != one {
			damaged = append(damaged, a.set[:cut])
		}
	}
	for _, set := range damaged {
		_, err := c.Match(a.clock.Now(), a.id, set, first.Text, 0, true)
		_, same := c.Same(a.id, set, first.Text)
		_, ok, byLink := c.ByLink(a.clock.Now(), a.id, set, first.Link, 0)
		if err == nil || same == nil || byLink == nil || ok {
			t.Fatalf("%d bytes of %d are read", len(set), len(a.set))
		}
	}
}

func TestACodeThatExpiredForGoodStaysSoWhenTheClockIsSetBack(t *testing.T) {
	clock := dbtest.NewClock()
	c, a := codes(t, "letters", 8), newAttempt(clock)
	first := issue(t, c, a, false)
	clock.Advance(time.Minute)
	second := issue(t, c, a, false)
	want(t, a.set.ExpireForGood(clock.Now()), false)
	clock.Advance(life - time.Minute)
	before := slices.Clone(a.set)
	want(t, a.set.ExpireForGood(clock.Now()), true)
	want(t, bytes.Equal(a.set, before), false)
	want(t, a.set.ExpireForGood(clock.Now()), false)
	clock.Advance(-life / 2)
	want(t, match(t, c, a, first.Text, 0, true), multifactor.Expired)
	want(t, match(t, c, a, second.Text, 0, true), multifactor.Right)
}
