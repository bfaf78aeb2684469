package session_test

import (
	"errors"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// Even right after it was used where it is good.
func TestACookieIsGoodAtItsOwnHostAlone(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, own seal.Token) {
		at := atSite(t, s, own)
		nothing := func(*db.Tx, session.Session) error { return nil }
		for range 2 {
			want(t, counts(t, s, own), 1)
			want(t, countsAt(t, s, at), 1)
			want(t, counts(t, s, at), -1)
			for cookie, origin := range map[seal.Token]string{at: "https://wiki.test", own: "https://grafana.test"} {
				if _, err := s.CheckAt(t.Context(), cookie, origin, nothing); !errors.Is(err, db.ErrNotFound) {
					t.Errorf("at %s: %v, want that there is no session", origin, err)
				}
			}
		}
	})
}
