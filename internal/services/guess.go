package services

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// Seven of a million tokens are good at any moment, so guesses are counted: a
// caller's own tokens per entry and network, those it has verified per caller
// and entry. Counting before comparing would make every verification a write.
// So a guess is written down once it was wrong, before it is answered, and what
// is not written down yet is watched in this process: of any number of guesses
// at once no more are compared than the budget has room for.

// guess is a token that somebody shows for an entry.
type guess struct {
	by    Caller
	of    Triple
	entry ID // 0: there is none
	asker ID // the caller's entry
	// own watches the pair that is counted, strangers what all networks share
	// that have not been right before; nil for a claim.
	own, strangers *watching
}

// asked says in history who asked about an entry; "" if it called itself.
func (g guess) asked() string {
	if g.strangers != nil {
		return ""
	}
	return "asked by " + Entry{Name: g.by.Name, Realm: g.by.Realm}.String()
}

// budgets are what a wrong guess takes.
func (g guess) budgets(known bool) []limit.Budget {
	id := g.of.Name + "\x00" + g.of.Realm
	if g.strangers == nil {
		return []limit.Budget{{Name: "service_claim", Key: g.by.Name + "\x00" + g.by.Realm + "\x00" + id, Rates: guesses, Near: id}}
	}
	own := limit.Budget{Name: "service_caller", Key: g.by.Network + "\x00" + id, Rates: guesses, Near: id}
	if known {
		return []limit.Budget{own}
	}
	return []limit.Budget{own, {Name: "service_strangers", Key: id, Rates: guesses, Near: id}}
}

// room is how many wrong guesses may still come.
type room struct {
	own, strangers int
	known          bool // the caller was right from this network before: strangers do not count for it
	looked         bool // it was read, not supposed
}

// pass says whether a token that does or does not match may pass, and writes
// down that it does not.
func (s *Service) pass(ctx context.Context, now time.Time, e entry, match bool, g *guess) (ok bool, err error) {
	left := room{own: mostGuesses, strangers: mostGuesses}
	if !match || now.UnixMilli()-e.failed < guessMemory.Milliseconds() {
		if left, err = s.look(ctx, g); err != nil {
			return false, err
		}
	}
	for {
		answer, settles := s.watch.judge(g, match, left)
		switch answer {
		case unsure:
			if settles != nil {
				select {
				case <-settles:
				case <-ctx.Done():
					return false, ctx.Err()
				}
			}
			if left, err = s.look(ctx, g); err != nil {
				return false, err
			}
			continue
		case wrong:
			return false, s.fail(ctx, g, left.known)
		}
		return answer == good, nil
	}
}

// look reads what the budgets have left.
func (s *Service) look(ctx context.Context, g *guess) (left room, err error) {
	s.watch.renew(g) // what was written down by now, the reads show
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		left = room{looked: true, known: g.strangers == nil, strangers: mostGuesses}
		if !left.known {
			var one int64
			err := tx.Get(`SELECT 1 FROM service_callers WHERE service_id = $1 AND network = $2`, g.entry, g.by.Network).Scan(&one)
			if err != nil && !errors.Is(err, db.ErrNotFound) {
				return err
			}
			left.known = err == nil
		}
		b := g.budgets(left.known)
		if left.own, err = limit.Room(tx, b[0]); err != nil || len(b) < 2 {
			return err
		}
		left.strangers, err = limit.Room(tx, b[1])
		return err
	})
	return left, err
}

// fail counts a wrong guess. It is durable when fail returns.
func (s *Service) fail(ctx context.Context, g *guess, known bool) error {
	// Also when who asked has gone away: a guess that is not waited for counts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	client := g.by.client()
	err := s.DB.Sequence(ctx, db.Shared(func(tx *db.Tx) error {
		// Another process may have spent the room meanwhile: the guess was compared
		// all the same, and counts.
		if err := limit.Charge(tx, g.budgets(known)...); err != nil {
			return err
		}
		n, err := tx.Exec(`UPDATE services SET failed_at = $2, last_used_at = $2, last_caller = $3, last_network = $4, last_result = $5, last_mark = 0 WHERE id = $1`,
			g.entry, tx.Millis(), g.asker, g.by.Network, Refused)
		if err != nil || n == 0 {
			return err
		}
		return audit.WriteService(tx, int64(g.entry), audit.ServiceRefused, client, g.asked())
	}))
	s.watch.settle(g, err == nil, s.DB.Now())
	return err
}

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
