package session

import (
	"errors"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// Renewed is the token that takes the place of t when a proof is added to its session, so that
// whoever has taken t before gains nothing by the proof (OWASP ASVS 7.2.4). It is made of t and
// a key of the house: of two requests with one token, each response brings the same new one,
// whichever the browser reads last.
func (s *Store) Renewed(t seal.Token) seal.Token {
	return seal.Token{ID: t.ID, Secret: [32]byte(s.renewal.Sum(t.Secret[:]))}
}

// renew puts the next token in the place of the one by which a session was found, and returns
// the number of that renewal. The old token opens the session without what came with the
// renewal, until the new one was used.
func (s *Store) renew(tx *db.Tx, in Session) (n int64, err error) {
	next := s.Renewed(in.token)
	err = tx.Get(`UPDATE sessions SET old_hash = secret_hash, secret_hash = $3, renewals = renewals + 1 WHERE id = $1 AND secret_hash = $2 RETURNING renewals`,
		in.ID, in.token.Hash(), next.Hash()).Scan(&n)
	if errors.Is(err, db.ErrNotFound) { // another request with this token was faster
		err = tx.Get(`SELECT renewals FROM sessions WHERE id = $1 AND secret_hash = $2`, in.ID, next.Hash()).Scan(&n)
	}
	return n, err
}

// recognise reads which token of a session it was found by. It reports false for none of its.
func (x *Session) recognise(t seal.Token, hash, old []byte) bool {
	x.token = t
	switch {
	case t.Matches(hash):
		x.wasRenewed, x.hides = len(old) > 0, 0
		return true
	case len(old) > 0 && t.Matches(old):
		x.hides = x.renewals
		return true
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
