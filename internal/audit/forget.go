package audit

import (
	"errors"

	"github.com/djauthy/djauthy/internal/db"
)

// forgetAtOnce is how many lines one transaction removes, so that a long history does not
// block others.
const forgetAtOnce = 1000

// Forget removes a user's history, up to forgetAtOnce rows of it. The others are left to
// ForgetMore.
func Forget(tx *db.Tx, user db.ID) error {
	n, err := forget(tx, user, forgetAtOnce)
	if err != nil || n < forgetAtOnce {
		return err
	}
	_, err = tx.Exec(`INSERT INTO forgotten (user_id, since) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING`, user, tx.Now)
	return err
}

func forget(tx *db.Tx, user db.ID, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE subject_kind = 'user' AND subject_id = $1 AND subject_id <> 0 ORDER BY id LIMIT $2)`, user, limit)
}

// ForgetMore removes up to limit lines of one user whose history Forget could not remove
// completely, and reports whether there may be more.
func ForgetMore(tx *db.Tx, limit int) (removed int64, more bool, err error) {
	var user db.ID
	err = tx.Get(`SELECT user_id FROM forgotten ORDER BY user_id LIMIT 1`).Scan(&user)
	if errors.Is(err, db.ErrNotFound) {
		return 0, false, nil
	} else if err != nil {
		return 0, false, err
	}
	removed, err = forget(tx, user, limit)
	if err != nil || removed == int64(limit) {
		return removed, true, err
	}
	_, err = tx.Exec(`DELETE FROM forgotten WHERE user_id = $1`, user)
	return removed, true, err
}
