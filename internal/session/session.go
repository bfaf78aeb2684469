// Package session owns sessions, a signed-in browser each, their proofs, and their cookies at
// sites on other hosts. Tables sessions, proofs, site_sessions and handoffs: no other package
// reads or removes their rows.
//
// A session holds proofs, never a level: code that requires a proof decides what counts.
// The package does not know how anything is proved, and does not decide when to open a
// session; see package signin.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// Settings are when sessions end.
type Settings struct {
	Idle     time.Duration // after the last request
	Absolute time.Duration // after signing in
}

// Store keeps sessions.
type Store struct {
	DB       *db.DB
	Settings Settings
	// Along is an expression of SQL whose text each session is read together with; "": none. All
	// stores of one DB have the same: what they read is kept (db.Keep).
	Along string
	// WriteEvery is how often Run records which sessions were used: a second, if nobody
	// changes it before.
	WriteEvery time.Duration

	find, findAt func() string // queries, made once
	seen         chan lastSeen
	log          *slog.Logger
}

// New returns a store. Without its Run, sessions end after the idle time although they are
// used.
func New(d *db.DB, s Settings, log *slog.Logger) *Store {
	x := &Store{DB: d, Settings: s, WriteEvery: time.Second, seen: make(chan lastSeen, 1024), log: log}
	x.find = sync.OnceValue(func() string {
		return `SELECT secret_hash, old_hash, renewals, forked, account_id, last_seen_at, expires_at, prefix, agent, bound_at, ` + x.along() + `, ` + accounts.BriefColumns +
			` FROM sessions s ` + accounts.JoinUser + ` WHERE s.id = $1`
	})
	x.findAt = sync.OnceValue(func() string {
		return `SELECT x.secret_hash, x.renewal, s.id, s.account_id, s.last_seen_at, s.expires_at, s.prefix, s.agent, ` + x.along() + `, ` + accounts.BriefColumns +
			` FROM site_sessions x JOIN sessions s ON s.id = x.session_id ` + accounts.JoinUser + ` WHERE x.id = $1 AND x.origin = $2`
	})
	return x
}

// Session is a signed-in browser.
type Session struct {
	ID       db.ID
	User     accounts.User      // its brief columns
	Account  accounts.AccountID // with which the person signed in
	LastSeen time.Time          // to a sixtieth of the idle time
	Expires  time.Time          // at the latest
	Client   audit.Client
	Along    string // what the Store's Along was
	// Bound: it is bound to a key of the device, and its cookie alone opens nothing.
	Bound bool

	boundAt    time.Time  // when the last proof of the device's key was made
	token      seal.Token // by which it was found; zero for a cookie of a site
	renewals   int64      // how often its token was renewed
	forked     int64      // the last renewal by an old token; 0: none
	wasRenewed bool       // it was found by its newest token, and the one before is still good
	hides      int64      // the first renewal whose proofs do not count for the token; 0: all count
}

// Created is when the person signed in.
func (s Session) Created() time.Time { return s.ID.Time() }

// Opened is a session that has just begun.
type Opened struct {
	Token   seal.Token // for the browser's cookie
	Expires time.Time  // at the latest
}

// NewToken returns the token of a session for Open, later in the transaction.
func NewToken(tx *db.Tx) seal.Token { return seal.NewToken(int64(tx.NewID())) }

// Open opens a session of a user with the proof of a factor that was verified at this
// moment. The proof expires with the session.
func (s *Store) Open(tx *db.Tx, t seal.Token, user accounts.UserID, p Proof, c audit.Client) (Opened, error) {
	p = p.made(tx.Now, tx.Now.Add(s.Settings.Absolute))
	_, err := tx.Exec(`INSERT INTO sessions (id, secret_hash, user_id, account_id, last_seen_at, expires_at, prefix, agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.ID, t.Hash(), user, p.Account, tx.Now, p.Expires, c.Prefix, c.Agent)
	if err != nil {
		return Opened{}, err
	}
	return Opened{t, p.Expires}, AddProof(tx, db.ID(t.ID), user, p)
}

// made is the proof as of now.
func (p Proof) made(now, expires time.Time) Proof {
	p.Verified, p.Expires = now, expires
	if at := p.Upstream.AuthTime; !at.IsZero() && at.Before(now) {
		p.Verified = at // a provider may rest on a sign-in of hours ago, which is no fresh proof
	}
	return p
}

// Prove adds a proof that was made at this moment to a session that Find returned. It expires
// with the session. The browser needs the Next token: the proof does not count for the old
// one. It returns db.ErrNotFound if the session has ended meanwhile.
func (s *Store) Prove(tx *db.Tx, in Session, p Proof, next seal.Token) error {
	n, err := s.renew(tx, in, next)
	if err != nil {
		return err
	}
	return addProof(tx, in.ID, in.User.ID, n, p.made(tx.Now, in.Expires))
}

// Renew has the Next token take the place of the one by which a session was found, because the
// session may do more from now on, and returns the number of that renewal. See IsNewest.
func (s *Store) Renew(tx *db.Tx, in Session, next seal.Token) (int64, error) {
	return s.renew(tx, in, next)
}

// IsNewest reports whether the session was found by its newest token, so that what it was renewed
// for counts.
func (s Session) IsNewest() bool { return s.hides == 0 }

// Forked is the number of the last renewal that was made by an old token; 0: none was. Of the two
// who had that token one may be a thief, so what was given before counts for neither.
func (s Session) Forked() int64 { return s.forked }

// errEnded is db.ErrNotFound for a session that has expired.
var errEnded = fmt.Errorf("the session has ended: %w", db.ErrNotFound)

// Find returns the session of a cookie. It returns db.ErrNotFound if there is none, the
// secret is wrong, the session has expired, or its user is not active.
func (s *Store) Find(tx *db.Tx, t seal.Token) (out Session, err error) {
	if t.ID == 0 {
		return out, db.ErrNotFound
	}
	stored, err := db.Keep(tx, db.Key{What: "session", ID: db.ID(t.ID)}, func() (*row, error) {
		var x row
		var bound int64
		err := tx.Get(s.find(), t.ID).
			Scan(append([]any{&x.hash, &x.old, &x.renewals, &x.forked, &x.Account, &x.LastSeen, &x.Expires, &x.Client.Prefix, &x.Client.Agent, &bound, &x.Along}, x.User.Brief()...)...)
		x.ID, x.Bound, x.boundAt = db.ID(t.ID), bound > 0, time.UnixMilli(bound)
		return &x, err
	})
	if err != nil {
		return Session{}, err
	}
	out = stored.Session
	return s.live(out, out.recognise(t, stored.hash, stored.old), tx.Now)
}

// row is what is stored of a session, or of its cookie at a site.
type row struct {
	Session
	hash, old []byte
}

// live returns a session that was found, if its secret was right, it has not ended, and its
// user is active.
func (s *Store) live(x Session, right bool, now time.Time) (Session, error) {
	switch {
	case !right || !x.User.Active:
		return Session{}, db.ErrNotFound
	case s.ended(x, now):
		return Session{ID: x.ID}, errEnded
	}
	return x, nil
}

func (s *Store) along() string {
	if s.Along == "" {
		return `''`
	}
	return s.Along
}

func (s *Store) ended(x Session, now time.Time) bool {
	return !now.Before(x.Expires) || now.Sub(x.LastSeen) >= s.Settings.Idle
}

// Check returns the session of a cookie, or db.ErrNotFound. It is one read. Run later
// records that the session was used, or that it has ended, so that it stays ended when the
// clock is set back.
func (s *Store) Check(ctx context.Context, t seal.Token) (Session, error) {
	return s.CheckAnd(ctx, t, func(*db.Tx, Session) error { return nil })
}

// CheckAnd is Check, and reads more of a session in the same transaction.
func (s *Store) CheckAnd(ctx context.Context, t seal.Token, more func(*db.Tx, Session) error) (Session, error) {
	return s.check(ctx, t, more, func(tx *db.Tx) (Session, error) { return s.Find(tx, t) })
}

func (s *Store) check(ctx context.Context, t seal.Token, more func(*db.Tx, Session) error, find func(*db.Tx) (Session, error)) (out Session, err error) {
	if t.ID == 0 {
		return out, db.ErrNotFound
	}
	var now time.Time
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		if out, err = find(tx); err != nil {
			return err
		}
		return more(tx, out)
	})
	switch {
	case errors.Is(err, errEnded):
		s.record(lastSeen{id: out.ID, at: now, ended: true})
		out = Session{}
	case err == nil && (out.wasRenewed || now.Sub(out.LastSeen) >= s.Settings.Idle/60 || out.LastSeen.After(now.Add(db.Skew))):
		s.record(lastSeen{id: out.ID, at: now, renewal: db.Int(out.wasRenewed) * out.renewals})
	}
	return out, err
}

// maxListed bounds the listed sessions of one user.
const maxListed = 500

// Of returns a user's sessions that have not ended, the latest first, at most
// maxListed. Their User is empty.
func (s *Store) Of(tx *db.Tx, user accounts.UserID) (live []Session, err error) {
	all, err := db.All(tx, func(x *Session, scan db.Scan) error {
		var bound int64
		err := scan(&x.ID, &x.Account, &x.LastSeen, &x.Expires, &x.Client.Prefix, &x.Client.Agent, &bound, &x.renewals)
		x.Bound = bound > 0
		return err
	}, `SELECT id, account_id, last_seen_at, expires_at, prefix, agent, bound_at, renewals FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT $2`, user, maxListed)
	for _, x := range all {
		if !s.ended(x, tx.Now) {
			live = append(live, x)
		}
	}
	return live, err
}
