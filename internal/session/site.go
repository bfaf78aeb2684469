package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// HandoffLife is how long a session may be on its way to a site.
const HandoffLife = time.Minute

// Handoff is a session on its way to a site.
type Handoff struct {
	Origin  string
	Browser []byte // hash of what the browser keeps at the site
	Address string // where the person wanted to go there
}

// NewHandoff makes the code with which a session is taken over at a site: once, in one
// browser, within HandoffLife. There the proofs count that count for the token by which the
// session was found: a cookie that a thief took over before a proof is not renewed with it.
func NewHandoff(tx *db.Tx, in Session, h Handoff) (seal.Token, error) {
	t := seal.NewToken(int64(tx.NewID()))
	_, err := tx.Exec(`INSERT INTO handoffs (id, secret_hash, session_id, renewal, origin, browser, address) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.ID, t.Hash(), in.ID, in.renewal(), h.Origin, h.Browser, h.Address)
	return t, err
}

// EnterSite takes a session over at a site and returns the token of its cookie there, and
// where the person wanted to go. browser are the hashes of what the browser keeps at the
// site. The code is used up, whoever shows it; ok is false if it is not good: used before,
// late, of another site or browser, or of a session that has ended.
func (s *Store) EnterSite(tx *db.Tx, code seal.Token, origin string, browser [][]byte) (t seal.Token, address string, expires time.Time, ok bool, err error) {
	var hash, wanted []byte
	var at string
	var in db.ID
	var renewal int64
	err = tx.Get(`DELETE FROM handoffs WHERE id = $1 RETURNING secret_hash, session_id, renewal, origin, browser, address`, code.ID).Scan(&hash, &in, &renewal, &at, &wanted, &address)
	if errors.Is(err, db.ErrNotFound) {
		return t, "", expires, false, nil
	}
	if err != nil {
		return t, "", expires, false, err
	}
	late := tx.Now.Sub(db.ID(code.ID).Time()) > HandoffLife
	mine := slices.ContainsFunc(browser, func(kept []byte) bool { return seal.Equal(wanted, kept) })
	if !code.Matches(hash) || at != origin || !mine || late {
		return t, "", expires, false, nil
	}
	var sess Session
	if err = tx.Get(`SELECT last_seen_at, expires_at FROM sessions WHERE id = $1`, in).Scan(&sess.LastSeen, &sess.Expires); errors.Is(err, db.ErrNotFound) || err == nil && s.ended(sess, tx.Now) {
		return t, "", expires, false, nil
	} else if err != nil {
		return t, "", expires, false, err
	}
	if _, err := tx.Exec(`DELETE FROM site_sessions WHERE session_id = $1 AND origin = $2`, in, origin); err != nil { // one of a browser
		return t, "", expires, false, err
	}
	t = seal.NewToken(int64(tx.NewID()))
	_, err = tx.Exec(`INSERT INTO site_sessions (id, secret_hash, session_id, renewal, origin) VALUES ($1, $2, $3, $4, $5)`, t.ID, t.Hash(), in, renewal, origin)
	return t, address, sess.Expires, true, err
}

// FindAt returns the session of a cookie of a site. It returns db.ErrNotFound as Find does. The
// session is never Bound: no browser proves a key at a site. Proofs that were added after the
// hand-off do not count for the cookie.
func (s *Store) FindAt(tx *db.Tx, t seal.Token, origin string) (out Session, err error) {
	if t.ID == 0 {
		return out, db.ErrNotFound
	}
	stored, err := db.Keep(tx, db.Key{What: "session at a site", ID: db.ID(t.ID), More: origin}, func() (*row, error) {
		var x row
		var renewal int64
		err := tx.Get(s.findAt(), t.ID, origin).
			Scan(append([]any{&x.hash, &renewal, &x.ID, &x.Account, &x.LastSeen, &x.Expires, &x.Client.Prefix, &x.Client.Agent, &x.Along}, x.User.Brief()...)...)
		x.hides = renewal + 1
		return &x, err
	})
	if err != nil {
		return Session{}, err
	}
	return s.live(stored.Session, t.Matches(stored.hash), tx.Now)
}

// CheckAt is CheckAnd for a cookie of a site.
func (s *Store) CheckAt(ctx context.Context, t seal.Token, origin string, more func(*db.Tx, Session) error) (Session, error) {
	return s.check(ctx, t, more, func(tx *db.Tx) (Session, error) { return s.FindAt(tx, t, origin) })
}

// LeaveSite ends a session at a site alone.
func LeaveSite(tx *db.Tx, t seal.Token, origin string) error {
	_, err := tx.Exec(`DELETE FROM site_sessions WHERE id = $1 AND secret_hash = $2 AND origin = $3`, t.ID, t.Hash(), origin)
	return err
}

// SweepHandoffs removes up to limit codes made before the given time.
func SweepHandoffs(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM handoffs WHERE id IN (SELECT id FROM handoffs WHERE id < $1 ORDER BY id LIMIT $2`+tx.SkipLocked()+`)`, db.FirstID(before), limit)
}
