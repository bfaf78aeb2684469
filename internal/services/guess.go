package services

import (
	"context"
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
)

// Seven of a million tokens are good at any moment, so wrong ones are limited
// (limits.go). Counting each token before it is compared would make every verification
// a write. So only wrong tokens are counted: they are recorded durably before the
// response, and those not yet recorded are counted in memory (inflight.go), so that
// concurrency cannot exceed a limit.

// guess is a token that is presented, and may be wrong.
type guess struct {
	by     Caller
	of     Triple // whose token it is said to be
	own    bool   // it is said to be the caller's own
	caller ID     // the caller's entry
	entry  ID     // the entry whose token it is said to be; 0: there is none
	bucket uint16 // what the guess counts for if there is none; set by readLimits

	limits []view
}

// allow says whether a token passes; match says whether it is one of its entry's seeds. A
// token that does not match has been recorded when allow returns, unless a limit was
// spent already.
func (s *Service) allow(ctx context.Context, now time.Time, e entry, match bool, g *guess) (ok bool, err error) {
	if !match || now.Sub(e.failed) < guessMemory {
		if err := s.readLimits(ctx, g); err != nil {
			return false, err
		}
	}
	for {
		d, recorded := s.inFlight.decide(now, g.limits, match)
		switch d {
		case allowed:
			return true, nil
		case overLimit:
			return false, nil
		case wrongToken:
			return false, s.record(ctx, g)
		case readAgain:
			if err := wait(ctx, recorded); err != nil {
				return false, err
			}
			if err := s.readLimits(ctx, g); err != nil {
				return false, err
			}
		}
	}
}

// wait waits until recorded is closed, or not at all if it is nil.
func wait(ctx context.Context, recorded <-chan struct{}) error {
	if recorded == nil {
		return nil
	}
	select {
	case <-recorded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readLimits reads how many more wrong tokens the limits allow.
func (s *Service) readLimits(ctx context.Context, g *guess) error {
	g.bucket = s.bucket(g.of)
	s.inFlight.renew(g.limits) // before the read, which shows all that is recorded by now
	err := s.DB.View(ctx, func(tx *db.Tx) error {
		known, err := g.fromKnownNetwork(tx)
		if err != nil {
			return err
		}
		applied := apply(g.limits, known)
		for i, b := range g.budgets() {
			room, err := limit.Room(tx, b)
			if err != nil {
				return err
			}
			if i < len(applied) { // else it is the padding
				applied[i].room = room
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.inFlight.hasRead(s.DB.Now(), g.limits)
	return nil
}

// fromKnownNetwork reports whether the entry has called from this network before.
func (g *guess) fromKnownNetwork(tx *db.Tx) (bool, error) {
	if !g.own {
		return false, nil
	}
	var found int
	err := tx.Get(`SELECT 1 FROM service_callers WHERE service_id = $1 AND network = $2`, g.entry, g.by.Network).Scan(&found)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
