package services

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// Seven of a million tokens are good at any moment, so wrong tokens are limited
// (limits.go). To count each token before it is compared would make every
// verification a write. So a wrong token is recorded durably before it is answered,
// and those whose write is still in flight are counted in memory (watch.go): of any
// number of guesses at once no more are compared than the limits have room for.

// guess is a token that somebody shows for an entry.
type guess struct {
	by    Caller
	of    Triple
	own   bool // the caller shows it for itself; else it asks about another entry
	entry ID   // 0: there is none
	asker ID   // the caller's entry
	// bucket is what the name counts for if there is no entry.
	bucket uint16

	counters []counter
	known    bool // the entry has called from this network before; read with the rooms
	looked   bool // known and the counters' rooms were read, not supposed
}

// counted lists the counters that count this guess.
func (g *guess) counted() (all []*counter) {
	for i := range g.counters {
		if c := &g.counters[i]; c.kind.counts(g.known) {
			all = append(all, c)
		}
	}
	return all
}

// budgets are what a wrong guess takes: those of the limits that count it, in their
// order, and what makes them two.
func (g *guess) budgets() (all []limit.Budget) {
	for _, c := range g.counted() {
		all = append(all, g.standIn(c.pair).budget())
	}
	if len(all) == 1 {
		all = append(all, g.extra())
	}
	return all
}

// pass says whether a token that does or does not match may pass, and records one
// that does not.
func (s *Service) pass(ctx context.Context, now time.Time, e entry, match bool, g *guess) (ok bool, err error) {
	if !match || now.UnixMilli()-e.failed < guessMemory.Milliseconds() {
		if err := s.look(ctx, g); err != nil {
			return false, err
		}
	}
	for {
		answer, settles := s.watch.judge(now, g, match)
		switch answer {
		case unsure:
			if err := s.lookAfter(ctx, g, settles); err != nil {
				return false, err
			}
			continue
		case wrong:
			return false, s.fail(ctx, g)
		}
		return answer == good, nil
	}
}

// lookAfter looks once settles is closed, or at once if it is nil.
func (s *Service) lookAfter(ctx context.Context, g *guess, settles <-chan struct{}) error {
	if settles != nil {
		select {
		case <-settles:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.look(ctx, g)
}

// look reads how many more wrong tokens the limits allow.
func (s *Service) look(ctx context.Context, g *guess) error {
	g.bucket = s.bucket(g.of)
	s.watch.renew(g) // before the read, which shows all that was written by now
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if g.known, err = g.calledBefore(tx); err != nil {
			return err
		}
		counted := g.counted()
		for i, b := range g.budgets() {
			room, err := limit.Room(tx, b)
			if err != nil {
				return err
			}
			if i < len(counted) {
				counted[i].room = room
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.looked = true
	s.watch.remember(s.DB.Now(), g)
	return nil
}

// calledBefore reports whether the entry has called from this network.
func (g *guess) calledBefore(tx *db.Tx) (bool, error) {
	if !g.own {
		return false, nil
	}
	var one int64
	err := tx.Get(`SELECT 1 FROM service_callers WHERE service_id = $1 AND network = $2`, g.entry, g.by.Network).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
