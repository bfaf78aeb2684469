package services

import (
	"sync"
	"time"
)

// watches are the guesses that are under way in this process.
type watches struct {
	mu     sync.Mutex
	open   map[pair]*watch
	scarce scarce
}

// watch counts the wrong guesses of a pair while any request of it is under way.
type watch struct {
	requests int
	wrong    int // found wrong
	settled  int // of these, written down
	// lost are those that could not be written down: the database was away. They
	// count here, or it would be open to guessing meanwhile.
	lost     int
	lostAt   time.Time
	settling chan struct{} // closed when one is settled; nil while nobody waits for it
}

// inFlight are wrong guesses whose write has neither succeeded nor failed.
func (x *watch) inFlight() int { return x.wrong - x.settled - x.lost }

// fresh are the wrong guesses that the request's read may not show.
func (c *counter) fresh() int { return c.watch.wrong - c.settled }

// enter gives a request its counters. It has to leave them.
func (w *watches) enter(now time.Time, pairs []pair) []counter {
	all := make([]counter, len(pairs))
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range pairs {
		x, ok := w.open[p]
		if !ok {
			x = &watch{}
			w.open[p] = x
		}
		x.forgive(now, p.kind.every())
		x.requests++
		all[i] = counter{pair: p, watch: x, settled: x.settled, room: p.kind.most()}
	}
	return all
}

func (w *watches) leave(all []counter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range all {
		all[i].watch.requests--
		w.drop(all[i].pair, all[i].watch)
	}
}

// drop forgets a watch that nobody needs.
func (w *watches) drop(p pair, x *watch) {
	if x.requests == 0 && x.lost == 0 {
		delete(w.open, p)
	}
}

// forgive gives back what was lost, as the budget would. A time from the future was
// noted while the clock was ahead, and counts as now.
func (x *watch) forgive(now time.Time, every time.Duration) {
	if x.lost == 0 {
		return
	}
	if x.lostAt.After(now) {
		x.lostAt = now
	}
	n := min(x.lost, int(now.Sub(x.lostAt)/every))
	x.wrong -= n
	x.lost -= n
	x.lostAt = x.lostAt.Add(time.Duration(n) * every)
}

// forgiveAll forgets what was lost long ago and is asked about no more.
func (w *watches) forgiveAll(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p, x := range w.open {
		x.forgive(now, p.kind.every())
		w.drop(p, x)
	}
}

// renew moves a request's view of its counters to this moment.
func (w *watches) renew(g *guess) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range g.counters {
		g.counters[i].settled = g.counters[i].watch.settled
	}
}

type answer int

const (
	unsure  answer = iota // the limits have to be read
	wrong                 // to be written down
	refused               // a limit is spent, whatever the token
	good
)

// judge decides about a guess, one after the other. When it is unsure, the limits have
// to be read again, after settles is closed if that is not nil.
func (w *watches) judge(now time.Time, g *guess, match bool) (a answer, settles <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !g.looked && w.isDoubtful(now, g) {
		return unsure, nil
	}
	for i := range g.counters {
		if c := &g.counters[i]; c.kind.counts(g.known) && c.fresh() >= c.room {
			return g.refusal()
		}
	}
	if match {
		return good, nil
	}
	for _, c := range g.counted() {
		c.watch.wrong++
	}
	return wrong, nil
}

// isDoubtful reports whether the limits of a guess may have no room, as far as this
// process knows without reading them.
func (w *watches) isDoubtful(now time.Time, g *guess) bool {
	for i := range g.counters {
		c := &g.counters[i]
		if c.fresh() > 0 || c.kind.isWide() && w.scarce.has(now, c.pair) {
			return true
		}
	}
	return false
}

// refusal is that of a guess for which there is no room, unless others are being
// written down: they may have been counted twice, here and in the budget.
func (g *guess) refusal() (a answer, settles <-chan struct{}) {
	for _, c := range g.counted() {
		x := c.watch
		switch {
		case c.settled != x.settled:
			return unsure, nil
		case x.inFlight() > 0:
			if x.settling == nil {
				x.settling = make(chan struct{})
			}
			return unsure, x.settling
		}
	}
	return refused, nil
}

// settle notes that a wrong guess was written down, or could not be.
func (w *watches) settle(now time.Time, g *guess, written bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range g.counted() {
		x := c.watch
		if written {
			x.settled++
		} else {
			x.lose(now)
		}
		if x.settling != nil {
			close(x.settling)
			x.settling = nil
		}
	}
}

// lose keeps a wrong guess in memory that could not be written down.
func (x *watch) lose(now time.Time) {
	if x.lost == 0 {
		x.lostAt = now
	}
	x.lost++
}

// remember notes which of the limits that a guess has read have little room left.
func (w *watches) remember(now time.Time, g *guess) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range g.counted() {
		if c.kind.isWide() {
			w.scarce.set(now, c.pair, c.room < c.kind.most()/2)
		}
	}
}
