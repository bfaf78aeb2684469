package multifactor_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
)

const samples = 2000

// Bounds of chi-square for a chance of 1e-7, by degrees of freedom.
var bounds = map[int]float64{9: 52, 22: 77}

func TestCodesAreEvenAtEveryPosition(t *testing.T) {
	for name, c := range map[string]struct {
		codes   *multifactor.Codes
		long    bool
		letters string
		length  int
	}{
		"digits":      {codes(t, "digits", 6), false, "0123456789", 6},
		"letters":     {codes(t, "letters", 5), false, "abcdefghjkmnpqrstuvwxyz", 5},
		"long codes":  {codes(t, "digits", 6), true, "abcdefghjkmnpqrstuvwxyz", multifactor.LongLength},
		"long digits": {codes(t, "digits", 8), false, "0123456789", 8},
	} {
		t.Run(name, func(t *testing.T) {
			all := many(t, c.codes, c.long)
			for at := range c.length {
				seen := map[byte]float64{}
				for _, code := range all {
					want(t, len(code), c.length)
					seen[code[at]]++
				}
				expected, chi := float64(len(all))/float64(len(c.letters)), 0.0
				for i := range len(c.letters) {
					chi += (seen[c.letters[i]] - expected) * (seen[c.letters[i]] - expected) / expected
					delete(seen, c.letters[i])
				}
				if len(seen) > 0 {
					t.Errorf("position %d has other characters: %v", at, seen)
				}
				if chi > bounds[len(c.letters)-1] {
					t.Errorf("position %d: chi-square is %.1f: %v", at, chi, seen)
				}
			}
		})
	}
}

func TestNeighbouringDigitsAreIndependent(t *testing.T) {
	all := many(t, codes(t, "digits", 6), false)
	var steps [10]float64
	for _, code := range all {
		for i := 1; i < len(code); i++ {
			steps[(code[i]-code[i-1]+10)%10]++
		}
	}
	expected, chi := float64(5*len(all))/10, 0.0
	for _, n := range steps {
		chi += (n - expected) * (n - expected) / expected
	}
	if chi > bounds[9] {
		t.Errorf("steps between digits: chi-square is %.1f: %v", chi, steps)
	}
}

func TestCodesFollowNoPattern(t *testing.T) {
	all := many(t, codes(t, "digits", 6), false)
	seen := map[string]bool{}
	for _, code := range all {
		seen[code] = true
	}
	// By chance two of 2,000 meet in a million: two on average.
	if len(seen) < samples-20 {
		t.Errorf("only %d of %d codes are distinct", len(seen), samples)
	}
	steps := map[int]int{}
	for i := 1; i < len(all); i++ {
		a, errA := strconv.Atoi(all[i-1])
		b, errB := strconv.Atoi(all[i])
		check(t, errors.Join(errA, errB))
		steps[b-a]++
	}
	for step, n := range steps {
		if n > 10 {
			t.Errorf("%d codes follow the one before by %d", n, step)
		}
	}
}

func many(t *testing.T, c *multifactor.Codes, long bool) []string {
	t.Helper()
	var all []string
	for range samples {
		all = append(all, issue(t, c, newAttempt(dbtest.NewClock()), long).Text)
	}
	return all
}
