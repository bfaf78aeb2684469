package multifactor

import (
	"cmp"
	"slices"
	"time"
)

// Options returns the ways by which a person gets on towards what rules ask, the best
// first: each leaves less to prove of some set of a level that is not met. What is the least
// trouble for the set that Decide has chosen comes first.
func Options(rules []Rule, ways []Way, held []Held, now time.Time) []Way {
	missing := Decide(rules, ways, held, now).Missing
	var all []Way
	for _, w := range ways {
		if helps(rules, w, ways, held, now) {
			all = append(all, w)
		}
	}
	place := func(w Way) int {
		if i := slices.IndexFunc(missing, w.Is); i >= 0 {
			return i
		}
		return len(missing)
	}
	slices.SortStableFunc(all, func(a, b Way) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(effort(a), effort(b)))
	})
	return all
}

// helps reports whether a proof by a way leaves less to prove of some set.
func helps(rules []Rule, w Way, ways []Way, held []Held, now time.Time) bool {
	more := append(slices.DeleteFunc(slices.Clone(held), func(h Held) bool { return h.Key == w.Key }), Held{Way: w, Verified: now, Expires: now.Add(time.Hour)})
	before, after := counting(held, now), counting(more, now)
	for _, r := range rules {
		if _, met := before.until(r.Level); met {
			continue
		}
		for _, n := range r.Level.Need {
			was, _ := r.Level.missingOf(n, ways, before)
			is, _ := r.Level.missingOf(n, ways, after)
			if len(is) < len(was) {
				return true
			}
		}
	}
	return false
}

// effort is how much trouble a way is.
func effort(w Way) int { return trouble(w.Factors[0], []Way{w}) }
