package session

import (
	"errors"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// Next returns a token for Prove to put in the place of t.
func Next(t seal.Token) seal.Token { return seal.NewToken(t.ID) }

const (
	hashSize = 32
	// maxOld bounds the old tokens of a session: that which was renewed, and those of requests
	// which renewed it at the same time.
	maxOld = 4
)

// renew puts the next token in the place of the one by which a session was found, and returns
// the number of that renewal. Whoever has taken the token before gains nothing by the proof that
// comes with the renewal (OWASP ASVS 7.2.4): the old token opens the session as it was, until the
// next one was used.
//
// If that is an old token already, another request has renewed the session before. Of two who
// hold one token, one may be a thief, so neither gains what the other proves: the proofs of the
// other renewal are removed. Its token becomes an old one, so that a browser that reads two
// responses in another order stays signed in.
func (s *Store) renew(tx *db.Tx, in Session, next seal.Token) (n int64, err error) {
	if db.ID(next.ID) != in.ID {
		return 0, errors.New("a proof needs the next token of its session")
	}
	var hash, old []byte
	x := Session{}
	err = tx.Get(`SELECT secret_hash, old_hash, renewals, forked FROM sessions WHERE id = $1`+tx.ForUpdate(), in.ID).Scan(&hash, &old, &x.renewals, &x.forked)
	if err != nil {
		return 0, err
	}
	if !x.recognise(in.token, hash, old) {
		return 0, db.ErrNotFound
	}
	n = x.renewals + 1
	if x.hides == 0 {
		old = nil
	} else if _, err := tx.Exec(`DELETE FROM proofs WHERE session_id = $1 AND renewal >= $2`, in.ID, x.hides); err != nil {
		return 0, err
	} else {
		x.forked = n
	}
	if old = append(old, hash...); len(old) > maxOld*hashSize {
		old = append(old[:hashSize], old[2*hashSize:]...)
	}
	_, err = tx.Exec(`UPDATE sessions SET secret_hash = $2, old_hash = $3, renewals = $4, forked = $5 WHERE id = $1`, in.ID, next.Hash(), old, n, x.forked)
	return n, err
}

// recognise reads which token of a session it was found by. It reports false for none of its.
func (x *Session) recognise(t seal.Token, hash, old []byte) bool {
	x.token = t
	if t.Matches(hash) {
		x.wasRenewed, x.hides = len(old) > 0, 0
		return true
	}
	for ; len(old) >= hashSize; old = old[hashSize:] {
		if t.Matches(old[:hashSize]) {
			x.hides = x.renewals
			return true
		}
	}
	return false
}

// renewal is the last one whose proofs count for the token by which a session was found.
func (x *Session) renewal() int64 {
	if x.hides > 0 {
		return x.hides - 1
	}
	return x.renewals
}
