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

// NoGeneration stands for an account that does not exist: no code belongs to it.
const NoGeneration Generation = -1

// Account is one address of a user.
type Account struct {
	ID   AccountID
	User UserID
	Addr ID
	// Active means that somebody has proved control of it.
	Active    bool
	Activated time.Time
	LastUsed  time.Time
	// CodeGeneration grows by one at each success: codes of an earlier one are void.
	CodeGeneration Generation
	// Label is what the person is called where the account is, "" if nobody says so.
	Label string
	// Joined is when the account came to its user by being added or merged; zero: it was there
	// from the start.
	Joined time.Time
}

// Shown is the account as people write it: its address, or what they are called at their
// provider, and where that is.
func (a Account) Shown() string {
	if a.Label == "" || !Redirects(a.Addr.Implementation) {
		return a.Addr.Shown()
	}
	return a.Label + " (" + a.Addr.Shown() + ")"
}

// TakesMessages reports a proved account to which messages can be sent.
func (a Account) TakesMessages() bool { return a.Active && !Redirects(a.Addr.Implementation) }

// Masked is the account as others may see it.
func (a Account) Masked() string {
	if a.Addr == (ID{}) {
		return ""
	}
	return a.Addr.Masked()
}

const accountColumns = `a.id, a.user_id, a.implementation, a.identifier, a.is_active, a.activated_at, a.last_used_at, a.code_generation, a.label, a.joined_at`

// columns is where accountColumns are scanned to.
func (a *Account) columns() []any {
	return []any{&a.ID, &a.User, &a.Addr.Implementation, &a.Addr.Identifier, &a.Active, &a.Activated, &a.LastUsed, &a.CodeGeneration, &a.Label, &a.Joined}
}

func (a *Account) scan(scan db.Scan) error { return scan(a.columns()...) }

// Find returns the account of an id and its user, or db.ErrNotFound.
func Find(tx *db.Tx, id ID) (Account, User, error) {
	return find(tx, `a.implementation = $1 AND a.identifier = $2`, id.Implementation, id.Identifier)
}

// Get returns an account and its user, or db.ErrNotFound.
func Get(tx *db.Tx, id AccountID) (Account, User, error) { return find(tx, `a.id = $1`, id) }

// AccountStatus is what decides whether a person may sign in with an account.
type AccountStatus struct {
	Account        AccountID
	User           UserID
	Email          string // the user's
	Proved         bool   // somebody has proved the account
	Active         bool   // the user is active
	Invited        bool
	Deactivated    bool
	CodeGeneration Generation
	// GivenBackTo is the state of a rate (limit.Spend), in microseconds since 1970. The
	// rate bounds how often a success returns to the limits what its attempt took.
	GivenBackTo  int64
	BrowserEpoch int64 // the user's
}

// StatusOf returns the status of an id's account, or db.ErrNotFound.
func StatusOf(tx *db.Tx, id ID) (AccountStatus, error) {
	return status(tx, `a.implementation = $1 AND a.identifier = $2`, id.Implementation, id.Identifier)
}

// StatusForUpdate returns the status of an account, or db.ErrNotFound, and locks the
// account and its user until the transaction ends.
func StatusForUpdate(tx *db.Tx, id AccountID) (AccountStatus, error) {
	return status(tx, `a.id = $1`+tx.ForUpdate(), id)
}

// Lock locks a user and their accounts until the transaction ends. A sign-in takes these
// locks before those of sessions; in another order two transactions could deadlock.
func Lock(tx *db.Tx, user UserID) error {
	_, err := db.All(tx, db.One[AccountID],
		`SELECT a.id FROM accounts a JOIN users u ON u.id = a.user_id WHERE u.id = $1 ORDER BY a.id`+tx.ForUpdate(), user)
	return err
}

func status(tx *db.Tx, where string, args ...any) (s AccountStatus, err error) {
	var deactivated time.Time
	err = tx.Get(`SELECT a.id, a.user_id, a.is_active, a.code_generation, a.given_back_to, u.email, u.is_active, u.is_invited, u.deactivated_at, u.browser_epoch
		FROM accounts a JOIN users u ON u.id = a.user_id WHERE `+where, args...).
		Scan(&s.Account, &s.User, &s.Proved, &s.CodeGeneration, &s.GivenBackTo, &s.Email, &s.Active, &s.Invited, &deactivated, &s.BrowserEpoch)
	s.Deactivated = !deactivated.IsZero()
	if errors.Is(err, db.ErrNotFound) {
		s.CodeGeneration = NoGeneration
	}
	return s, err
}

func find(tx *db.Tx, where string, args ...any) (Account, User, error) {
	var a Account
	var u User
	err := u.scanAfter(a.columns(), tx.Get(`SELECT `+accountColumns+`, `+userColumns+` FROM accounts a JOIN users u ON u.id = a.user_id WHERE `+where, args...).Scan)
	return a, u, err
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
	a, err := AddTo(tx, u.ID, id)
	return a, u, err
}

// AddTo adds an inactive account to a user.
func AddTo(tx *db.Tx, user UserID, id ID) (Account, error) {
	return addAs(tx, AccountID(tx.NewID()), user, id)
}

func addAs(tx *db.Tx, account AccountID, user UserID, id ID) (Account, error) {
	a := Account{ID: account, User: user, Addr: id}
	_, err := tx.Exec(`INSERT INTO accounts (id, user_id, implementation, identifier) VALUES ($1, $2, $3, $4)`,
		a.ID, a.User, id.Implementation, id.Identifier)
	return a, err
}

// SetLabel records what the person is called where the account is, for their own eyes.
func SetLabel(tx *db.Tx, account AccountID, label string) error {
	_, err := tx.Exec(`UPDATE accounts SET label = $2 WHERE id = $1 AND label <> $2`, account, label)
	return err
}

// Of returns a user's accounts in the order in which they were added.
func Of(tx *db.Tx, user UserID) ([]Account, error) {
	return db.All(tx, (*Account).scan, `SELECT `+accountColumns+` FROM accounts a WHERE a.user_id = $1 ORDER BY a.id`, user)
}

// ErrAlias reports a user who was merged into another meanwhile.
var ErrAlias = errors.New("the user is an alias of another")

// RecordSuccess records that somebody has proved control of an account: it and its
// user are active from now on, and every code made for it so far is void. The address
// is where the code was sent; the first email address proved becomes the user's email.
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
	// An alias whose accounts have moved never comes to life by one that came back late.
	n, err := tx.Exec(`UPDATE users SET is_active = 1, last_login = $2, email = $3 WHERE id = $1 AND deactivated_at = 0 AND merged_into = 0`, s.User, tx.Millis(), email)
	if err != nil || n == 1 {
		return err
	}
	u, err := GetUser(tx, s.User)
	if err == nil && u.MergedInto != 0 {
		err = ErrAlias
	}
	return err
}
