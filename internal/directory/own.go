package directory

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/words"
)

// Owner is a person who acts on their own account: the session with which they are signed
// in, and their browser as history shows it.
type Owner struct {
	Session seal.Token
	Next    seal.Token // takes its place if a proof is added to the session
	Client  audit.Client
	Browser []byte // its id, to which the use of a passkey is bound
	Words   *words.Language
	// AfterResponse runs fn once the response has been written; nil: at once.
	AfterResponse func(fn func())
}

// Profile is what a person sees of themselves.
type Profile struct {
	Person
	Sessions []session.Session
}

// Profile returns a user with their accounts and live sessions.
func (d *Directory) Profile(ctx context.Context, user accounts.UserID) (p Profile, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		p, err = d.profile(tx, user)
		return err
	})
	return p, err
}

func (d *Directory) profile(tx *db.Tx, user accounts.UserID) (p Profile, err error) {
	if p.Person, err = person(tx, user); err != nil {
		return p, err
	}
	p.Sessions, err = d.Sessions.Of(tx, user)
	return p, err
}

// ownChanges is how often a person may change or export their own account in one session.
// Each time writes a line of history.
var ownChanges = config.Rates{{N: 100, Per: time.Minute}, {N: 300, Per: 24 * time.Hour}}

// TooOften is the error of a change beyond ownChanges. Nothing was done.
type TooOften struct{ Wait time.Duration }

func (e TooOften) Error() string { return "too many changes; the next in " + e.Wait.String() }

// NeedsProof is the error of an action for which a session has to prove more. Nothing was
// done.
type NeedsProof struct{ Action string }

func (e NeedsProof) Error() string { return e.Action + " needs more to be proved" }

// may returns NeedsProof for an action that a session may not do yet.
func (d *Directory) may(tx *db.Tx, sess session.Session, action string) error {
	return d.mayDo(tx, sess, multifactor.Thing{Kind: multifactor.Action, Name: action})
}

func (d *Directory) mayDo(tx *db.Tx, sess session.Session, thing multifactor.Thing) error {
	if d.Gate == nil {
		return NeedsProof{thing.Name}
	}
	decision, err := d.Gate(tx, sess, thing)
	if err == nil && !decision.Allowed {
		err = NeedsProof{thing.Name}
	}
	return err
}

// change runs fn for the user of a valid session and writes the event into their history.
// With a session that has ended it returns db.ErrNotFound, beyond ownChanges TooOften.
func (d *Directory) change(ctx context.Context, own Owner, e audit.Event, fn func(*db.Tx, session.Session) error) error {
	return d.limited(ctx, own, func(tx *db.Tx, sess session.Session) error {
		if err := fn(tx, sess); err != nil {
			return err
		}
		return audit.Write(tx, db.ID(sess.User.ID), audit.Person(db.ID(sess.User.ID)), e, own.Client)
	})
}

// isRefusal reports errors of a change that a person can cause.
func isRefusal(err error) bool {
	return errors.Is(err, accounts.ErrUsername) || errors.Is(err, accounts.ErrTaken) || errors.Is(err, multifactor.ErrName) || errors.Is(err, multifactor.ErrTooMany) ||
		errors.As(err, new(NeedsProof))
}

// limited is change without the line of history, which fn writes.
func (d *Directory) limited(ctx context.Context, own Owner, fn func(*db.Tx, session.Session) error) error {
	var wait time.Duration
	var refused error
	err := d.DB.Update(ctx, func(tx *db.Tx) error {
		sess, err := d.Sessions.Find(tx, own.Session)
		if err != nil {
			return err
		}
		// The session's, so that a thief of one session cannot keep the owner from ending it.
		budget := limit.Budget{Name: "own_changes", Key: strconv.FormatInt(int64(sess.ID), 10), Rates: ownChanges}
		// A refusal is no error: that would make SQLite repeat the whole group (db/writer.go).
		refused = nil
		wait, err = limit.Take(tx, budget)
		if err != nil || wait > 0 {
			return err
		}
		if err := fn(tx, sess); isRefusal(err) {
			refused = err
			return nil
		} else if err != nil {
			return err
		}
		return nil
	})
	if err == nil && wait > 0 {
		return TooOften{wait}
	}
	return cmp.Or(err, refused)
}

// SaveSettings changes a person's names and language.
func (d *Directory) SaveSettings(ctx context.Context, own Owner, firstName, lastName, language string) error {
	return d.change(ctx, own, audit.SettingsChange, func(tx *db.Tx, sess session.Session) error {
		return accounts.SetProfile(tx, sess.User.ID, firstName, lastName, language)
	})
}

// EndSession ends another session of the person.
func (d *Directory) EndSession(ctx context.Context, own Owner, id db.ID) error {
	return d.change(ctx, own, audit.SessionEnded, func(tx *db.Tx, sess session.Session) error {
		if err := d.may(tx, sess, multifactor.EndSessions); err != nil {
			return err
		}
		return session.EndOf(tx, sess.User.ID, id)
	})
}

// EndOthers ends all other sessions of the person.
func (d *Directory) EndOthers(ctx context.Context, own Owner) error {
	return d.change(ctx, own, audit.SessionsEnded, func(tx *db.Tx, sess session.Session) error {
		if err := d.may(tx, sess, multifactor.EndSessions); err != nil {
			return err
		}
		if _, err := session.EndAll(tx, sess.User.ID, sess.ID); err != nil {
			return err
		}
		return multifactor.ForgetDevices(tx, sess.User.ID)
	})
}

// SignOut ends the session of the person, if there is one.
func (d *Directory) SignOut(ctx context.Context, own Owner) error {
	return d.DB.Update(ctx, func(tx *db.Tx) error {
		sess, err := d.Sessions.Find(tx, own.Session)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if err := session.End(tx, own.Session); err != nil {
			return err
		}
		return audit.Write(tx, db.ID(sess.User.ID), audit.Person(db.ID(sess.User.ID)), audit.SignedOut, own.Client)
	})
}

// History returns a page of what happened to a user, newest first, and where
// the next page begins, 0 at the end.
func (d *Directory) History(ctx context.Context, user accounts.UserID, before db.ID, limit int) (lines []audit.Line, next db.ID, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		lines, next, err = audit.Of(tx, db.ID(user), before, limit)
		return err
	})
	return lines, next, err
}
