package session_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

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
	next := session.Next(by)
	update(t, s.DB, func(tx *db.Tx) error {
		sess, err := s.Find(tx, by)
		if err != nil {
			return err
		}
		return s.Prove(tx, sess, session.Proof{Factor: "totp", Authenticator: authenticator}, next)
	})
	return next
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

// A thief's request has read the session, and then its owner proves something.
func TestAProofThatComesInTheMiddleOfARequestDoesNotCountForIt(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		n := 0
		_, err := s.CheckAnd(t.Context(), first, func(tx *db.Tx, sess session.Session) error {
			proves(t, s, first, 5)
			all, err := session.Proofs(tx, sess)
			n = len(all)
			return err
		})
		dbtest.Check(t, err)
		want(t, n, 1)
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

func TestUsesAreRecordedEachSecond(t *testing.T) {
	d := dbtest.Open(t, dbtest.Ready(t, "sqlite"))
	want(t, store(d).WriteEvery, time.Second)
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

// Whichever response the browser reads last, it stays signed in.
func TestRequestsWithOneTokenAtOnceLeaveTheSessionOpen(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		var all sync.WaitGroup
		var next [3]seal.Token
		for i := range next {
			all.Go(func() { next[i] = proves(t, s, first, db.ID(i+1)) })
		}
		all.Wait()
		var n []int
		for _, token := range next {
			n = append(n, counts(t, s, token))
		}
		slices.Sort(n)
		want(t, fmt.Sprint(n), "[1 1 2]") // one of them won
		want(t, counts(t, s, first), 1)
	})
}

// Of two who hold a token one may be a thief: neither gains what the other proves, in whatever
// order they do.
func TestTwoWhoHoldATokenGainNothingByEachOther(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		thief := proves(t, s, first, 5)
		owner := proves(t, s, first, 6)
		want(t, counts(t, s, thief), 1)
		again := proves(t, s, thief, 7)
		want(t, counts(t, s, owner), 1)
		want(t, counts(t, s, again), 2)
		owner = proves(t, s, owner, 6)
		want(t, counts(t, s, again), 1)
		want(t, counts(t, s, owner), 2)
		seen(t, s)
		for _, gone := range []seal.Token{first, thief, again} {
			want(t, counts(t, s, gone), -1)
		}
		want(t, counts(t, s, owner), 2)
	})
}

// Of what one takes over at a site neither gains anything, either.
func TestAtASiteTwoWhoHoldATokenGainNothingByEachOther(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		thief := proves(t, s, first, 5)
		at := atSite(t, s, thief)
		want(t, countsAt(t, s, at), 2)
		proves(t, s, first, 6)
		want(t, countsAt(t, s, at), 1)
	})
}

func TestASessionKeepsFewOldTokens(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		second := proves(t, s, first, 5)
		last := second
		for range 6 {
			last = proves(t, s, first, 5)
		}
		want(t, counts(t, s, first), 1)
		want(t, counts(t, s, second), -1)
		want(t, counts(t, s, last), 2)
	})
}

func TestASessionEndsByEitherToken(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		second := proves(t, s, first, 5)
		update(t, s.DB, func(tx *db.Tx) error { return session.End(tx, seal.NewToken(first.ID)) })
		want(t, counts(t, s, second), 2)
		third := proves(t, s, first, 6)
		update(t, s.DB, func(tx *db.Tx) error { return session.End(tx, second) }) // an old one, too, by now
		want(t, counts(t, s, third), -1)
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
			return s.Prove(tx, sess, session.Proof{Factor: "totp", Authenticator: 5}, session.Next(first))
		})
		want(t, errors.Is(err, db.ErrNotFound), true)
	})
}

func TestANextTokenIsOfItsSessionAndSecret(t *testing.T) {
	renewing(t, func(t *testing.T, s *session.Store, first seal.Token) {
		second := proves(t, s, first, 5)
		want(t, second.ID, first.ID)
		want(t, second.Secret == first.Secret, false)
		want(t, second.Secret == session.Next(first).Secret, false)
		err := s.DB.Update(t.Context(), func(tx *db.Tx) error { // by somebody who forgot it
			sess, err := s.Find(tx, second)
			if err != nil {
				return err
			}
			return s.Prove(tx, sess, session.Proof{Factor: "totp", Authenticator: 5}, seal.Token{})
		})
		want(t, err != nil, true)
		want(t, counts(t, s, seal.Token{ID: first.ID}), -1)
		want(t, counts(t, s, second), 2)
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
