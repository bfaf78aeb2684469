package session

import (
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
)

// Proof records that a factor was verified in a session (MultiFactorUser in the
// specification). It is bound to the session, so that a proof in one browser counts in no
// other. It is deleted with its session, by a foreign key.
type Proof struct {
	Factor   string // the implementation: "email"
	Account  accounts.AccountID
	Verified time.Time
	Expires  time.Time
	Upstream Upstream
}

// Upstream is how and when a provider says that somebody proved who they are there (amr, acr
// and auth_time of OIDC Core 2); empty for proofs made here.
type Upstream struct {
	AMR      string // names of methods with blanks between
	ACR      string
	AuthTime time.Time
}

// AddProof stores a proof of a session, in place of an older one of its factor.
func AddProof(tx *db.Tx, session db.ID, user accounts.UserID, p Proof) error {
	_, err := tx.Exec(`INSERT INTO proofs (session_id, factor, user_id, account_id, verified_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (session_id, factor) DO UPDATE SET account_id = excluded.account_id, verified_at = excluded.verified_at, expires_at = excluded.expires_at,
		amr = '', acr = '', auth_time = 0`,
		session, p.Factor, user, p.Account, p.Verified, p.Expires)
	if err != nil || p.Upstream == (Upstream{}) { // as nearly always: an INSERT of more columns costs every sign-in
		return err
	}
	_, err = tx.Exec(`UPDATE proofs SET amr = $3, acr = $4, auth_time = $5 WHERE session_id = $1 AND factor = $2`,
		session, p.Factor, p.Upstream.AMR, p.Upstream.ACR, p.Upstream.AuthTime)
	return err
}

// Proofs returns the proofs of a session that have not expired.
func Proofs(tx *db.Tx, session db.ID) ([]Proof, error) {
	return db.All(tx, func(p *Proof, scan db.Scan) error {
		return scan(&p.Factor, &p.Account, &p.Verified, &p.Expires, &p.Upstream.AMR, &p.Upstream.ACR, &p.Upstream.AuthTime)
	}, `SELECT factor, account_id, verified_at, expires_at, amr, acr, auth_time FROM proofs WHERE session_id = $1 AND expires_at > $2 ORDER BY factor`, session, tx.Now)
}

// SweepProofs looks at the next limit proofs after the session from, removes those that
// have expired, and returns how many and where to go on, 0 at the end. Like Sweep it skips
// locked rows.
func SweepProofs(tx *db.Tx, from db.ID, limit int) (removed int64, next db.ID, err error) {
	next, err = walk(tx, `SELECT session_id FROM (SELECT session_id FROM proofs WHERE session_id > $1 ORDER BY session_id LIMIT $2) walk ORDER BY session_id DESC LIMIT 1`, from, limit)
	if err != nil || next == 0 {
		return 0, 0, err
	}
	removed, err = tx.Exec(`DELETE FROM proofs WHERE (session_id, factor) IN
		(SELECT session_id, factor FROM proofs WHERE session_id > $1 AND session_id <= $2 AND expires_at <= $3`+tx.SkipLocked()+`)`, from, next, tx.Now)
	return removed, next, err
}

// Want is what an action requires of a session's proofs.
type Want struct {
	Since time.Time // proofs older than this do not count; zero: any that has not expired
	Until time.Time // proofs later than this do not count; zero: any
}

// FreshFor is how old a proof may be for an action that cannot be undone, or that changes how
// a person signs in.
const FreshFor = 5 * time.Minute

// Fresh requires a proof no older than age. A proof from the future, by a clock that was
// ahead, does not count: it would be fresh for as long as that clock was ahead.
func Fresh(now time.Time, age time.Duration) Want {
	return Want{Since: now.Add(-age), Until: now.Add(db.Skew)}
}

// MetBy reports whether one of the proofs meets the requirement.
func (w Want) MetBy(proofs []Proof) bool {
	return slices.ContainsFunc(proofs, func(p Proof) bool {
		return !p.Verified.Before(w.Since) && (w.Until.IsZero() || !p.Verified.After(w.Until))
	})
}
