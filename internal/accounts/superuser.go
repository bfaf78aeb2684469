package accounts

import (
	"errors"

	"github.com/djauthy/djauthy/internal/db"
)

// ErrLastSuperuser reports that a change was refused, because after it nobody who
// can sign in would administer this server.
var ErrLastSuperuser = errors.New("no other superuser can sign in")

// An Option changes what a change of a user refuses.
type Option int

// Force lets a change through that leaves no superuser.
const Force Option = 1

// keepSuperuser returns ErrLastSuperuser if the user is the only superuser who can
// sign in: not deactivated, with an address, and either active or invited, for
// whoever is invited can sign in for the first time. The rows that it rests on are
// held until the transaction ends, so that of two superusers who remove each other
// one is refused.
func keepSuperuser(tx *db.Tx, id UserID, options []Option) error {
	for _, o := range options {
		if o == Force {
			return nil
		}
	}
	is, others := false, false
	err := tx.Each(func(scan func(...any) error) error {
		var other UserID
		err := scan(&other)
		is, others = is || other == id, others || other != id
		return err
	}, `SELECT u.id FROM users u WHERE u.is_superuser = 1 AND u.deactivated_at = 0 AND (u.is_active = 1 OR u.is_invited = 1)
		AND EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = u.id) ORDER BY u.id`+tx.ForUpdate())
	if err == nil && is && !others {
		err = ErrLastSuperuser
	}
	return err
}
