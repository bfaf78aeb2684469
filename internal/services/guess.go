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
// and those whose write is still in flight are counted in memory (inflight.go): of any
// number of guesses at once no more are compared than the limits have room for.

// guess is a token that somebody shows for an entry.
type guess struct {
	by     Caller
	of     Triple
	own    bool // the caller shows it for itself; else it asks about another entry
	entry  ID   // 0: there is none
	caller ID   // the caller's entry
	// bucket is what the name counts for if there is no entry.
	bucket uint16

	views        []view
	knownNetwork bool // the entry has called from this network before; read with the rooms
	hasRead      bool // known and the counters' rooms were read, not supposed
}

// counted lists the counters that count this guess.
func (g *guess) counted() (all []*view) {
	for i := range g.views {
		if c := &g.views[i]; c.kind.applies(g.knownNetwork) {
			all = append(all, c)
		}
	}
	return all
}

// budgets are what a wrong guess takes: those of the limits that count it, in their
// order, and what makes them two.
func (g *guess) budgets() (all []limit.Budget) {
	for _, c := range g.counted() {
		all = append(all, g.countedFor(c.rateLimit).budget())
	}
	if len(all) == 1 {
		all = append(all, g.padding())
	}
	return all
}

// pass says whether a token that does or does not match may pass, and records one
// that does not.
func (s *Service) allow(ctx context.Context, now time.Time, e entry, match bool, g *guess) (ok bool, err error) {
	if !match || now.Sub(e.failed) < guessMemory {
		if err := s.readLimits(ctx, g); err != nil {
			return false, err
		}
	}
	for {
		answer, ended := s.inFlight.judge(now, g, match)
		switch answer {
		case readAgain:
			if err := s.readLimitsAfter(ctx, g, ended); err != nil {
				return false, err
			}
			continue
		case wrong:
			return false, s.recordWrong(ctx, g)
		}
		return answer == good, nil
	}
}

// lookAfter looks once ended is closed, or at once if it is nil.
func (s *Service) readLimitsAfter(ctx context.Context, g *guess, ended <-chan struct{}) error {
	if ended != nil {
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.readLimits(ctx, g)
}

// look reads how many more wrong tokens the limits allow.
func (s *Service) readLimits(ctx context.Context, g *guess) error {
	g.bucket = s.bucket(g.of)
	s.inFlight.renew(g) // before the read, which shows all that was written by now
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if g.knownNetwork, err = g.calledBefore(tx); err != nil {
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
	g.hasRead = true
	s.inFlight.keepNearlySpent(s.DB.Now(), g)
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
