package services

import "time"

// maxNearlySpent is how many limits are remembered in an hour.
const maxNearlySpent = 1 << 15

// nearlySpent remembers for one to two hours which limits over all entries had less than
// half left when this process read them last. Only these are read also for a right
// token; all others save it the read. A wrong token always reads its limits. So one who
// has spent a limit at another process, or before a restart, wins only this: the tokens
// in flight when the first wrong one is read are compared once without regard to the
// limit, and one in 143,000 of them is right.
type nearlySpent struct {
	recent, older map[rateLimit]struct{}
	turned        time.Time // when recent was begun
}

// has reports whether a limit is remembered. When there are more than fit, all are.
func (s *nearlySpent) has(now time.Time, l rateLimit) bool {
	s.turn(now)
	if len(s.recent) >= maxNearlySpent {
		return true
	}
	_, recent := s.recent[l]
	_, older := s.older[l]
	return recent || older
}

// set remembers or forgets a limit.
func (s *nearlySpent) set(now time.Time, l rateLimit, is bool) {
	s.turn(now)
	switch {
	case !is:
		delete(s.recent, l)
		delete(s.older, l)
	case len(s.recent) < maxNearlySpent:
		s.recent[l] = struct{}{}
	}
}

// turn begins anew each hour, after which a spent limit is full again; also when the
// clock was set back.
func (s *nearlySpent) turn(now time.Time) {
	age := now.Sub(s.turned)
	if age >= 0 && age < guessMemory && s.recent != nil {
		return
	}
	s.older = s.recent
	if age >= 2*guessMemory {
		s.older = nil
	}
	s.recent, s.turned = map[rateLimit]struct{}{}, now
}
