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
	// An authenticator; what it is, and undoing it, is for package multifactor.
	FactorAdded   ChangeKind = "factor_added"
	FactorRemoved ChangeKind = "factor_removed"
)

// UndoFor is how long a change can be undone.
const UndoFor = 7 * 24 * time.Hour

// Change is a change of how a person signs in, which can be undone.
type Change struct {
	ID     db.ID
	Kind   ChangeKind
	User   UserID
	Other  UserID    // who was merged, or 0
	Addr   ID        // what was added or removed
	Label  string    // what the person is called there
	Moved  []Moved   // the accounts that were merged or removed
	Undone time.Time // zero: it is not
}

// Moved is an account before a change.
type Moved struct {
	Account AccountID
	Joined  time.Time
	// Authenticator is what was added or removed, of a change of factors.
	Authenticator db.ID `json:",omitempty"`
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

// RecordFactor records that an authenticator of a user was added or removed, so that it can be
// undone. label is what its owner calls it.
func RecordFactor(tx *db.Tx, kind ChangeKind, user UserID, authenticator db.ID, label string) (Change, error) {
	return Change{Kind: kind, User: user, Label: label, Moved: []Moved{{Authenticator: authenticator}}}.record(tx)
}

// Authenticator is what a change of factors was about, 0 for other changes.
func (c Change) Authenticator() db.ID {
	if c.Kind != FactorAdded && c.Kind != FactorRemoved || len(c.Moved) == 0 {
		return 0
	}
	return c.Moved[0].Authenticator
}

// Shown is what was added or removed, as messages say it.
func (c Change) Shown() string {
	if c.Authenticator() != 0 {
		return c.Label
	}
	return Account{Addr: c.Addr, Label: c.Label}.Masked()
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
	if _, err := tx.Exec(`UPDATE accounts SET user_id = $2, joined_at = $3 WHERE id = $1`, a.ID, to, tx.Now); err != nil {
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
	return Change{Kind: Removed, User: user, Addr: all[at].Addr, Label: all[at].Label, Moved: []Moved{{Account: id, Joined: all[at].Joined}}}.record(tx)
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
		c.Moved = append(c.Moved, Moved{Account: a.ID, Joined: a.Joined})
	}
	if _, err := tx.Exec(`UPDATE accounts SET user_id = $2, joined_at = $3 WHERE user_id = $1`, goes, stays, tx.Now); err != nil {
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

// Undo undoes a change. The caller ends the sessions of the users, and undoes a change of
// factors, of which this only records that it is undone.
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

// takeBack removes the address that was added. Addresses that were removed since then come
// back first: whoever added one may have removed those of the owner.
func (c Change) takeBack(tx *db.Tx) error {
	a, _, err := Find(tx, c.Addr)
	if errors.Is(err, db.ErrNotFound) {
		return nil // it is gone already
	}
	if err != nil {
		return err
	}
	if a.User != c.User {
		return ErrGone // it was merged away, which is to be undone first
	}
	if err := c.restoreRemoved(tx, c.User, func(Change) bool { return true }); err != nil {
		return err
	}
	if _, err = Remove(tx, c.User, a.ID); errors.Is(err, ErrLastAddress) {
		return ErrGone
	}
	return err
}

// restoreRemoved gives a user back the addresses that were removed since the change, but for
// those that are somebody else's by now.
func (c Change) restoreRemoved(tx *db.Tx, to UserID, which func(removed Change) bool) error {
	all, err := c.removedSince(tx)
	if err != nil {
		return err
	}
	for _, removed := range all {
		if !which(removed) {
			continue
		}
		removed.User = to
		if err := removed.giveBack(tx); errors.Is(err, ErrGone) {
			continue
		} else if err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE changes SET undone_at = $2 WHERE id = $1`, removed.ID, tx.Now); err != nil {
			return err
		}
	}
	return nil
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
		a, err = c.again(tx)
	case err == nil && a.User == c.User:
		return nil
	case err == nil && (owner.Active || owner.Invited || !owner.Deactivated.IsZero()):
		return ErrGone
	case err == nil:
		_, err = tx.Exec(`UPDATE accounts SET user_id = $2 WHERE id = $1`, a.ID, c.User)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE accounts SET is_active = 1, label = $2, activated_at = $3, joined_at = $4 WHERE id = $1`, a.ID, c.Label, tx.Now, c.joined())
	return err
}

// again adds the account that was removed, under its id, by which messages know it.
func (c Change) again(tx *db.Tx) (Account, error) {
	if len(c.Moved) == 0 {
		return AddTo(tx, c.User, c.Addr)
	}
	return addAs(tx, c.Moved[0].Account, c.User, c.Addr)
}

// removedSince returns the changes that removed an address of the user after this one, and
// are not undone.
func (c Change) removedSince(tx *db.Tx) ([]Change, error) {
	return db.All(tx, (*Change).scan, `SELECT `+changeColumns+` FROM changes WHERE user_id = $1 AND kind = 'removed' AND id > $2 AND undone_at = 0 ORDER BY id`, c.User, c.ID)
}

// joined is when the address that was removed had come to its user.
func (c Change) joined() time.Time {
	if len(c.Moved) == 0 {
		return time.Time{}
	}
	return c.Moved[0].Joined
}

// split gives the user who was merged their accounts back, those too that were removed since.
func (c Change) split(tx *db.Tx) error {
	if err := changed(tx.Exec(`UPDATE users SET merged_into = 0 WHERE id = $1 AND merged_into = $2`, c.Other, c.User)); err != nil {
		return errors.Join(ErrGone, err)
	}
	for _, m := range c.Moved {
		if _, err := tx.Exec(`UPDATE accounts SET user_id = $2, joined_at = $4 WHERE id = $1 AND user_id = $3`, m.Account, c.Other, c.User, m.Joined); err != nil {
			return err
		}
	}
	err := c.restoreRemoved(tx, c.Other, func(removed Change) bool {
		return len(removed.Moved) > 0 && slices.ContainsFunc(c.Moved, func(m Moved) bool { return m.Account == removed.Moved[0].Account })
	})
	if err != nil {
		return err
	}
	for _, user := range []UserID{c.User, c.Other} {
		left, err := Of(tx, user)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(left, func(a Account) bool { return a.Active }) {
			return ErrGone
		}
	}
	_, err = tx.Exec(`UPDATE users SET is_active = 1 WHERE id = $1`, c.Other)
	return err
}

// Settled is the time at which an account came to its user, for comparison: one that has been
// there for UndoFor counts as one that was there from the start.
func (a Account) Settled(now time.Time) time.Time {
	if now.Sub(a.Joined) > UndoFor {
		return time.Time{}
	}
	return a.Joined
}

// Undoers are the accounts whose owners may undo a change: of those that the user has, the
// ones that are there longest, so that nobody who has just come outvotes the owner; of a
// merge, all; and the address that was removed, if none that is left was there longer.
func (c Change) Undoers(tx *db.Tx) (all []AccountID, err error) {
	held, err := Of(tx, c.User)
	if err != nil {
		return nil, err
	}
	held = slices.DeleteFunc(held, func(a Account) bool { return !a.Active || a.Addr == c.Addr })
	// Whoever made the change may have removed the owner's addresses since.
	gone, err := c.removedSince(tx)
	if err != nil {
		return nil, err
	}
	for _, removed := range gone {
		if c.Kind != Merged && len(removed.Moved) > 0 {
			held = append(held, Account{ID: removed.Moved[0].Account, Joined: removed.joined()})
		}
	}
	if len(held) == 0 && c.Kind != Removed { // all were merged into another user
		u, err := GetUser(tx, c.User)
		if err != nil || u.MergedInto == 0 {
			return nil, err
		}
		c.User = u.MergedInto
		return c.Undoers(tx)
	}
	if c.Kind == Merged {
		for _, a := range held {
			all = append(all, a.ID)
		}
		return all, nil
	}
	if len(held) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(held, func(a, b Account) int { return a.Settled(tx.Now).Compare(b.Settled(tx.Now)) }).Settled(tx.Now)
	for _, a := range held {
		if a.Settled(tx.Now).Equal(first) {
			all = append(all, a.ID)
		}
	}
	if c.Kind == Removed && !(Account{Joined: c.joined()}).Settled(tx.Now).After(first) {
		all = append(all, c.Moved[0].Account)
	}
	return all, nil
}

// LastMerge returns the merge that made a user an alias, or db.ErrNotFound.
func LastMerge(tx *db.Tx, other UserID) (c Change, err error) {
	err = c.scan(tx.Get(`SELECT `+changeColumns+` FROM changes WHERE kind = 'merged' AND other_user_id = $1 AND undone_at = 0 ORDER BY id DESC LIMIT 1`, other).Scan)
	return c, err
}
