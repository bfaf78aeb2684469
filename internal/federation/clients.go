package federation

import (
	"errors"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// loadClient returns what this server is at an issuer, unless its secret has expired.
func (f *Service) loadClient(tx *db.Tx, issuer string) (c client, found bool, err error) {
	var sealed []byte
	var expires time.Time
	err = tx.Get(`SELECT client_id, sealed, method, expires_at, used_at FROM issuers WHERE issuer = $1`, issuer).Scan(&c.id, &sealed, &c.method, &expires, &c.used)
	if errors.Is(err, db.ErrNotFound) {
		return client{}, false, nil
	}
	if err != nil || !expires.IsZero() && !tx.Now.Before(expires) {
		return client{}, false, err
	}
	secret, err := f.secrets.Open(sealed, []byte(issuer))
	if err != nil {
		return client{}, false, nil // of another key: it registers anew
	}
	c.secret = string(secret)
	return c, true, nil
}

// storeClient stores it in place of an older one.
func (f *Service) storeClient(tx *db.Tx, issuer string, c client, expires time.Time) error {
	_, err := tx.Exec(`INSERT INTO issuers (issuer, client_id, sealed, method, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (issuer) DO UPDATE SET client_id = excluded.client_id, sealed = excluded.sealed, method = excluded.method,
			expires_at = excluded.expires_at, used_at = excluded.used_at`,
		issuer, c.id, f.secrets.Seal([]byte(c.secret), []byte(issuer)), c.method, expires, tx.Now)
	return err
}

// useClient records that it is used.
func useClient(tx *db.Tx, issuer string) error {
	_, err := tx.Exec(`UPDATE issuers SET used_at = $2 WHERE issuer = $1`, issuer, tx.Now)
	return err
}

func forgetClient(tx *db.Tx, issuer, clientID string) error {
	_, err := tx.Exec(`DELETE FROM issuers WHERE issuer = $1 AND client_id = $2`, issuer, clientID)
	return err
}

// Kept is how long a registration is kept that nobody uses.
const Kept = 90 * 24 * time.Hour

// Sweep removes up to limit registrations that were last used before the given time.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM issuers WHERE issuer IN (SELECT issuer FROM issuers WHERE used_at < $1 ORDER BY issuer LIMIT $2)`, before, limit)
}
