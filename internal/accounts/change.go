package accounts

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// ChangeKind is what was changed about how a person signs in.
type ChangeKind string

// Kinds of changes.
const (
	Added   ChangeKind = "added"   // an address
	Removed ChangeKind = "removed" // an address
	Merged  ChangeKind = "merged"  // another user
)

// UndoFor is how long a change can be undone.
const UndoFor = 7 * 24 * time.Hour

// Change is a change of how a person signs in, which can be undone.
type Change struct {
	ID     db.ID
	Kind   ChangeKind
	User   UserID
	Other  UserID // who was merged, or 0
	Addr   ID     // what was added or removed
	Label  string // what the person is called there
	Moved  []AccountID
	Undone time.Time // zero: it is not
}

const changeColumns = `id, kind, user_id, other_user_id, implementation, identifier, label, moved, undone_at`

func (c *Change) scan(scan db.Scan) error {
	var moved string
	err := scan(&c.ID, &c.Kind, &c.User, &c.Other, &c.Addr.Implementation, &c.Addr.Identifier, &c.Label, &moved, &c.Undone)
	if err != nil || moved == "" {
		return err
	}
	return json.Unmarshal([]byte(moved), &c.Moved)
}

func (c Change) record(tx *db.Tx) (Change, error) {
	moved, err := json.Marshal(c.Moved)
	if err != nil {
		return c, err
	}
	c.ID = tx.NewID()
	_, err = tx.Exec(`INSERT INTO changes (id, kind, user_id, other_user_id, implementation, identifier, label, moved) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		c.ID, c.Kind, c.User, c.Other, c.Addr.Implementation, c.Addr.Identifier, c.Label, string(moved))
	return c, err
}

// GetChange returns a change that can be undone, or db.ErrNotFound, and locks it where lock is
// the transaction's ForUpdate.
func GetChange(tx *db.Tx, id db.ID, lock string) (c Change, err error) {
	err = c.scan(tx.Get(`SELECT `+changeColumns+` FROM changes WHERE id = $1`+lock, id).Scan)
	if err == nil && tx.Now.Sub(c.ID.Time()) > UndoFor {
		err = db.ErrNotFound
	}
	return c, err
}

// SweepChanges removes up to limit changes made before the given time.
func SweepChanges(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}

// Give moves an account that its owner has proved to a user: from nobody, or from a user who
// has never proved any. It is for addresses that are added.
func Give(tx *db.Tx, a Account, to UserID) (Change, error) {
	if _, err := tx.Exec(`UPDATE accounts SET user_id = $2 WHERE id = $1`, a.ID, to); err != nil {
		return Change{}, err
	}
	// The user whom asking for the code had made.
	_, err := tx.Exec(`DELETE FROM users WHERE id = $1 AND is_active = 0 AND is_invited = 0 AND is_superuser = 0 AND deactivated_at = 0 AND merged_into = 0 AND NOT EXISTS (SELECT 1 FROM accounts WHERE user_id = $1)`, a.User)
	if err != nil {
		return Change{}, err
	}
	return Change{Kind: Added, User: to, Addr: a.Addr, Label: a.Label}.record(tx)
}

// ErrLastAddress reports that a user would be left with no way to sign in.
var ErrLastAddress = errors.New("this is the last way to sign in")

// Remove removes a proved account of a user. It returns ErrLastAddress, or db.ErrNotFound.
func Remove(tx *db.Tx, user UserID, id AccountID) (Change, error) {
	if err := Lock(tx, user); err != nil {
		return Change{}, err
	}
	all, err := Of(tx, user)
	if err != nil {
		return Change{}, err
	}
	at := slices.IndexFunc(all, func(a Account) bool { return a.ID == id })
	if at < 0 {
		return Change{}, db.ErrNotFound
	}
	if !slices.ContainsFunc(all, func(a Account) bool { return a.Active && a.ID != id }) {
		return Change{}, ErrLastAddress
	}
	if _, err := tx.Exec(`DELETE FROM accounts WHERE id = $1`, id); err != nil {
		return Change{}, err
	}
	return Change{Kind: Removed, User: user, Addr: all[at].Addr, Label: all[at].Label}.record(tx)
}

// Merge makes a user an alias of another, who gets all accounts. The caller has ended the
// sessions of the one who goes. It returns ErrLastSuperuser.
func Merge(tx *db.Tx, stays, goes UserID) (Change, error) {
	if err := keepSuperuser(tx, goes, nil); err != nil {
		return Change{}, err
	}
	for _, user := range []UserID{min(stays, goes), max(stays, goes)} { // in one order everywhere
		if err := Lock(tx, user); err != nil {
			return Change{}, err
		}
	}
	all, err := Of(tx, goes)
	if err != nil {
		return Change{}, err
	}
	c := Change{Kind: Merged, User: stays, Other: goes}
	for _, a := range all {
		c.Moved = append(c.Moved, a.ID)
	}
	if _, err := tx.Exec(`UPDATE accounts SET user_id = $2 WHERE user_id = $1`, goes, stays); err != nil {
		return c, err
	}
	// Whoever was merged into the one who goes follows.
	if _, err := tx.Exec(`UPDATE users SET merged_into = $2 WHERE merged_into = $1`, goes, stays); err != nil {
		return c, err
	}
	if err := changed(tx.Exec(`UPDATE users SET is_active = 0, merged_into = $2 WHERE id = $1 AND (is_active = 1 OR is_invited = 1) AND deactivated_at = 0 AND merged_into = 0`, goes, stays)); err != nil {
		return c, err
	}
	return c.record(tx)
}

// ErrGone reports a change that cannot be undone any more: the address is somebody else's, or
// the user has changed since.
var ErrGone = errors.New("this can no longer be undone")

// Undo undoes a change. The caller ends the sessions of the users.
func Undo(tx *db.Tx, c Change) (err error) {
	if !c.Undone.IsZero() {
		return nil
	}
	switch c.Kind {
	case Added:
		err = c.takeBack(tx)
	case Removed:
		err = c.giveBack(tx)
	case Merged:
		err = c.split(tx)
	}
	if err != nil {
		return err
	}
	return changed(tx.Exec(`UPDATE changes SET undone_at = $2 WHERE id = $1`, c.ID, tx.Now))
}

// takeBack removes the address that was added, unless it is the only one left.
func (c Change) takeBack(tx *db.Tx) error {
	a, _, err := Find(tx, c.Addr)
	if errors.Is(err, db.ErrNotFound) || err == nil && a.User != c.User {
		return nil // it is gone already
	}
	if err != nil {
		return err
	}
	if _, err = Remove(tx, c.User, a.ID); errors.Is(err, ErrLastAddress) {
		return ErrGone
	}
	return err
}

// giveBack adds the address that was removed. It takes it from a user who has never proved
// one, and from nobody else.
func (c Change) giveBack(tx *db.Tx) error {
	if u, err := GetUser(tx, c.User); err != nil || u.MergedInto != 0 {
		return errors.Join(ErrGone, err)
	}
	a, owner, err := Find(tx, c.Addr)
	switch {
	case errors.Is(err, db.ErrNotFound):
		a, err = AddTo(tx, c.User, c.Addr)
	case err == nil && a.User == c.User:
		return nil
	case err == nil && (owner.Active || !owner.Deactivated.IsZero()):
		return ErrGone
	case err == nil:
		_, err = tx.Exec(`UPDATE accounts SET user_id = $2 WHERE id = $1`, a.ID, c.User)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE accounts SET is_active = 1, label = $2, activated_at = $3 WHERE id = $1`, a.ID, c.Label, tx.Now)
	return err
}

// split gives the user who was merged their accounts back.
func (c Change) split(tx *db.Tx) error {
	if err := changed(tx.Exec(`UPDATE users SET merged_into = 0 WHERE id = $1 AND merged_into = $2`, c.Other, c.User)); err != nil {
		return errors.Join(ErrGone, err)
	}
	for _, id := range c.Moved {
		if _, err := tx.Exec(`UPDATE accounts SET user_id = $2 WHERE id = $1 AND user_id = $3`, id, c.Other, c.User); err != nil {
			return err
		}
	}
	left, err := Of(tx, c.User)
	if err == nil && !slices.ContainsFunc(left, func(a Account) bool { return a.Active }) {
		return ErrGone
	}
	return err
}

// LastMerge returns the merge that made a user an alias, or db.ErrNotFound.
func LastMerge(tx *db.Tx, other UserID) (c Change, err error) {
	err = c.scan(tx.Get(`SELECT `+changeColumns+` FROM changes WHERE kind = 'merged' AND other_user_id = $1 AND undone_at = 0 ORDER BY id DESC LIMIT 1`, other).Scan)
	return c, err
}
