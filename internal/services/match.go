package services

import (
	"time"

	"github.com/djauthy/djauthy/internal/totp"
)

// match compares a token with those of the entry's seeds. A wrong one is compared with
// those of two seeds, whether or not there is an older seed, or an entry at all, so that
// the time of the response does not tell them apart.
func (s *Service) match(now time.Time, e entry, token string) (step int64, ok bool, err error) {
	step, ok, err = s.matchSeed(now, e.id, e.sealed, token)
	if ok || err != nil {
		return step, ok && e.id != 0, err
	}
	id, old := e.id, e.old
	if len(old) == 0 {
		id, old = s.decoy.id, s.decoy.sealed
	}
	step, ok, err = s.matchSeed(now, id, old, token)
	return step, ok && len(e.old) > 0 && e.id != 0, err
}

func (s *Service) matchSeed(now time.Time, id ID, sealed []byte, token string) (int64, bool, error) {
	text, err := s.open(id, sealed)
	if err != nil {
		return 0, false, err
	}
	seed, err := totp.ParseSeed(text)
	if err != nil {
		return 0, false, err
	}
	step, ok := totp.Match(seed, token, now, s.Settings.Window)
	return step, ok, nil
}
