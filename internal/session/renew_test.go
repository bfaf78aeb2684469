package session_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

// renewing is a store with a session of an active user.
func renewing(t *testing.T, fn func(t *testing.T, s *session.Store, token seal.Token)) {
	renewingBy(t, func(t *testing.T, s *session.Store, token seal.Token, _ *dbtest.Clock) { fn(t, s, token) })
}

// renewingBy is renewing, with the clock.
func renewingBy(t *testing.T, fn func(t *testing.T, s *session.Store, token seal.Token, clock *dbtest.Clock)) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		s := store(d)
		update(t, d, func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO users (id, username, is_active, date_joined) VALUES (7, 'ann', 1, 0)`)
			return err
		})
		fn(t, s, open(t, s), clock)
	})
}

// proves proves by an authenticator with a cookie, and returns the next.
func proves(t *testing.T, s *session.Store, by seal.Token, authenticator db.ID) seal.Token {
	t.Helper()
	update(t, s.DB, func(tx *db.Tx) error {
		sess, err := s.Find(tx, by)
		if err != nil {
			return err
		}
		return s.Prove(tx, sess, session.Proof{Factor: "totp", Authenticator: authenticator})
	})
	return s.Renewed(by)
}

// counts is how many proofs count for a cookie; -1: it opens nothing.
func counts(t *testing.T, s *session.Store, by seal.Token) (n int) {
	t.Helper()
	_, err := s.CheckAnd(t.Context(), by, func(tx *db.Tx, sess session.Session) error {
		all, err := session.Proofs(tx, sess)
		n = len(all)
		return err
	})
	if errors.Is(err, db.ErrNotFound) {
		return -1
	} else if err != nil {
		t.Fatal(err)
	}
	return n
}

func seen(t *testing.T, s *session.Store) {
	t.Helper()
	if err := s.WriteSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAProofCountsForTheRenewedTokenAlone(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		want(t, counts(t, s, first), 1)
		second := proves(t, s, first, 5)
		want(t, counts(t, s, first), 1)
		want(t, counts(t, s, second), 2)
		third := proves(t, s, second, 6)
		want(t, counts(t, s, first), -1)
		want(t, counts(t, s, second), 2)
		want(t, counts(t, s, third), 3)
	})
}

func TestATokenIsOverOnceTheNextWasUsed(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		second := proves(t, s, first, 5)
		want(t, counts(t, s, first), 1)
		seen(t, s)
		want(t, counts(t, s, first), 1) // the response may have been lost
		want(t, counts(t, s, second), 2)
		seen(t, s)
		want(t, counts(t, s, first), -1)
		want(t, counts(t, s, second), 2)
	})
}

// A use that is recorded late must not end the token that was made after it.
func TestAUseOfAnEarlierTokenEndsNoLaterOne(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		second := proves(t, s, first, 5)
		want(t, counts(t, s, second), 2)
		third := proves(t, s, second, 6)
		seen(t, s)
		want(t, counts(t, s, second), 2)
		want(t, counts(t, s, third), 3)
	})
}

func TestWhatIsProvedAnewCountsNotForTheTokenBefore(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		second := proves(t, s, first, 5)
		third := proves(t, s, second, 5)
		want(t, counts(t, s, second), 1)
		want(t, counts(t, s, third), 2)
	})
}

// Whichever response the browser reads last, it holds a token that counts.
func TestRequestsWithOneTokenAtOnceGetOneToken(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { proves(t, s, first, db.ID(i+1)) })
		}
		all.Wait()
		want(t, counts(t, s, s.Renewed(first)), 9)
		want(t, counts(t, s, first), 1)
	})
}

func TestASessionEndsByEitherToken(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		second := proves(t, s, first, 5)
		update(t, s.DB, func(tx *db.Tx) error { return session.End(tx, seal.NewToken(first.ID)) })
		want(t, counts(t, s, second), 2)
		update(t, s.DB, func(tx *db.Tx) error { return session.End(tx, first) })
		want(t, counts(t, s, second), -1)
		want(t, counts(t, s, first), -1)
	})
}

func TestNothingIsProvedInASessionThatHasEndedMeanwhile(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
			sess, err := s.Find(tx, first)
			if err != nil {
				return err
			}
			if err := session.EndByID(tx, sess.ID); err != nil {
				return err
			}
			return s.Prove(tx, sess, session.Proof{Factor: "totp", Authenticator: 5})
		})
		want(t, errors.Is(err, db.ErrNotFound), true)
	})
}

func TestATokenIsRenewedByTheHouseAlone(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		keys, err := seal.New(seal.Random(seal.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		other := session.New(s.DB, keys, s.Settings, nil)
		second := proves(t, s, first, 5)
		want(t, counts(t, s, other.Renewed(first)), -1)
		want(t, second.ID, first.ID)
		want(t, second.Secret == first.Secret, false)
	})
}

// atSite hands a session over to a site, by a cookie.
func atSite(t *testing.T, s *session.Store, by seal.Token) (at seal.Token) {
	t.Helper()
	const origin = "https://grafana.test"
	update(t, s.DB, func(tx *db.Tx) error {
		sess, err := s.Find(tx, by)
		if err != nil {
			return err
		}
		code, err := session.NewHandoff(tx, sess, session.Handoff{Origin: origin, Browser: []byte("b")})
		if err != nil {
			return err
		}
		at, _, _, _, err = s.EnterSite(tx, code, origin, [][]byte{[]byte("b")})
		return err
	})
	return at
}

// countsAt is how many proofs count for a cookie of a site.
func countsAt(t *testing.T, s *session.Store, at seal.Token) (n int) {
	t.Helper()
	_, err := s.CheckAt(t.Context(), at, "https://grafana.test", func(tx *db.Tx, sess session.Session) error {
		all, err := session.Proofs(tx, sess)
		n = len(all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAtASiteProofsCountThatCountedWhenItWasHandedOver(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		at := atSite(t, s, first)
		want(t, countsAt(t, s, at), 1)
		second := proves(t, s, first, 5)
		want(t, countsAt(t, s, at), 1)
		want(t, countsAt(t, s, atSite(t, s, first)), 1) // by the token before
		at = atSite(t, s, second)
		want(t, countsAt(t, s, at), 2)
		third := proves(t, s, second, 6)
		want(t, countsAt(t, s, at), 2)
		want(t, countsAt(t, s, atSite(t, s, second)), 2)
		want(t, countsAt(t, s, atSite(t, s, third)), 3)
	})
}

// The new token is used, and in the same second the session by a cookie that is not renewed.
func TestAnotherUseOfASessionHidesNotThatItsNewTokenWasUsed(t *testing.T) {
	renewingBy(t, func(t *testing.T, s *session.Store, first seal.Token, clock *dbtest.Clock) {
		at := atSite(t, s, first)
		second := proves(t, s, first, 5)
		clock.Advance(s.Settings.Idle / 2)
		want(t, counts(t, s, second), 2)
		want(t, countsAt(t, s, at), 1)
		seen(t, s)
		want(t, counts(t, s, first), -1)
	})
}
