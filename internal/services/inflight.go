package services

import (
	"sync"
	"time"
)

// inFlight are the guesses that are under way in this process.
type inFlight struct {
	mu          sync.Mutex
	open        map[rateLimit]*tally
	nearlySpent nearlySpent
}

// tally counts the wrong guesses under a rate limit while any request of it is under way.
type tally struct {
	requests int
	wrong    int // found wrong
	recorded int // of these, written down
	// lost are those that could not be written down: the database was away. They
	// count here, or it would be open to guessing meanwhile.
	unrecorded   int
	unrecordedAt time.Time
	ended        chan struct{} // closed when one is recorded; nil while nobody waits for it
}

// inFlight are wrong guesses whose write has neither succeeded nor failed.
func (x *tally) pending() int { return x.wrong - x.recorded - x.unrecorded }

// fresh are the wrong guesses that the request's read may not show.
func (c *view) unseen() int { return c.tally.wrong - c.recorded }

// enter gives a request its views. It has to leave them.
func (w *inFlight) enter(now time.Time, limits []rateLimit) []view {
	all := make([]view, len(limits))
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, l := range limits {
		x, ok := w.open[l]
		if !ok {
			x = &tally{}
			w.open[l] = x
		}
		x.refill(now, l.kind.refillEvery())
		x.requests++
		all[i] = view{rateLimit: l, tally: x, recorded: x.recorded, room: l.kind.burst()}
	}
	return all
}

func (w *inFlight) leave(all []view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range all {
		all[i].tally.requests--
		w.drop(all[i].rateLimit, all[i].tally)
	}
}

// drop forgets a tally that nobody needs.
func (w *inFlight) drop(l rateLimit, x *tally) {
	if x.requests == 0 && x.unrecorded == 0 {
		delete(w.open, l)
	}
}

// refill gives back what was lost, as the budget would. A time from the future was
// noted while the clock was ahead, and counts as now.
func (x *tally) refill(now time.Time, every time.Duration) {
	if x.unrecorded == 0 {
		return
	}
	if x.unrecordedAt.After(now) {
		x.unrecordedAt = now
	}
	n := min(x.unrecorded, int(now.Sub(x.unrecordedAt)/every))
	x.wrong -= n
	x.unrecorded -= n
	x.unrecordedAt = x.unrecordedAt.Add(time.Duration(n) * every)
}

// refillAll forgets what was lost long ago and is asked about no more.
func (w *inFlight) refillAll(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l, x := range w.open {
		x.refill(now, l.kind.refillEvery())
		w.drop(l, x)
	}
}

// renew moves a request's view of its limits to this moment.
func (w *inFlight) renew(g *guess) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range g.views {
		g.views[i].recorded = g.views[i].tally.recorded
	}
}

type answer int

const (
	readAgain answer = iota // the limits have to be read
	wrong                   // to be written down
	overLimit               // a limit is spent, whatever the token
	good
)

// judge decides about a guess, one after the other. When it is readAgain, the limits have
// to be read again, after ended is closed if that is not nil.
func (w *inFlight) judge(now time.Time, g *guess, match bool) (a answer, ended <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !g.hasRead && w.mayBeSpent(now, g) {
		return readAgain, nil
	}
	for i := range g.views {
		if c := &g.views[i]; c.kind.applies(g.knownNetwork) && c.unseen() >= c.room {
			return g.refusal()
		}
	}
	if match {
		return good, nil
	}
	for _, c := range g.counted() {
		c.tally.wrong++
	}
	return wrong, nil
}

// mayBeSpent reports whether the limits of a guess may have no room, as far as this
// process knows without reading them.
func (w *inFlight) mayBeSpent(now time.Time, g *guess) bool {
	for i := range g.views {
		c := &g.views[i]
		if c.unseen() > 0 || c.kind.spansEntries() && w.nearlySpent.has(now, c.rateLimit) {
			return true
		}
	}
	return false
}

// refusal is that of a guess for which there is no room, unless others are being
// written down: they may have been counted twice, here and in the budget.
func (g *guess) refusal() (a answer, ended <-chan struct{}) {
	for _, c := range g.counted() {
		x := c.tally
		switch {
		case c.recorded != x.recorded:
			return readAgain, nil
		case x.pending() > 0:
			if x.ended == nil {
				x.ended = make(chan struct{})
			}
			return readAgain, x.ended
		}
	}
	return overLimit, nil
}

// settle notes that a wrong guess was written down, or could not be.
func (w *inFlight) finish(now time.Time, g *guess, written bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range g.counted() {
		x := c.tally
		if written {
			x.recorded++
		} else {
			x.keepUnrecorded(now)
		}
		if x.ended != nil {
			close(x.ended)
			x.ended = nil
		}
	}
}

// lose keeps a wrong guess in memory that could not be written down.
func (x *tally) keepUnrecorded(now time.Time) {
	if x.unrecorded == 0 {
		x.unrecordedAt = now
	}
	x.unrecorded++
}

// remember notes which of the limits that a guess has read have little room left.
func (w *inFlight) keepNearlySpent(now time.Time, g *guess) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range g.counted() {
		if c.kind.spansEntries() {
			w.nearlySpent.set(now, c.rateLimit, c.room < c.kind.burst()/2)
		}
	}
}
