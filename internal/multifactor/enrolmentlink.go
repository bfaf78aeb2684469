package multifactor

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	// linkFor is how long an enrolment link can be opened.
	linkFor = 24 * time.Hour
	// openedFor is how long the session that opened it may enroll.
	openedFor = time.Hour
)

// MakeEnrolmentLink makes the one-time link under which a user may enroll one factor without
// the level that is asked otherwise. It replaces older ones.
func MakeEnrolmentLink(tx *db.Tx, user accounts.UserID) (seal.Token, error) {
	if _, err := tx.Exec(`DELETE FROM enrolment_links WHERE user_id = $1`, user); err != nil {
		return seal.Token{}, err
	}
	t := seal.NewToken(int64(tx.NewID()))
	_, err := tx.Exec(`INSERT INTO enrolment_links (id, secret_hash, user_id, expires_at) VALUES ($1, $2, $3, $4)`, t.ID, t.Hash(), user, tx.Now.Add(linkFor))
	return t, err
}

// IsEnrolmentLink reports whether a token is that of a link of a user that nobody has opened.
func IsEnrolmentLink(tx *db.Tx, t seal.Token, user accounts.UserID) (bool, error) {
	var hash []byte
	err := tx.Get(`SELECT secret_hash FROM enrolment_links WHERE id = $1 AND user_id = $2 AND session_id = 0 AND used_at = 0 AND expires_at > $3`, t.ID, user, tx.Now).Scan(&hash)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil && t.Matches(hash), err
}

// OpenEnrolmentLink lets a session enroll one factor, from the renewal on that comes with it. The
// link is one that IsEnrolmentLink says is the user's; db.ErrNotFound: it was opened meanwhile.
func OpenEnrolmentLink(tx *db.Tx, t seal.Token, session db.ID, renewal int64) error {
	n, err := tx.Exec(`UPDATE enrolment_links SET session_id = $2, renewal = $3, expires_at = $4 WHERE id = $1 AND session_id = 0`, t.ID, session, renewal, tx.Now.Add(openedFor))
	if err == nil && n != 1 {
		err = db.ErrNotFound
	}
	return err
}

// HasEnrolmentLink reports whether a session has opened a link with this renewal or a later one,
// and not enrolled anything yet.
func HasEnrolmentLink(tx *db.Tx, session db.ID, user accounts.UserID, since int64) (bool, error) {
	var one int
	err := tx.Get(`SELECT 1 FROM enrolment_links WHERE user_id = $1 AND session_id = $2 AND renewal >= $3 AND used_at = 0 AND expires_at > $4`, user, session, since, tx.Now).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// UseEnrolmentLink uses up the link that a session has opened, if it has.
func UseEnrolmentLink(tx *db.Tx, session db.ID, user accounts.UserID) error {
	_, err := tx.Exec(`UPDATE enrolment_links SET used_at = $3 WHERE user_id = $1 AND session_id = $2 AND used_at = 0`, user, session, tx.Now)
	return err
}

// LinksKept is how long enrolment links are kept.
const LinksKept = linkFor + openedFor

// SweepEnrolmentLinks removes up to limit links that were made before the given time.
func SweepEnrolmentLinks(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM enrolment_links WHERE id IN (SELECT id FROM enrolment_links WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}
