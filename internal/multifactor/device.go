package multifactor

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// RememberFor is how long a browser is remembered in which a second factor was proved.
const RememberFor = 30 * 24 * time.Hour

// Device is a browser in which a second factor is not asked for again for a while. It stands
// for the proof that was made there, at its own time, so that levels that take younger
// proofs ask all the same; and never for a first factor.
type Device struct {
	ID            db.ID
	User          accounts.UserID
	Authenticator db.ID
	Factor        Factor
	UserVerified  bool
	Verified      time.Time
	Expires       time.Time
	Client        audit.Client
}

// maxDevices bounds the remembered browsers of a person.
const maxDevices = 20

const deviceColumns = `d.id, d.user_id, d.authenticator_id, d.factor, d.is_verified, d.verified_at, d.expires_at, d.prefix, d.agent`

func (d *Device) columns() []any {
	return []any{&d.ID, &d.User, &d.Authenticator, &d.Factor, &d.UserVerified, &d.Verified, &d.Expires, &d.Client.Prefix, &d.Client.Agent}
}

// RememberDevice remembers a browser. Beyond maxDevices the oldest goes.
func RememberDevice(tx *db.Tx, d Device) (seal.Token, error) {
	t := seal.NewToken(int64(tx.NewID()))
	_, err := tx.Exec(`INSERT INTO devices (id, secret_hash, user_id, authenticator_id, factor, is_verified, verified_at, expires_at, prefix, agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		t.ID, t.Hash(), d.User, d.Authenticator, d.Factor, db.Int(d.UserVerified), d.Verified, d.Verified.Add(RememberFor), d.Client.Prefix, d.Client.Agent)
	if err != nil {
		return t, err
	}
	_, err = tx.Exec(`DELETE FROM devices WHERE user_id = $1 AND id NOT IN (SELECT id FROM devices WHERE user_id = $1 ORDER BY id DESC LIMIT $2)`, d.User, maxDevices)
	return t, err
}

// FindDevice returns the remembered browser of a cookie, whose authenticator still counts, if
// it is one of the user's.
func FindDevice(tx *db.Tx, t seal.Token, user accounts.UserID) (d Device, found bool, err error) {
	if t.ID == 0 {
		return d, false, nil
	}
	var hash []byte
	err = tx.Get(`SELECT d.secret_hash, `+deviceColumns+` FROM devices d JOIN authenticators a ON a.id = d.authenticator_id AND a.user_id = d.user_id AND a.removed_at = 0 AND a.warned_at = 0
		WHERE d.id = $1 AND d.user_id = $2 AND d.expires_at > $3`, t.ID, user, tx.Now).Scan(append([]any{&hash}, d.columns()...)...)
	if errors.Is(err, db.ErrNotFound) {
		return d, false, nil
	}
	return d, err == nil && t.Matches(hash), err
}

// Devices returns the remembered browsers of a user, the latest first.
func Devices(tx *db.Tx, user accounts.UserID) ([]Device, error) {
	return db.All(tx, func(d *Device, scan db.Scan) error { return scan(d.columns()...) },
		`SELECT `+deviceColumns+` FROM devices d WHERE d.user_id = $1 AND d.expires_at > $2 ORDER BY d.id DESC`, user, tx.Now)
}

// ForgetDevice ends that a browser of a user is remembered.
func ForgetDevice(tx *db.Tx, user accounts.UserID, id db.ID) error {
	_, err := tx.Exec(`DELETE FROM devices WHERE id = $1 AND user_id = $2`, id, user)
	return err
}

// ForgetDevices ends that any browser of a user is remembered.
func ForgetDevices(tx *db.Tx, user accounts.UserID) error {
	_, err := tx.Exec(`DELETE FROM devices WHERE user_id = $1`, user)
	return err
}

// SweepDevices removes up to limit browsers that were remembered before the given time.
func SweepDevices(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}
