package services

import (
	"context"
	"fmt"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

// As runs fn in the transaction of a use case.
func (s *Service) As(ctx context.Context, by Caller, need Right, fn func(tx *db.Tx) error) (Verdict, error) {
	return s.as(ctx, by, need, func(tx *db.Tx, _ audit.By) error { return fn(tx) })
}

// MaxUses is how many uses wait to be written.
const MaxUses = maxUses

// WriteUses is what Run does each second, so that tests need not wait for it.
func (s *Service) WriteUses(ctx context.Context) error { return s.writeUses(ctx) }

// WaitingUses is how many uses wait to be written.
func (s *Service) WaitingUses() int { return len(s.uses) }

// Tallies is how many limits have a tally.
func (s *Service) Tallies() int {
	s.inFlight.mu.Lock()
	defer s.inFlight.mu.Unlock()
	return len(s.inFlight.tallies)
}

// Awaited reports whether a request waits for the record of another's wrong token.
func (s *Service) Awaited() bool {
	s.inFlight.mu.Lock()
	defer s.inFlight.mu.Unlock()
	for _, t := range s.inFlight.tallies {
		if t.finished != nil {
			return true
		}
	}
	return false
}

// NearlySpent is how many limits are remembered to be nearly spent.
func (s *Service) NearlySpent() int {
	s.inFlight.mu.Lock()
	defer s.inFlight.mu.Unlock()
	return len(s.inFlight.nearlySpent.recent) + len(s.inFlight.nearlySpent.older)
}

// FillNearlySpent remembers as many networks as fit.
func (s *Service) FillNearlySpent(now time.Time) {
	s.inFlight.mu.Lock()
	defer s.inFlight.mu.Unlock()
	for i := range maxNearlySpent {
		s.inFlight.nearlySpent.set(now, rateLimit{kind: perNetwork, by: Key{Name: fmt.Sprint(i)}}, true)
	}
}

// BreakDecoy seals what is no seed in place of the decoy's.
func (s *Service) BreakDecoy() { s.decoy.sealed = s.seal(0, "!") }

// DecoySeed is the seed of the decoy, as text.
func (s *Service) DecoySeed() (string, error) { return s.open(0, s.decoy.sealed) }

// MatchDecoy compares a token with the decoy, as is done for an unknown name.
func (s *Service) MatchDecoy(now time.Time, token string) (step int64, ok bool, err error) {
	return s.match(now, s.decoy, token)
}

// Bucket is what an unknown name counts for.
func (s *Service) Bucket(t Triple) uint16 { return s.bucket(t) }
