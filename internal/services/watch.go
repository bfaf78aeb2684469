package services

import (
	"sync"
	"time"
)

// watches are the guesses that are under way in this process.
type watches struct {
	mu   sync.Mutex
	open map[pair]*watch
}

// pair is what guesses are counted for.
type pair struct {
	kind        byte
	name, realm string // of the entry
	by          string
}

const (
	byNetwork byte = iota
	byStrangers
	byCaller
)

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

// pending are wrong guesses of which it is not known yet whether a read shows them.
func (x *watch) pending() int { return x.wrong - x.settled - x.lost }

// watching is a request's view of a watch.
type watching struct {
	*watch
	pair    pair
	settled int // what was written down before the request read: it has seen it
}

func (w *watches) enter(now time.Time, p pair) *watching {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.open[p]
	if !ok {
		at = &watch{}
		w.open[p] = at
	}
	at.forgive(now)
	at.requests++
	return &watching{at, p, at.settled}
}

// forgive gives back what was lost, as the budget would.
func (x *watch) forgive(now time.Time) {
	n := min(x.lost, int(now.Sub(x.lostAt)/lostEvery))
	if n > 0 {
		x.wrong -= n
		x.lost -= n
		x.lostAt = x.lostAt.Add(time.Duration(n) * lostEvery)
	}
}

// renew moves a request's view of its watches to this moment.
func (w *watches) renew(g *guess) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range g.watched() {
		x.settled = x.watch.settled
	}
}

func (w *watches) leave(all ...*watching) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range all {
		if x.requests--; x.requests == 0 && x.lost == 0 {
			delete(w.open, x.pair)
		}
	}
}

// watched are the watches of a guess.
func (g *guess) watched() []*watching {
	if g.strangers == nil {
		return []*watching{g.own}
	}
	return []*watching{g.own, g.strangers}
}

type answer int

const (
	unsure  answer = iota // others are guessing: the budgets have to be read
	wrong                 // to be written down
	refused               // the budget is spent, whatever the token
	good
)

// judge decides about a guess, one after the other for each pair. When it is
// unsure, the budgets have to be read again, after settles if that is not nil.
func (w *watches) judge(g *guess, match bool, left room) (a answer, settles <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own, strangers := g.own.fresh(), 0
	if g.strangers != nil {
		strangers = g.strangers.fresh()
	}
	switch {
	case !left.looked && own+strangers > 0:
		return unsure, nil
	case own >= left.own || !left.known && strangers >= left.strangers:
		return g.refusal()
	case match:
		return good, nil
	}
	for _, x := range g.watched() {
		x.wrong++
	}
	return wrong, nil
}

// refusal is that of a guess for which there is no room, unless others are being
// written down: they may have been counted twice, here and in the budget.
func (g *guess) refusal() (a answer, settles <-chan struct{}) {
	for _, x := range g.watched() {
		switch {
		case x.settled != x.watch.settled:
			return unsure, nil
		case x.pending() > 0:
			if x.settling == nil {
				x.settling = make(chan struct{})
			}
			return unsure, x.settling
		}
	}
	return refused, nil
}

// fresh are the wrong guesses that the request's reads may not show.
func (x *watching) fresh() int { return x.wrong - x.settled }

// settle notes that a wrong guess was written down, or could not be.
func (w *watches) settle(g *guess, written bool, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range g.watched() {
		switch {
		case written:
			x.watch.settled++
		case g.entry != 0:
			if x.lost == 0 {
				x.lostAt = now
			}
			x.lost++
		default: // there is nothing to find
			x.wrong--
		}
		if x.settling != nil {
			close(x.settling)
			x.settling = nil
		}
	}
}
