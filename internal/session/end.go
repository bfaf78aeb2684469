package session

import (
	"errors"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// End ends the session of a cookie, if the cookie is valid.
func End(tx *db.Tx, t seal.Token) error {
	if t.ID == 0 {
		return nil
	}
	var hash, old []byte
	err := tx.Get(`SELECT secret_hash, old_hash FROM sessions WHERE id = $1`+tx.ForUpdate(), t.ID).Scan(&hash, &old)
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err != nil || !new(Session).recognise(t, hash, old) {
		return err
	}
	return EndByID(tx, db.ID(t.ID))
}

// EndOf ends one session of a user by its id. It returns no error if there is no such
// session.
func EndOf(tx *db.Tx, user accounts.UserID, id db.ID) error {
	_, err := tx.Exec(`DELETE FROM sessions WHERE id = $1 AND user_id = $2`, id, user)
	return err
}

// EndOfAccount ends the sessions of a user that were opened by an account, but one, and
// removes its proofs from the others.
func EndOfAccount(tx *db.Tx, user accounts.UserID, account accounts.AccountID, but db.ID) error {
	if _, err := db.All(tx, db.One[db.ID], `SELECT id FROM sessions WHERE user_id = $1 AND account_id = $2 AND id <> $3 ORDER BY id`+tx.ForUpdate(), user, account, but); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM sessions WHERE user_id = $1 AND account_id = $2 AND id <> $3`, user, account, but); err != nil {
		return err
	}
	return DropProofs(tx, user, account, 0)
}

// EndOfAuthenticator ends the sessions of a user that were opened by a passkey, but one, and
// that no passkey stands for without an authenticator, and removes its proofs from the others.
func EndOfAuthenticator(tx *db.Tx, user accounts.UserID, authenticator, but db.ID) error {
	const which = ` FROM sessions WHERE user_id = $1 AND account_id = 0 AND id <> $3 AND NOT EXISTS
		(SELECT 1 FROM proofs p WHERE p.session_id = sessions.id AND p.factor = 'passkey' AND p.is_remembered = 0 AND p.authenticator_id <> $2)`
	if _, err := db.All(tx, db.One[db.ID], `SELECT id`+which+` ORDER BY id`+tx.ForUpdate(), user, authenticator, but); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE`+which, user, authenticator, but); err != nil {
		return err
	}
	return DropProofs(tx, user, 0, authenticator)
}

// EndByID ends a session of any user.
func EndByID(tx *db.Tx, id db.ID) error {
	_, err := tx.Exec(`DELETE FROM sessions WHERE id = $1`, id)
	return err
}

// EndAll ends all sessions of a user but one (0: all) and returns how many.
func EndAll(tx *db.Tx, user accounts.UserID, but db.ID) (int64, error) {
	if err := accounts.ForgetBrowsers(tx, user); err != nil {
		return 0, err
	}
	// Sessions are locked in the order of their ids everywhere.
	if _, err := db.All(tx, db.One[db.ID], `SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 ORDER BY id`+tx.ForUpdate(), user, but); err != nil {
		return 0, err
	}
	return tx.Exec(`DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, user, but)
}

// Sweep looks at the next limit sessions after the id from, removes those that have ended,
// and returns how many and where to go on, 0 at the end. It skips rows that another
// transaction has locked: the two could lock rows in different orders and deadlock.
func (s *Store) Sweep(tx *db.Tx, from db.ID, limit int) (removed int64, next db.ID, err error) {
	next, err = walk(tx, `SELECT id FROM (SELECT id FROM sessions WHERE id > $1 ORDER BY id LIMIT $2) walk ORDER BY id DESC LIMIT 1`, from, limit)
	if err != nil || next == 0 {
		return 0, 0, err
	}
	removed, err = tx.Exec(`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE id > $1 AND id <= $2 AND (expires_at <= $3 OR last_seen_at <= $4)`+tx.SkipLocked()+`)`,
		from, next, tx.Now, tx.Now.Add(-s.Settings.Idle))
	return removed, next, err
}

// walk runs a query for the last of the next rows of a table; 0: there are no more.
func walk(tx *db.Tx, query string, from db.ID, limit int) (last db.ID, err error) {
	err = tx.Get(query, from, limit).Scan(&last)
	if errors.Is(err, db.ErrNotFound) {
		return 0, nil
	}
	return last, err
}
