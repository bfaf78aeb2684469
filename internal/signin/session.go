package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

// Session is a signed-in browser.
type Session struct {
	ID       db.ID
	User     accounts.User
	Account  accounts.AccountID // through which the person came in
	LastSeen time.Time          // to a sixtieth of the idle time
	Expires  time.Time          // at the latest
	Client   audit.Client
}

// Created is when the person signed in.
func (s Session) Created() time.Time { return s.ID.Time() }

// fresh is a session that is being made.
type fresh struct {
	token   seal.Token
	who     accounts.AccountStatus
	addr    accounts.ID
	client  audit.Client
	expires time.Time
}

func newSession(tx *db.Tx, who accounts.AccountStatus, id accounts.ID, c audit.Client, s Settings) fresh {
	return fresh{seal.NewToken(int64(tx.NewID())), who, id, c, tx.Now.Add(s.Absolute)}
}

// insert stores the session with the proof that opened it.
func (f fresh) insert(tx *db.Tx) error {
	_, err := tx.Exec(`INSERT INTO sessions (id, secret_hash, user_id, account_id, last_seen_at, expires_at, prefix, agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		f.token.ID, f.token.Hash(), f.who.User, f.who.Account, tx.Millis(), f.expires.UnixMilli(), f.client.Prefix, f.client.Agent)
	if err != nil {
		return err
	}
	return multifactor.AddProof(tx, db.ID(f.token.ID), f.who.User, multifactor.Proof{
		Factor: f.addr.Implementation, Account: f.who.Account, Verified: tx.Now, Expires: f.expires,
	})
}

// errOver is db.ErrNotFound for a session that is out of time.
var errOver = fmt.Errorf("the session is over: %w", db.ErrNotFound)

// checkSession returns the session of a cookie, or db.ErrNotFound if there is
// none that is good: wrong secret, out of time (errOver), or its user
// deactivated.
func checkSession(tx *db.Tx, t seal.Token, s Settings) (out Session, err error) {
	if t.ID == 0 {
		return out, db.ErrNotFound
	}
	var hash []byte
	var seen, expires int64
	u := &out.User
	err = tx.Get(`SELECT s.secret_hash, s.account_id, s.last_seen_at, s.expires_at, s.prefix, s.agent,
		u.id, u.username, u.first_name, u.last_name, u.email, u.language, u.is_active, u.is_staff, u.is_superuser
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1`, t.ID).
		Scan(&hash, &out.Account, &seen, &expires, &out.Client.Prefix, &out.Client.Agent,
			&u.ID, &u.Username, &u.FirstName, &u.LastName, &u.Email, &u.Language, &u.Active, &u.Staff, &u.Superuser)
	if err != nil {
		return Session{}, err
	}
	out.ID, out.LastSeen, out.Expires = db.ID(t.ID), db.Time(seen), db.Time(expires)
	if !t.Matches(hash) || !u.Active {
		return Session{}, db.ErrNotFound
	}
	if !tx.Now.Before(out.Expires) || tx.Now.Sub(out.LastSeen) >= s.Idle {
		return Session{}, errOver
	}
	return out, nil
}

// Check returns the session of a cookie, or db.ErrNotFound. It is one read;
// that the session was used is written down later, and so is that it is over:
// it stays so when the clock jumps back.
func (s *Service) Check(ctx context.Context, t seal.Token) (out Session, err error) {
	if t.ID == 0 {
		return out, db.ErrNotFound
	}
	var now time.Time
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		out, err = checkSession(tx, t, s.Settings)
		return err
	})
	switch {
	case errors.Is(err, errOver):
		s.note(lastSeen{db.ID(t.ID), now, true})
	case err == nil && (now.Sub(out.LastSeen) >= s.Settings.Idle/60 || out.LastSeen.After(now.Add(db.Skew))):
		s.note(lastSeen{out.ID, now, false})
	}
	return out, err
}

// Fresh reports whether a session has a proof no older than age.
func (s *Service) Fresh(ctx context.Context, id db.ID, age time.Duration) (ok bool, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		proofs, err := multifactor.Proofs(tx, id)
		ok = Next(proofs, young(tx.Now, age)) == Done
		return err
	})
	return ok, err
}

// maxSessions bounds the sessions that are listed of one user.
const maxSessions = 500

// Sessions returns a user's live sessions, the latest first, at most maxSessions.
func Sessions(tx *db.Tx, user accounts.UserID, s Settings) (all []Session, err error) {
	err = tx.Each(func(scan func(...any) error) error {
		var x Session
		var seen, expires int64
		err := scan(&x.ID, &x.Account, &seen, &expires, &x.Client.Prefix, &x.Client.Agent)
		x.LastSeen, x.Expires = db.Time(seen), db.Time(expires)
		if tx.Now.Before(x.Expires) && tx.Now.Sub(x.LastSeen) < s.Idle {
			all = append(all, x)
		}
		return err
	}, `SELECT id, account_id, last_seen_at, expires_at, prefix, agent FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT $2`, user, maxSessions)
	return all, err
}

// SignOut ends the session of a cookie.
func (s *Service) SignOut(ctx context.Context, by Requester) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		sess, err := checkSession(tx, by.Session, s.Settings)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if err := endSession(tx, by.Session); err != nil {
			return err
		}
		return audit.Write(tx, db.ID(sess.User.ID), audit.SignedOut, by.Client)
	})
}

// endSession removes the session of a cookie, if the cookie is good.
func endSession(tx *db.Tx, t seal.Token) error {
	if t.ID == 0 {
		return nil
	}
	n, err := tx.Exec(`DELETE FROM sessions WHERE id = $1 AND secret_hash = $2`, t.ID, t.Hash())
	if err != nil || n == 0 {
		return err
	}
	return multifactor.EndProofs(tx, db.ID(t.ID))
}

// End ends one session of a user by its id. Ending one that is over is no
// mistake.
func End(tx *db.Tx, user accounts.UserID, id db.ID) error {
	n, err := tx.Exec(`DELETE FROM sessions WHERE id = $1 AND user_id = $2`, id, user)
	if err != nil || n == 0 {
		return err
	}
	return multifactor.EndProofs(tx, id)
}

// EndAll ends all sessions of a user but one (0: all) and returns how many.
func EndAll(tx *db.Tx, user accounts.UserID, but db.ID) (int64, error) {
	// The sessions are taken before their proofs and in the order of their ids, as
	// everywhere.
	if err := tx.Each(func(func(...any) error) error { return nil },
		`SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 ORDER BY id`+tx.ForUpdate(), user, but); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(`DELETE FROM proofs WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1 AND id <> $2)`, user, but); err != nil {
		return 0, err
	}
	return tx.Exec(`DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, user, but)
}

// SweepSessions walks on from the id given over up to limit sessions, removes
// those that are over, and returns how many and where to go on, 0 at the end. It passes
// over those that somebody else holds, who may take others in another order.
func SweepSessions(tx *db.Tx, s Settings, from db.ID, limit int) (removed int64, next db.ID, err error) {
	err = tx.Each(func(scan func(...any) error) error { return scan(&next) },
		`SELECT id FROM (SELECT id FROM sessions WHERE id > $1 ORDER BY id LIMIT $2) walk ORDER BY id DESC LIMIT 1`, from, limit)
	if err != nil || next == 0 {
		return 0, 0, err
	}
	removed, err = tx.Exec(`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE id > $1 AND id <= $2 AND (expires_at <= $3 OR last_seen_at <= $4)`+tx.SkipLocked()+`)`,
		from, next, tx.Millis(), tx.Now.Add(-s.Idle).UnixMilli())
	return removed, next, err
}

// lastSeen says that a session was used, or found over.
type lastSeen struct {
	id   db.ID
	at   time.Time
	over bool
}

// note queues x for Run; when too many wait, it is dropped, and the
// next use of the session brings another.
func (s *Service) note(x lastSeen) {
	select {
	case s.seen <- x:
	default:
	}
}

// seenEvery is how often last-seen times are written.
const seenEvery = time.Second

// Run writes down when sessions were last used, many at once and off the
// requests, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if err := s.writeSeen(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("cannot note when sessions were used", "err", err)
		}
	}
	return nil
}

func (s *Service) writeSeen(ctx context.Context) error {
	latest := map[db.ID]lastSeen{}
	for len(s.seen) > 0 {
		x := <-s.seen
		latest[x.id] = x
	}
	if len(latest) == 0 {
		return nil
	}
	// In the order of their ids, or two processes wait for each other's rows.
	all := slices.SortedFunc(maps.Values(latest), func(a, b lastSeen) int { return cmp.Compare(a.id, b.id) })
	return s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		for _, x := range all {
			if err := x.write(tx, s.Settings); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (x lastSeen) write(tx *db.Tx, s Settings) error {
	if !x.over {
		// Also where a clock wrote it that was ahead.
		_, err := tx.Exec(`UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND (last_seen_at < $2 OR last_seen_at > $3)`, x.id, x.at.UnixMilli(), x.at.Add(db.Skew).UnixMilli())
		return err
	}
	n, err := tx.Exec(`DELETE FROM sessions WHERE id = $1 AND (expires_at <= $2 OR last_seen_at <= $3)`,
		x.id, x.at.UnixMilli(), x.at.Add(-s.Idle).UnixMilli())
	if err != nil || n == 0 {
		return err
	}
	return multifactor.EndProofs(tx, x.id)
}
