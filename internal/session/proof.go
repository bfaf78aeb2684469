package session

import (
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Proof records that a factor was verified in a session (MultiFactorUser in the
// specification). It is bound to the session, so that a proof in one browser counts in no
// other. It is deleted with its session, by a foreign key.
type Proof struct {
	Factor string // the implementation of the account, such as "email", or "totp", "passkey", "recovery"
	// Account or Authenticator is by what it was proved; the other is 0.
	Account       accounts.AccountID
	Authenticator db.ID
	Provider      string // the name of the configured provider where the account is, or ""
	UserVerified  bool   // by a passkey that verified who uses it
	Remembered    bool   // it was made in an earlier session of this browser
	Verified      time.Time
	Expires       time.Time
	Upstream      Upstream

	renewal int64 // of its session, with which it came
}

// Upstream is how and when a provider says that somebody proved who they are there (amr, acr
// and auth_time of OIDC Core 2); empty for proofs made here.
type Upstream struct {
	AMR      string // names of methods with blanks between
	ACR      string
	AuthTime time.Time
}

// AddProof stores a proof of a session that has just been opened.
func AddProof(tx *db.Tx, session db.ID, user accounts.UserID, p Proof) error {
	return addProof(tx, session, user, 0, p)
}

// addProof stores a proof that came with a renewal, in place of an older one by the same
// account or authenticator.
func addProof(tx *db.Tx, session db.ID, user accounts.UserID, renewal int64, p Proof) error {
	_, err := tx.Exec(`INSERT INTO proofs (session_id, account_id, authenticator_id, factor, user_id, verified_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (session_id, account_id, authenticator_id) DO UPDATE SET factor = excluded.factor, verified_at = excluded.verified_at, expires_at = excluded.expires_at,
		renewal = 0, provider = '', is_verified = 0, is_remembered = 0, amr = '', acr = '', auth_time = 0`,
		session, p.Account, p.Authenticator, p.Factor, user, p.Verified, p.Expires)
	plain := renewal == 0 && p.Upstream == (Upstream{}) && p.Provider == "" && !p.UserVerified && !p.Remembered
	if err != nil || plain { // as nearly always: an INSERT of more columns costs every sign-in
		return err
	}
	_, err = tx.Exec(`UPDATE proofs SET provider = $4, is_verified = $5, is_remembered = $6, amr = $7, acr = $8, auth_time = $9, renewal = $10
		WHERE session_id = $1 AND account_id = $2 AND authenticator_id = $3`,
		session, p.Account, p.Authenticator, p.Provider, db.Int(p.UserVerified), db.Int(p.Remembered), p.Upstream.AMR, p.Upstream.ACR, p.Upstream.AuthTime, renewal)
	return err
}

// Proofs returns the proofs of a session that have not expired, and that count for the token by
// which it was found.
func Proofs(tx *db.Tx, in Session) (counted []Proof, err error) {
	all, err := db.Keep(tx, db.Key{What: "proofs", ID: in.ID}, func() ([]Proof, error) {
		return db.All(tx, func(p *Proof, scan db.Scan) error {
			return scan(&p.Factor, &p.Account, &p.Authenticator, &p.Provider, &p.UserVerified, &p.Remembered, &p.Verified, &p.Expires, &p.Upstream.AMR, &p.Upstream.ACR, &p.Upstream.AuthTime, &p.renewal)
		}, `SELECT factor, account_id, authenticator_id, provider, is_verified, is_remembered, verified_at, expires_at, amr, acr, auth_time, renewal FROM proofs
			WHERE session_id = $1 ORDER BY factor, account_id, authenticator_id`, in.ID)
	})
	// A proof that came after the session was read does not count, either: on PostgreSQL the two are
	// read at different moments.
	for _, p := range all {
		if p.Expires.After(tx.Now) && p.renewal <= in.renewal() {
			counted = append(counted, p)
		}
	}
	return counted, err
}

// DropProofs removes the proofs of a user that rest on an account, or on an authenticator,
// from all sessions.
func DropProofs(tx *db.Tx, user accounts.UserID, account accounts.AccountID, authenticator db.ID) error {
	_, err := tx.Exec(`DELETE FROM proofs WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1) AND account_id = $2 AND authenticator_id = $3`, user, account, authenticator)
	return err
}

// SweepProofs looks at the next limit proofs after the session from, removes those that
// have expired, and returns how many and where to go on, 0 at the end. Like Sweep it skips
// locked rows.
func SweepProofs(tx *db.Tx, from db.ID, limit int) (removed int64, next db.ID, err error) {
	next, err = walk(tx, `SELECT session_id FROM (SELECT session_id FROM proofs WHERE session_id > $1 ORDER BY session_id LIMIT $2) walk ORDER BY session_id DESC LIMIT 1`, from, limit)
	if err != nil || next == 0 {
		return 0, 0, err
	}
	removed, err = tx.Exec(`DELETE FROM proofs WHERE (session_id, account_id, authenticator_id) IN
		(SELECT session_id, account_id, authenticator_id FROM proofs WHERE session_id > $1 AND session_id <= $2 AND expires_at <= $3`+tx.SkipLocked()+`)`, from, next, tx.Now)
	return removed, next, err
}

// FreshFor is how old a proof may be for an action that cannot be undone, or that changes how
// a person signs in.
const FreshFor = 5 * time.Minute
