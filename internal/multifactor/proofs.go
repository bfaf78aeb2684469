package multifactor

import (
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// proofs are the proofs of a session that count at a time.
type proofs struct {
	all []Held
	now time.Time
}

// counting leaves out proofs that have expired, and those from the future, by a clock that
// was ahead, which would count for too long. Of several recovery codes it leaves the one
// that lasts the longest: one stands for one factor.
func counting(held []Held, now time.Time) proofs {
	p := proofs{make([]Held, 0, len(held)), now}
	recovery := -1
	for _, h := range held {
		switch {
		case !h.Expires.After(now) || h.Verified.After(now.Add(db.Skew)):
		case !h.Is(Recovery):
			p.all = append(p.all, h)
		case recovery < 0:
			recovery = len(p.all)
			p.all = append(p.all, h)
		case h.Expires.After(p.all[recovery].Expires):
			p.all[recovery] = h
		}
	}
	return p
}

// until returns when the level ends that the proofs meet; ok is false if they do not meet it.
func (p proofs) until(l *Level) (until time.Time, ok bool) {
	for _, n := range l.Need {
		most := p.atMost(l, n)
		if !most.After(p.now) || !most.After(until) {
			continue
		}
		if len(n) == 1 {
			until, ok = most, true
			continue
		}
		// The set holds until the latest time at which proofs that last longer still fill it.
		for _, end := range p.ends(l, n) {
			if !end.After(until) {
				break
			}
			if pair(n, len(p.all), func(f Factor, i int) bool { return !p.end(l, n, f, i).Before(end) }).complete() {
				until, ok = end, true
			}
		}
	}
	return until, ok
}

// atMost is a time after which proofs do not fill a set: from then on one of its factors has
// none. A set of one factor holds until then.
func (p proofs) atMost(l *Level, n Need) (most time.Time) {
	for k, f := range n {
		var last time.Time
		for i := range p.all {
			if end := p.end(l, n, f, i); end.After(last) {
				last = end
			}
		}
		if k == 0 || last.Before(most) {
			most = last
		}
	}
	return most
}

// ends lists the times from now at which proofs stop counting for a set, the latest first.
func (p proofs) ends(l *Level, n Need) (all []time.Time) {
	for _, f := range n {
		for i := range p.all {
			if end := p.end(l, n, f, i); end.After(p.now) {
				all = append(all, end)
			}
		}
	}
	slices.SortFunc(all, func(a, b time.Time) int { return b.Compare(a) })
	return all
}

// end is when a proof stops counting as a factor of a set; zero: it never counts as that.
func (p proofs) end(l *Level, n Need, f Factor, i int) time.Time {
	h := p.all[i]
	end := h.Expires
	if !h.Is(f) {
		if end = p.standsUntil(n, f, i); end.IsZero() {
			return end
		}
		end = l.cut(end, f, h.Verified)
	}
	for _, name := range h.Factors {
		end = l.cut(end, name, h.Verified)
	}
	return end
}

// cut brings forward when a proof stops counting, if it is of a factor that the level takes
// for a shorter time.
func (l *Level) cut(end time.Time, f Factor, verified time.Time) time.Time {
	if span, ok := l.Valid[f]; ok && verified.Add(span.Duration).Before(end) {
		return verified.Add(span.Duration)
	}
	return end
}

// standsUntil is until when a proof is a recovery code that stands for a factor: for any one
// of a set with others, or for a second factor that stands alone, as long as something else
// is proved. A passkey with user verification that stands alone is two factors in one, and
// nothing stands for it. Zero: it does not.
func (p proofs) standsUntil(n Need, f Factor, i int) (until time.Time) {
	h := p.all[i]
	switch {
	case !h.Is(Recovery) || f == Bound:
		return time.Time{}
	case len(n) > 1:
		return h.Expires
	case f != TOTP && f != Passkey:
		return time.Time{}
	}
	for _, o := range p.all {
		if !o.Is(Recovery) && !o.Is(Bound) && o.Expires.After(until) {
			until = o.Expires
		}
	}
	if until.After(h.Expires) {
		return h.Expires
	}
	return until
}
