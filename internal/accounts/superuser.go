package accounts

import (
	"errors"

	"github.com/djauthy/djauthy/internal/db"
)

// ErrLastSuperuser reports that a change was refused because no superuser who can sign
// in would be left.
var ErrLastSuperuser = errors.New("no other superuser can sign in")

// An Option of a change of a user.
type Option int

// Force allows a change that leaves no superuser who can sign in.
const Force Option = 1

// keepSuperuser returns ErrLastSuperuser if the user is the only superuser who can
// sign in (Superusers). The rows of all such superusers stay locked until the
// transaction ends, so that of two superusers who remove each other one is refused.
func keepSuperuser(tx *db.Tx, id UserID, options []Option) error {
	for _, o := range options {
		if o == Force {
			return nil
		}
	}
	all, err := superusers(tx, tx.ForUpdate())
	if err == nil && len(all) == 1 && all[0] == id {
		err = ErrLastSuperuser
	}
	return err
}

// Superusers returns the superusers who can sign in: not deactivated, with an address, and
// either active or invited (who is invited can sign in for the first time).
func Superusers(tx *db.Tx) ([]UserID, error) { return superusers(tx, "") }

func superusers(tx *db.Tx, lock string) ([]UserID, error) {
	return db.All(tx, db.One[UserID], `SELECT u.id FROM users u WHERE u.is_superuser = 1 AND u.deactivated_at = 0 AND (u.is_active = 1 OR u.is_invited = 1)
		AND EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = u.id) ORDER BY u.id`+lock)
}
