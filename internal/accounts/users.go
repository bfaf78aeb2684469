// Package accounts owns people and the addresses by which they sign in.
//
// A user is a person, like Django's auth.User. An account is one address of a
// user on one implementation (a way to reach them); an implementation and an
// identifier lead to exactly one user. The package also knows what an id looks
// like and how to find the implementation from it. It does not know how
// anybody proves anything, nor sessions.
package accounts

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/db"
)

// UserID identifies a user. It never changes and is never used again.
type UserID db.ID

// User is a person.
type User struct {
	ID          UserID
	Username    string // generated: an id may be anyone's address
	FirstName   string
	LastName    string
	Email       string // the first mail address that was proved
	Language    string // "": the browser's
	Active      bool   // has proved an account, and is not deactivated
	Superuser   bool
	Invited     bool // may sign in also when sign-up is closed, never swept
	Joined      time.Time
	LastLogin   time.Time // zero: never
	Deactivated time.Time // zero: not
	MergedInto  UserID    // whose alias the user is, or 0
	Requested   time.Time // the last request to sign in before any account was proved; zero: none
	// BrowserEpoch is part of what a browser keeps of a user as whom somebody signed in there.
	BrowserEpoch int64
}

// Name is the user's full name, or "" if none was given.
func (u User) Name() string { return strings.TrimSpace(u.FirstName + " " + u.LastName) }

const userColumns = `u.id, u.username, u.first_name, u.last_name, u.email, u.language, u.is_active,
	u.is_superuser, u.is_invited, u.date_joined, u.last_login, u.deactivated_at, u.merged_into, u.asked_at, u.browser_epoch`

// scan reads userColumns.
func (u *User) scan(scan db.Scan) error { return u.scanAfter(nil, scan) }

// scanAfter reads userColumns that follow other columns, which are scanned to before.
func (u *User) scanAfter(before []any, scan db.Scan) error {
	return scan(append(before, &u.ID, &u.Username, &u.FirstName, &u.LastName, &u.Email, &u.Language, &u.Active,
		&u.Superuser, &u.Invited, &u.Joined, &u.LastLogin, &u.Deactivated, &u.MergedInto, &u.Requested, &u.BrowserEpoch)...)
}

// For queries of other packages that read a row together with its user.
const (
	// JoinUser joins a table's user as u, by its column user_id.
	JoinUser = `JOIN users u ON u.id = user_id`
	// BriefColumns are what a page or an app may show of a user, in the order of Brief.
	BriefColumns = `u.id, u.username, u.first_name, u.last_name, u.email, u.language, u.is_active, u.is_superuser`
)

// Brief is where BriefColumns are scanned to.
func (u *User) Brief() []any {
	return []any{&u.ID, &u.Username, &u.FirstName, &u.LastName, &u.Email, &u.Language, &u.Active, &u.Superuser}
}

// GetUser returns a user, or db.ErrNotFound.
func GetUser(tx *db.Tx, id UserID) (u User, err error) {
	err = u.scan(tx.Get(`SELECT `+userColumns+` FROM users u WHERE u.id = $1`, id).Scan)
	return u, err
}

// WithAccounts returns a user and their accounts.
func WithAccounts(tx *db.Tx, id UserID) (u User, all []Account, err error) {
	if all, err = Of(tx, id); err != nil {
		return u, nil, err
	}
	u, err = GetUser(tx, id)
	return u, all, err
}

// Lookup finds a user by username, id, or any address, or returns db.ErrNotFound. An alias
// leads to the user whose it is.
func Lookup(tx *db.Tx, d Discovery, text string) (User, error) {
	u, err := LookupAlias(tx, d, text)
	if err == nil && u.MergedInto != 0 {
		return GetUser(tx, u.MergedInto)
	}
	return u, err
}

// LookupAlias is Lookup, and leads from an alias nowhere.
func LookupAlias(tx *db.Tx, d Discovery, text string) (User, error) {
	var u User
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return u, db.ErrNotFound
	}
	err := u.scan(tx.Get(`SELECT `+userColumns+` FROM users u WHERE u.username = $1`, text).Scan)
	if !errors.Is(err, db.ErrNotFound) {
		return u, err
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return GetUser(tx, UserID(n))
	}
	// What a provider knows somebody by, as `users show` prints it, is no id to type.
	_, u, err = find(tx, `a.implementation IN ('openid', 'oauth') AND a.identifier = $1`, text)
	if !errors.Is(err, db.ErrNotFound) {
		return u, err
	}
	id, refusal := d.Find(text, "")
	if refusal != "" {
		return u, db.ErrNotFound
	}
	_, u, err = Find(tx, id)
	return u, err
}

// List returns up to limit users whose id is above after, in the order in which they
// were made.
func List(tx *db.Tx, after UserID, limit int) ([]User, error) {
	return db.All(tx, (*User).scan, `SELECT `+userColumns+` FROM users u WHERE u.id > $1 ORDER BY u.id LIMIT $2`, after, limit)
}

// ForgetBrowsers ends the trust in all browsers in which a user has signed in.
func ForgetBrowsers(tx *db.Tx, user UserID) error {
	_, err := tx.Exec(`UPDATE users SET browser_epoch = browser_epoch + 1 WHERE id = $1`, user)
	return err
}

// addUser makes an inactive user without name or address.
func addUser(tx *db.Tx) (User, error) {
	id := tx.NewID()
	u := User{ID: UserID(id), Username: "u" + strconv.FormatInt(int64(id), 36), Joined: tx.Now}
	_, err := tx.Exec(`INSERT INTO users (id, username, date_joined) VALUES ($1, $2, $3)`, u.ID, u.Username, tx.Millis())
	return u, err
}

// AnySuperuser reports whether there is a superuser.
func AnySuperuser(tx *db.Tx) (bool, error) {
	var id int64
	err := tx.Get(`SELECT id FROM users WHERE is_superuser = 1 LIMIT 1`).Scan(&id)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// SetSuperuser promotes or demotes a user. It returns ErrLastSuperuser instead of
// demoting the last one, unless Force is given.
func SetSuperuser(tx *db.Tx, id UserID, is bool, options ...Option) error {
	if !is {
		if err := keepSuperuser(tx, id, options); err != nil {
			return err
		}
	}
	return changed(tx.Exec(`UPDATE users SET is_superuser = $2 WHERE id = $1`, id, db.Int(is)))
}

// RecordLogin records that a user has signed in by something that is no account.
func RecordLogin(tx *db.Tx, id UserID) error {
	return changed(tx.Exec(`UPDATE users SET last_login = $2 WHERE id = $1`, id, tx.Millis()))
}

// Invite allows a user to sign in also when sign-up is closed.
func Invite(tx *db.Tx, id UserID) error {
	return changed(tx.Exec(`UPDATE users SET is_invited = 1 WHERE id = $1`, id))
}

// Deactivate keeps a user from signing in until Reactivate. The caller has to end their
// sessions. It returns ErrLastSuperuser for the last superuser, unless Force is given.
func Deactivate(tx *db.Tx, id UserID, options ...Option) error {
	if err := keepSuperuser(tx, id, options); err != nil {
		return err
	}
	return changed(tx.Exec(`UPDATE users SET is_active = 0, deactivated_at = $2 WHERE id = $1`, id, tx.Millis()))
}

// Reactivate undoes Deactivate. A user who has never proved an account stays inactive
// until they do.
func Reactivate(tx *db.Tx, id UserID) error {
	return changed(tx.Exec(`UPDATE users SET deactivated_at = 0, is_invited = 1,
		is_active = CASE WHEN EXISTS (SELECT 1 FROM accounts WHERE user_id = $1 AND is_active = 1) THEN 1 ELSE 0 END
		WHERE id = $1`, id))
}

// SetProfile changes a user's names and language.
func SetProfile(tx *db.Tx, id UserID, firstName, lastName, language string) error {
	return changed(tx.Exec(`UPDATE users SET first_name = $2, last_name = $3, language = $4 WHERE id = $1`, id, firstName, lastName, language))
}

// Delete removes a user and all their accounts. It returns ErrLastSuperuser for the
// last superuser, unless Force is given.
func Delete(tx *db.Tx, id UserID, options ...Option) error {
	if err := keepSuperuser(tx, id, options); err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM accounts WHERE user_id = $1`,
		`DELETE FROM changes WHERE user_id = $1 OR other_user_id = $1`,
		`DELETE FROM users WHERE merged_into = $1`,
	} {
		if _, err := tx.Exec(statement, id); err != nil {
			return err
		}
	}
	return changed(tx.Exec(`DELETE FROM users WHERE id = $1`, id))
}

// RecordRequest records that somebody requests to sign in as a user who has not proved an
// account, so that the sweeper leaves the user while the attempt is open. It is false if
// the user does not exist, as when the sweeper was faster.
func RecordRequest(tx *db.Tx, id UserID) (exists bool, err error) {
	n, err := tx.Exec(`UPDATE users SET asked_at = $2 WHERE id = $1`, id, tx.Millis())
	return n == 1, err
}

// SweepUnproved returns the function that removes up to limit users, with their accounts,
// who were made before the given time, have never proved an account, and as whom nobody
// has requested to sign in for as long as an attempt is kept.
func SweepUnproved(kept time.Duration) func(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return func(tx *db.Tx, before time.Time, limit int) (int64, error) {
		return sweepUnproved(tx, before, tx.Now.Add(-kept), limit)
	}
}

func sweepUnproved(tx *db.Tx, before, requested time.Time, limit int) (int64, error) {
	const unproved = `is_active = 0 AND is_invited = 0 AND deactivated_at = 0 AND is_superuser = 0 AND merged_into = 0`
	// Without MATERIALIZED, PostgreSQL may run the query once for each row, and more than
	// limit rows are deleted.
	return tx.Exec(`WITH gone AS MATERIALIZED (SELECT id FROM users WHERE `+unproved+` AND id < $1 AND asked_at < $2 ORDER BY id LIMIT $3`+tx.SkipLocked()+`)
		DELETE FROM users WHERE id IN (SELECT id FROM gone)`, db.FirstID(before), requested, limit)
}

// changed turns "no row changed" into db.ErrNotFound.
func changed(n int64, err error) error {
	if err == nil && n == 0 {
		return fmt.Errorf("user: %w", db.ErrNotFound)
	}
	return err
}

// ErrTaken reports that a username belongs to somebody else.
var ErrTaken = errors.New("that username is taken")

// Named returns an invited user who has the username. With an address it is the address's
// user, who gets the username; without one it is the user with that username, or a new
// one. It returns ErrTaken if the username belongs to another user than the address.
func Named(tx *db.Tx, username string, id ID) (u User, err error) {
	err = u.scan(tx.Get(`SELECT `+userColumns+` FROM users u WHERE u.username = $1`, username).Scan)
	taken := err == nil
	if errors.Is(err, db.ErrNotFound) {
		var owner UserID
		gone := tx.Get(`SELECT user_id FROM usernames_given_up WHERE username = $1`, username).Scan(&owner)
		if gone == nil {
			return u, ErrTaken
		}
		if !errors.Is(gone, db.ErrNotFound) {
			return u, gone
		}
	}
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return u, err
	}
	if id != (ID{}) {
		_, owner, err := Ensure(tx, id)
		if err != nil {
			return u, err
		}
		if taken && owner.ID != u.ID {
			return u, ErrTaken
		}
		u = owner
	} else if !taken {
		if u, err = addUser(tx); err != nil {
			return u, err
		}
	}
	if _, err := tx.Exec(`UPDATE users SET username = $2, is_invited = 1 WHERE id = $1`, u.ID, username); err != nil {
		return u, err
	}
	return GetUser(tx, u.ID)
}
