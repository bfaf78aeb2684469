package multifactor

import (
	"bytes"
	"slices"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	recoveryCodes = 10
	// recoveryLength is that of a code without its hyphen: ten of 23 letters, 45 bits.
	recoveryLength = 10
)

// MakeRecovery makes ten recovery codes in place of all that the user has. The codes are
// nowhere else: their MACs are stored. Replaced is the set that was void by this, its ID 0 if
// there was none. It locks the user (accounts.Lock), or two at once would leave two sets.
func (e *Enrolled) MakeRecovery(tx *db.Tx, user accounts.UserID) (codes []string, a, replaced Authenticator, err error) {
	if err := accounts.Lock(tx, user); err != nil {
		return nil, a, replaced, err
	}
	all, err := authenticators(tx, user, tx.ForUpdate())
	if err != nil {
		return nil, a, replaced, err
	}
	for _, x := range all {
		if x.Kind == Recovery {
			if replaced, err = Remove(tx, user, x.ID); err != nil {
				return nil, a, replaced, err
			}
		}
	}
	a = Authenticator{ID: tx.NewID(), User: user, Kind: Recovery, Counter: recoveryCodes}
	var macs []byte
	for range recoveryCodes {
		code, err := e.letters.Generate(recoveryLength, 0, 0, true, true)
		if err != nil {
			return nil, a, replaced, err
		}
		codes = append(codes, code[:recoveryLength/2]+"-"+code[recoveryLength/2:])
		macs = append(macs, e.recoverySum(a.ID, code)...)
	}
	a.sealed = macs
	return codes, a, replaced, a.insert(tx)
}

func (e *Enrolled) recoverySum(set db.ID, code string) []byte {
	return e.recovery.Sum(db.Bytes(set), []byte(code))
}

// recoveryCode is what was typed as a recovery code: letters, whatever stands between them.
func recoveryCode(typed string) string { return Shape{Length: recoveryLength}.Find(typed) }

// checkRecovery uses a recovery code up.
func (e *Enrolled) checkRecovery(tx *db.Tx, all []Authenticator, typed string) (a Authenticator, v Verdict, err error) {
	code := recoveryCode(typed)
	at := slices.IndexFunc(all, func(x Authenticator) bool { return x.Kind == Recovery })
	if at < 0 || code == "" {
		return a, Wrong, nil
	}
	a = all[at]
	sum := e.recoverySum(a.ID, code)
	left, found := []byte{}, false
	for mac := range slices.Chunk(a.sealed, hashSize) {
		if seal.Equal(mac, sum) {
			found = true
			continue
		}
		left = append(left, mac...)
	}
	if !found {
		return a, Wrong, nil
	}
	n, err := tx.Exec(`UPDATE authenticators SET sealed = $2, counter = counter - 1, last_used_at = $3 WHERE id = $1 AND sealed = $4 AND removed_at = 0`, a.ID, left, tx.Now, bytes.Clone(a.sealed))
	if err != nil || n == 0 {
		return a, Spent, err
	}
	a.Counter, a.sealed = int64(len(left)/hashSize), left
	return a, Right, nil
}
