package services

import (
	"sync"
	"time"
)

// inFlight counts the wrong tokens of this process that the database does not show yet.
type inFlight struct {
	mu          sync.Mutex
	tallies     map[rateLimit]*tally
	nearlySpent nearlySpent
}

// tally counts the wrong tokens under one rate limit, while a request under it is in
// flight.
type tally struct {
	requests int // in flight
	wrong    int // tokens that were found wrong
	recorded int // of these, in the database
	// unrecorded are those that could not be recorded, since the database was away. They
	// count here, or meanwhile nothing would limit guessing.
	unrecorded      int
	unrecordedSince time.Time
	finished        chan struct{} // closed when the record of one ends; nil while nobody waits for it
}

// pending is how many wrong tokens are being recorded.
func (t *tally) pending() int { return t.wrong - t.recorded - t.unrecorded }

// view is a rate limit as one request sees it.
type view struct {
	rateLimit
	tally    *tally
	recorded int  // the tally's, when the database was read; the read shows these
	read     bool // what follows was read, not supposed
	applies  bool // the limit counts this token
	room     int  // how many more wrong tokens the database allowed
}

// unseen is how many wrong tokens the read may not show.
func (v *view) unseen() int { return v.tally.wrong - v.recorded }

// spent reports whether there is no room for another wrong token.
func (v *view) spent() bool { return v.applies && v.unseen() >= v.room }

// apply says which limits count a token, from a network that the entry has called from
// before or another, and returns them.
func apply(views []view, knownNetwork bool) (applied []*view) {
	for i := range views {
		v := &views[i]
		v.applies = v.kind.applies(knownNetwork)
		if v.applies {
			applied = append(applied, v)
		}
	}
	return applied
}

// enter gives a request its view of the limits. The request has to leave them.
func (f *inFlight) enter(now time.Time, limits []rateLimit) []view {
	views := make([]view, len(limits))
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, l := range limits {
		t, ok := f.tallies[l]
		if !ok {
			t = &tally{}
			f.tallies[l] = t
		}
		t.refill(now, l.kind.refillEvery())
		t.requests++
		views[i] = view{rateLimit: l, tally: t, recorded: t.recorded, applies: l.kind.applies(false), room: l.kind.burst()}
	}
	return views
}

func (f *inFlight) leave(views []view) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range views {
		views[i].tally.requests--
		f.drop(views[i].rateLimit, views[i].tally)
	}
}

// drop forgets a tally that nobody needs.
func (f *inFlight) drop(l rateLimit, t *tally) {
	if t.requests == 0 && t.unrecorded == 0 {
		delete(f.tallies, l)
	}
}

// refill gives back unrecorded tokens at the rate of the limit. A time in the future was
// written while the clock was ahead, and counts as now.
func (t *tally) refill(now time.Time, every time.Duration) {
	if t.unrecorded == 0 {
		return
	}
	if t.unrecordedSince.After(now) {
		t.unrecordedSince = now
	}
	n := min(t.unrecorded, int(now.Sub(t.unrecordedSince)/every))
	t.wrong -= n
	t.unrecorded -= n
	t.unrecordedSince = t.unrecordedSince.Add(time.Duration(n) * every)
}

// refillAll refills all tallies, and forgets those that have nothing left to count.
func (f *inFlight) refillAll(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l, t := range f.tallies {
		t.refill(now, l.kind.refillEvery())
		f.drop(l, t)
	}
}

// renew moves a request's view to this moment, just before it reads the database.
func (f *inFlight) renew(views []view) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range views {
		views[i].recorded = views[i].tally.recorded
	}
}

// hasRead ends a read of the limits, and remembers which have little room left.
func (f *inFlight) hasRead(now time.Time, views []view) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range views {
		v := &views[i]
		v.read = true
		if v.applies && v.kind.spansEntries() {
			f.nearlySpent.set(now, v.rateLimit, v.room < v.kind.burst()/2)
		}
	}
}

// decision is what becomes of a token.
type decision int

const (
	readAgain  decision = iota // the limits have to be read first
	wrongToken                 // it counts, and has to be recorded
	overLimit                  // a limit is spent, so it is refused even if it is right
	allowed
)

// decide decides about one token after the other. With readAgain, finished is the record
// of another token, after which the limits have to be read; nil: at once.
func (f *inFlight) decide(now time.Time, views []view, match bool) (d decision, finished <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mayBeSpent(now, views) {
		return readAgain, nil
	}
	for i := range views {
		if views[i].spent() {
			return refusal(views)
		}
	}
	if match {
		return allowed, nil
	}
	for i := range views {
		if views[i].applies {
			views[i].tally.wrong++
		}
	}
	return wrongToken, nil
}

// mayBeSpent reports whether limits that were not read may have no room, as far as this
// process knows.
func (f *inFlight) mayBeSpent(now time.Time, views []view) bool {
	for i := range views {
		v := &views[i]
		if !v.read && (v.unseen() > 0 || v.kind.spansEntries() && f.nearlySpent.has(now, v.rateLimit)) {
			return true
		}
	}
	return false
}

// refusal is overLimit, unless other tokens were recorded since the read, or are being
// recorded: these may count twice, in the room that was read and in the tally.
func refusal(views []view) (d decision, finished <-chan struct{}) {
	for i := range views {
		v, t := &views[i], views[i].tally
		switch {
		case !v.applies:
		case v.recorded != t.recorded:
			return readAgain, nil
		case t.pending() > 0:
			if t.finished == nil {
				t.finished = make(chan struct{})
			}
			return readAgain, t.finished
		}
	}
	return overLimit, nil
}

// finish ends the record of a wrong token, which is in the database or could not be
// recorded.
func (f *inFlight) finish(now time.Time, views []view, recorded bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range views {
		if !views[i].applies {
			continue
		}
		t := views[i].tally
		if recorded {
			t.recorded++
		} else {
			t.keepUnrecorded(now)
		}
		if t.finished != nil {
			close(t.finished)
			t.finished = nil
		}
	}
}

// keepUnrecorded counts a wrong token that could not be recorded.
func (t *tally) keepUnrecorded(now time.Time) {
	if t.unrecorded == 0 {
		t.unrecordedSince = now
	}
	t.unrecorded++
}
