package session

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Bind binds a session to a key of its device, given as it is stored, by a proof made at a
// time. The first key stays: it reports false for a session that is bound already, or has
// ended.
func (s *Store) Bind(tx *db.Tx, id db.ID, key []byte, made time.Time) (bool, error) {
	n, err := tx.Exec(`UPDATE sessions SET bound_key = $2, bound_at = $3 WHERE id = $1 AND bound_at = 0 AND expires_at > $4`, id, key, made, tx.Now)
	return n == 1, err
}

const (
	// bindFor is how long after a sign-in its browser may bind the session.
	bindFor = 6 * time.Minute
	// bindingFor is for requests that were under way when it did, without the cookie that it got.
	bindingFor = 30 * time.Second
)

// IsBinding reports whether a session was bound a moment ago, for the first time, so that a
// request may have been under way that lacks the short-lived cookie.
func (s Session) IsBinding(now time.Time) bool {
	return s.Bound && s.boundAt.Sub(s.Created()) < bindFor && now.Sub(s.boundAt) < bindingFor
}

// BoundKey returns the key that a session is bound to, and when the last proof of it that
// counted was made; ok is false for a session that is not bound, or has ended.
func (s *Store) BoundKey(tx *db.Tx, id db.ID) (key []byte, last time.Time, ok bool, err error) {
	var x Session
	var active bool
	err = tx.Get(`SELECT s.bound_key, s.bound_at, s.last_seen_at, s.expires_at, u.is_active FROM sessions s `+accounts.JoinUser+` WHERE s.id = $1 AND s.bound_at > 0`, id).
		Scan(&key, &last, &x.LastSeen, &x.Expires, &active)
	if errors.Is(err, db.ErrNotFound) {
		return nil, last, false, nil
	}
	return key, last, err == nil && active && !s.ended(x, tx.Now), err
}

// ProveBound records when a proof of a session's key was made. It reports false for one that
// was made no later than another that counted.
func ProveBound(tx *db.Tx, id db.ID, last, made time.Time) (bool, error) {
	n, err := tx.Exec(`UPDATE sessions SET bound_at = $3 WHERE id = $1 AND bound_at = $2`, id, last, made)
	return n == 1, err
}
