package accounts

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// AccountID names an account.
type AccountID db.ID

// Generation counts the successes of an account. A code belongs to the generation in
// which it was made and is void in any other, whatever the clock says.
type Generation int64

// NoGeneration is that of an account which is not there: no code belongs to it.
const NoGeneration Generation = -1

// Account is one address of a user.
type Account struct {
	ID   AccountID
	User UserID
	Addr ID
	// Active means that somebody has proved it.
	Active    bool
	Activated time.Time
	LastUsed  time.Time
	// CodeGeneration moves at each success: codes of an earlier one are void.
	CodeGeneration Generation
}

const accountColumns = `a.id, a.user_id, a.implementation, a.identifier, a.is_active, a.activated_at, a.last_used_at, a.code_generation`

type accountRow struct {
	Account
	activated, used int64
}

func (r *accountRow) into() []any {
	return []any{&r.ID, &r.User, &r.Addr.Implementation, &r.Addr.Identifier, &r.Active, &r.activated, &r.used, &r.CodeGeneration}
}

func (r *accountRow) account() Account {
	a := r.Account
	a.Activated, a.LastUsed = db.Time(r.activated), db.Time(r.used)
	return a
}

// Find returns the account of an id and its user, or db.ErrNotFound.
func Find(tx *db.Tx, id ID) (Account, User, error) {
	return find(tx, `a.implementation = $1 AND a.identifier = $2`, id.Implementation, id.Identifier)
}

// Get returns an account and its user, or db.ErrNotFound.
func Get(tx *db.Tx, id AccountID) (Account, User, error) { return find(tx, `a.id = $1`, id) }

// AccountStatus is what decides whether a person may come in by an account.
type AccountStatus struct {
	Account        AccountID
	User           UserID
	Email          string // the user's
	Proved         bool   // somebody has proved the account
	Active         bool   // the user is
	Invited        bool
	Deactivated    bool
	CodeGeneration Generation
	// GivenBackTo is the state of the rate at which successes give back what their
	// attempts took of limits: until when it is spent, in microseconds since 1970.
	GivenBackTo int64
}

// StatusOf returns the status of an id's account, or db.ErrNotFound.
func StatusOf(tx *db.Tx, id ID) (AccountStatus, error) {
	return status(tx, `a.implementation = $1 AND a.identifier = $2`, id.Implementation, id.Identifier)
}

// StatusForUpdate returns the status of an account, or db.ErrNotFound, and keeps
// it as it is until the transaction ends.
func StatusForUpdate(tx *db.Tx, id AccountID) (AccountStatus, error) {
	return status(tx, `a.id = $1`+tx.ForUpdate(), id)
}

// Lock keeps a user and their accounts as they are until the transaction ends, in the
// order in which a sign-in takes them: before the sessions.
func Lock(tx *db.Tx, user UserID) error {
	return tx.Each(func(func(...any) error) error { return nil },
		`SELECT a.id FROM accounts a JOIN users u ON u.id = a.user_id WHERE u.id = $1 ORDER BY a.id`+tx.ForUpdate(), user)
}

func status(tx *db.Tx, where string, args ...any) (s AccountStatus, err error) {
	var deactivated int64
	err = tx.Get(`SELECT a.id, a.user_id, a.is_active, a.code_generation, a.given_back_to, u.email, u.is_active, u.is_invited, u.deactivated_at
		FROM accounts a JOIN users u ON u.id = a.user_id WHERE `+where, args...).
		Scan(&s.Account, &s.User, &s.Proved, &s.CodeGeneration, &s.GivenBackTo, &s.Email, &s.Active, &s.Invited, &deactivated)
	s.Deactivated = deactivated != 0
	if errors.Is(err, db.ErrNotFound) {
		s.CodeGeneration = NoGeneration
	}
	return s, err
}

func find(tx *db.Tx, where string, args ...any) (Account, User, error) {
	var r accountRow
	var u User
	err := u.scan(tx.Get(`SELECT `+accountColumns+`, `+userColumns+` FROM accounts a JOIN users u ON u.id = a.user_id WHERE `+where, args...).Scan, r.into()...)
	return r.account(), u, err
}

// Ensure returns the account of an id and its user, adding them if the id is
// unknown.
func Ensure(tx *db.Tx, id ID) (Account, User, error) {
	a, u, err := Find(tx, id)
	if errors.Is(err, db.ErrNotFound) {
		return Add(tx, id)
	}
	return a, u, err
}

// Add makes an inactive user and account for an unknown id. They hold the
// implementation and the identifier and nothing else.
func Add(tx *db.Tx, id ID) (Account, User, error) {
	u, err := addUser(tx)
	if err != nil {
		return Account{}, u, err
	}
	a := Account{ID: AccountID(tx.NewID()), User: u.ID, Addr: id}
	_, err = tx.Exec(`INSERT INTO accounts (id, user_id, implementation, identifier) VALUES ($1, $2, $3, $4)`,
		a.ID, a.User, id.Implementation, id.Identifier)
	return a, u, err
}

// Of returns a user's accounts in the order in which they came.
func Of(tx *db.Tx, user UserID) (all []Account, err error) {
	err = tx.Each(func(scan func(...any) error) error {
		var r accountRow
		err := scan(r.into()...)
		all = append(all, r.account())
		return err
	}, `SELECT `+accountColumns+` FROM accounts a WHERE a.user_id = $1 ORDER BY a.id`, user)
	return all, err
}

// RecordSuccess records that somebody has proved control of an account: it and its
// user are active from now on, and every code made for it so far is void. The
// address is where the code went; the first that is proved becomes the user's email.
func RecordSuccess(tx *db.Tx, s AccountStatus, id ID, address Address) error {
	_, err := tx.Exec(`UPDATE accounts SET is_active = 1, last_used_at = $2, code_generation = code_generation + 1, given_back_to = $3,
		activated_at = CASE WHEN activated_at = 0 THEN $2 ELSE activated_at END WHERE id = $1`, s.Account, tx.Millis(), s.GivenBackTo)
	if err != nil {
		return err
	}
	email := s.Email
	if email == "" && id.Implementation == Email {
		email = id.Deliverable(address)
	}
	_, err = tx.Exec(`UPDATE users SET is_active = 1, last_login = $2, email = $3 WHERE id = $1 AND deactivated_at = 0`, s.User, tx.Millis(), email)
	return err
}
