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
