package services

import "time"

// mostScarce is how many pairs are remembered in an hour.
const mostScarce = 1 << 15

// scarce remembers, for one to two hours, which pairs had less than half of a wide
// limit left when this process read it last. Of these even a right token is held
// against the limit, which is a read more; all others are spared it. A wrong token
// always reads the limit. So what a pair can win, after it has spent its limit by way
// of another process or before a restart, is that the guesses which it has under way
// when its first wrong one is read are compared once, without regard to the limit:
// one in 143,000 of them is right.
type scarce struct {
	recent, older map[pair]struct{}
	turned        time.Time // when recent was begun
}

// has reports whether a pair is remembered. When there are more than fit, all are.
func (s *scarce) has(now time.Time, p pair) bool {
	s.turn(now)
	if len(s.recent) >= mostScarce {
		return true
	}
	_, recent := s.recent[p]
	_, older := s.older[p]
	return recent || older
}

// set remembers or forgets a pair.
func (s *scarce) set(now time.Time, p pair, is bool) {
	s.turn(now)
	switch {
	case !is:
		delete(s.recent, p)
		delete(s.older, p)
	case len(s.recent) < mostScarce:
		s.recent[p] = struct{}{}
	}
}

// turn begins anew each hour, after which a spent limit is whole again; also when the
// clock was set back.
func (s *scarce) turn(now time.Time) {
	age := now.Sub(s.turned)
	if age >= 0 && age < guessMemory && s.recent != nil {
		return
	}
	s.older = s.recent
	if age >= 2*guessMemory {
		s.older = nil
	}
	s.recent, s.turned = map[pair]struct{}{}, now
}
