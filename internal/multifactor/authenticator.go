package multifactor

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sethvargo/go-password/password"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// Authenticator is something that a person has enrolled: an authenticator app, a passkey, or
// a set of recovery codes.
type Authenticator struct {
	ID   db.ID
	User accounts.UserID
	Kind Factor // TOTP, Passkey or Recovery
	Name string // as its owner calls it
	// Counter is the last step of an app whose code was used, the signature counter of a
	// passkey, and how many recovery codes are left.
	Counter   int64
	CanVerify bool   // a passkey that has verified who uses it
	Model     string // what a passkey is kept in, "" if nobody knows
	LastUsed  time.Time
	// Warned is when a copy of a passkey was seen, by its counter; zero: never.
	Warned  time.Time
	Removed time.Time // zero: it counts

	credential, sealed []byte
}

// Added is when it was enrolled.
func (a Authenticator) Added() time.Time { return a.ID.Time() }

// Key is the authenticator's key among the ways of its person.
func (a Authenticator) Key() Key { return Key{Authenticator: a.ID} }

// Way is the authenticator as levels see it. A set of recovery codes without any is no way.
func (a Authenticator) Way() Way {
	w := Way{Factors: []Factor{a.Kind}, Key: a.Key()}
	if a.CanVerify {
		w.Factors = append(w.Factors, VerifiedPasskey)
	}
	return w
}

// isUseful reports an authenticator that can prove something. A passkey of which there is a
// copy cannot.
func (a Authenticator) isUseful() bool {
	return (a.Kind != Recovery || a.Counter > 0) && a.Warned.IsZero()
}

// maxEnrolled bounds the authenticators of a person.
const maxEnrolled = 30

// Errors of enrolling.
var (
	ErrTooMany = errors.New("there are too many ways to sign in")
	ErrName    = errors.New("a name is 1 to 60 characters")
)

// Enrolled are the authenticators of people, and the methods that check them.
type Enrolled struct {
	apps     *seal.Box
	keys     *seal.Box
	recovery *seal.MAC
	begun    *seal.Box
	letters  *password.Generator
	site     Relying
}

// NewEnrolled returns the authenticators that are sealed with keys.
func NewEnrolled(keys *seal.Keys, site Relying) (*Enrolled, error) {
	gen, err := password.NewGenerator(&password.GeneratorInput{LowerLetters: letters})
	return &Enrolled{
		apps: keys.Box("authenticator app"), keys: keys.Box("passkey"), recovery: keys.MAC("recovery code"), begun: keys.Box("challenge"),
		letters: gen, site: site,
	}, err
}

const authenticatorColumns = `id, user_id, kind, name, counter, can_verify, model, last_used_at, warned_at, removed_at, credential_id, sealed`

func (a *Authenticator) scan(scan db.Scan) error {
	return scan(&a.ID, &a.User, &a.Kind, &a.Name, &a.Counter, &a.CanVerify, &a.Model, &a.LastUsed, &a.Warned, &a.Removed, &a.credential, &a.sealed)
}

// Authenticators returns those of a user that count, in the order in which they were
// enrolled.
func Authenticators(tx *db.Tx, user accounts.UserID) ([]Authenticator, error) {
	return authenticators(tx, user, "")
}

// authenticators is Authenticators; lock is "" or the transaction's ForUpdate.
func authenticators(tx *db.Tx, user accounts.UserID, lock string) ([]Authenticator, error) {
	return db.All(tx, (*Authenticator).scan, `SELECT `+authenticatorColumns+` FROM authenticators WHERE user_id = $1 AND removed_at = 0 ORDER BY id`+lock, user)
}

// GetAuthenticator returns one of a user's authenticators, a removed one too, or
// db.ErrNotFound.
func GetAuthenticator(tx *db.Tx, user accounts.UserID, id db.ID) (a Authenticator, err error) {
	err = a.scan(tx.Get(`SELECT `+authenticatorColumns+` FROM authenticators WHERE id = $1 AND user_id = $2`, id, user).Scan)
	return a, err
}

// HasSecond reports whether a user has enrolled a second factor that can prove something.
func HasSecond(all []Authenticator) bool {
	return slices.ContainsFunc(all, func(a Authenticator) bool { return (a.Kind == TOTP || a.Kind == Passkey) && a.isUseful() })
}

// UserHasSecond is HasSecond of a user's authenticators.
func UserHasSecond(tx *db.Tx, user accounts.UserID) (bool, error) {
	all, err := Authenticators(tx, user)
	return HasSecond(all), err
}

// insert stores a new authenticator of a user. It may have no name.
func (a Authenticator) insert(tx *db.Tx) error {
	if a.Name != "" && !isName(a.Name) {
		return ErrName
	}
	all, err := Authenticators(tx, a.User)
	if err != nil {
		return err
	}
	if len(all) >= maxEnrolled {
		return ErrTooMany
	}
	_, err = tx.Exec(`INSERT INTO authenticators (id, user_id, kind, name, credential_id, sealed, counter, can_verify, model, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		a.ID, a.User, a.Kind, a.Name, append([]byte{}, a.credential...), a.sealed, a.Counter, db.Int(a.CanVerify), a.Model, a.LastUsed)
	return err
}

// Remove makes an authenticator count no longer. It can be brought back for
// accounts.UndoFor. It returns db.ErrNotFound for one that is not the user's, or is removed already.
func Remove(tx *db.Tx, user accounts.UserID, id db.ID) (Authenticator, error) {
	a, err := GetAuthenticator(tx, user, id)
	if err == nil && !a.Removed.IsZero() {
		err = db.ErrNotFound
	}
	if err != nil {
		return a, err
	}
	_, err = tx.Exec(`UPDATE authenticators SET removed_at = $2 WHERE id = $1 AND removed_at = 0`, id, tx.Now)
	return a, err
}

// Restore makes a removed authenticator count again, or returns db.ErrNotFound. A set of
// recovery codes comes back only while there is no newer one, and locks the user as
// MakeRecovery does.
func Restore(tx *db.Tx, user accounts.UserID, id db.ID) error {
	a, err := GetAuthenticator(tx, user, id)
	if err != nil {
		return err
	}
	if a.Kind == Recovery {
		if err := accounts.Lock(tx, user); err != nil {
			return err
		}
		all, err := Authenticators(tx, user)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(o Authenticator) bool { return o.Kind == Recovery }) {
			return nil
		}
	}
	_, err = tx.Exec(`UPDATE authenticators SET removed_at = 0 WHERE id = $1`, id)
	return err
}

// Rename gives an authenticator another name. It returns ErrName or db.ErrNotFound.
func Rename(tx *db.Tx, user accounts.UserID, id db.ID, name string) error {
	if !isName(name) {
		return ErrName
	}
	n, err := tx.Exec(`UPDATE authenticators SET name = $3 WHERE id = $1 AND user_id = $2 AND removed_at = 0`, id, user, name)
	if err == nil && n == 0 {
		err = db.ErrNotFound
	}
	return err
}

// SweepAuthenticators removes up to limit authenticators that were removed before the given
// time: they can no longer be undone.
func SweepAuthenticators(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM authenticators WHERE id IN (SELECT id FROM authenticators WHERE removed_at > 0 AND removed_at < $1 ORDER BY removed_at, id LIMIT $2`+tx.SkipLocked()+`)`, before, limit)
}

// SweepChallenges removes up to limit answered challenges made before the given time.
func SweepChallenges(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}

// claim reports true to the first who answers a challenge, and false to all others.
func claim(tx *db.Tx, id db.ID) (bool, error) {
	n, err := tx.Exec(`INSERT INTO challenges (id) VALUES ($1) ON CONFLICT (id) DO NOTHING`, id)
	return n == 1, err
}

// used stores that an authenticator has proved something, unless it was used at this counter
// or above meanwhile.
func (a Authenticator) used(tx *db.Tx, counter int64) (bool, error) {
	n, err := tx.Exec(`UPDATE authenticators SET counter = $2, last_used_at = $3 WHERE id = $1 AND counter < $2 AND removed_at = 0`, a.ID, counter, tx.Now)
	return n == 1, err
}

// isName reports a name that people can give to an authenticator.
func isName(name string) bool {
	unprintable := func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
	n := utf8.RuneCountInString(name)
	return n > 0 && n <= 60 && utf8.ValidString(name) && !strings.ContainsFunc(name, unprintable)
}
