package multifactor

import (
	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Fits reports whether what was typed has the shape of a code of an app (TOTP) or of a recovery
// code. What has not cannot be one.
func Fits(kind Factor, typed string) bool {
	if kind == Recovery {
		return recoveryCode(typed) != ""
	}
	return appCode(typed) != ""
}

// Check compares what was typed with the apps, or the recovery codes, of a user, and uses it
// up. Kind is TOTP or Recovery.
func (e *Enrolled) Check(tx *db.Tx, user accounts.UserID, kind Factor, typed string) (Authenticator, Verdict, error) {
	all, err := authenticators(tx, user, tx.ForUpdate())
	if err != nil {
		return Authenticator{}, Wrong, err
	}
	if kind == Recovery {
		return e.checkRecovery(tx, all, typed)
	}
	return e.checkApp(tx, all, typed)
}
