package signin

import (
	"context"
	"strconv"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/session"
)

// Profile is what a person sees of themselves.
type Profile struct {
	User     accounts.User
	Accounts []accounts.Account
	Sessions []session.Session
}

// Profile returns a user with their accounts and live sessions.
func (s *Service) Profile(ctx context.Context, user accounts.UserID) (p Profile, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		p, err = s.profile(tx, user)
		return err
	})
	return p, err
}

func (s *Service) profile(tx *db.Tx, user accounts.UserID) (p Profile, err error) {
	if p.User, err = accounts.GetUser(tx, user); err != nil {
		return p, err
	}
	if p.Accounts, err = accounts.Of(tx, user); err != nil {
		return p, err
	}
	p.Sessions, err = s.Sessions.Of(tx, user)
	return p, err
}

// ownChanges is how often a person may change what is theirs in one session, or have it
// exported. Each writes a line of history, and nobody needs more.
var ownChanges = config.Rates{{N: 100, Per: time.Minute}, {N: 300, Per: 24 * time.Hour}}

// TooOften is the error of a change that comes too soon after others of the person.
// Nothing was done.
type TooOften struct{ Wait time.Duration }

func (e TooOften) Error() string { return "too many changes; the next in " + e.Wait.String() }

// change runs fn for the user of a session that is still good, and writes the
// event into their history. A session that ended meanwhile changes nothing. It returns
// TooOften beyond ownChanges.
func (s *Service) change(ctx context.Context, by Requester, e audit.Event, fn func(*db.Tx, session.Session) error) error {
	var wait time.Duration
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		sess, err := s.Sessions.Find(tx, by.Session)
		if err != nil {
			return err
		}
		// Of the session, so that a thief of one cannot keep its owner from ending it.
		own := limit.Budget{Name: "own_changes", Key: strconv.FormatInt(int64(sess.ID), 10), Rates: ownChanges}
		// A refusal is no error, or all who are written in one group would be again.
		if wait, err = limit.Take(tx, own); err != nil || wait > 0 {
			return err
		}
		if err := fn(tx, sess); err != nil {
			return err
		}
		return audit.Write(tx, db.ID(sess.User.ID), audit.Person(db.ID(sess.User.ID)), e, by.Client)
	})
	if err == nil && wait > 0 {
		return TooOften{wait}
	}
	return err
}

// SaveSettings changes what a person says of themselves.
func (s *Service) SaveSettings(ctx context.Context, by Requester, first, last, language string) error {
	return s.change(ctx, by, audit.SettingsChange, func(tx *db.Tx, sess session.Session) error {
		return accounts.SetProfile(tx, sess.User.ID, first, last, language)
	})
}

// EndSession ends another session of the person.
func (s *Service) EndSession(ctx context.Context, by Requester, id db.ID) error {
	return s.change(ctx, by, audit.SessionEnded, func(tx *db.Tx, sess session.Session) error {
		return session.EndOf(tx, sess.User.ID, id)
	})
}

// EndOthers ends all other sessions of the person.
func (s *Service) EndOthers(ctx context.Context, by Requester) error {
	return s.change(ctx, by, audit.SessionsEnded, func(tx *db.Tx, sess session.Session) error {
		_, err := session.EndAll(tx, sess.User.ID, sess.ID)
		return err
	})
}

// History returns a page of what happened to a user, newest first, and where
// the next page begins, 0 at the end.
func (s *Service) History(ctx context.Context, user accounts.UserID, before db.ID, limit int) (lines []audit.Line, next db.ID, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		lines, next, err = audit.Of(tx, db.ID(user), before, limit)
		return err
	})
	return lines, next, err
}

// Forget removes a user and everything that is kept of them. Attempts under way
// lead nowhere without their account, and the sweeper takes them. It returns
// accounts.ErrLastSuperuser for the last superuser, unless accounts.Force is given.
func Forget(tx *db.Tx, user accounts.UserID, options ...accounts.Option) error {
	if err := accounts.Lock(tx, user); err != nil {
		return err
	}
	if _, err := session.EndAll(tx, user, 0); err != nil {
		return err
	}
	if err := audit.Forget(tx, db.ID(user)); err != nil {
		return err
	}
	return accounts.Delete(tx, user, options...)
}

// FreshFor is how old a proof may be for what cannot be undone.
const FreshFor = 5 * time.Minute

// DeleteAccount forgets the person, if they have just proved who they are; ok
// is false if they have not. It returns accounts.ErrLastSuperuser for the last
// superuser.
func (s *Service) DeleteAccount(ctx context.Context, by Requester) (ok bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		ok = false
		sess, err := s.Sessions.Find(tx, by.Session)
		if err != nil {
			return err
		}
		proofs, err := session.Proofs(tx, sess.ID)
		if err != nil || Next(proofs, young(tx.Now, FreshFor)) != Done {
			return err
		}
		ok = true
		return Forget(tx, sess.User.ID)
	})
	if ok && err == nil {
		s.ForgetMore(ctx)
	}
	return ok, err
}

// ForgetMore removes what Forget has left of a long history. What it does not come to,
// the sweeper does.
func (s *Service) ForgetMore(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		if err := s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) (err error) {
			_, more, err = audit.ForgetMore(tx, forgetChunk)
			return err
		})); err != nil {
			s.log.Warn("a long history is left to the sweeper", "err", err)
			return
		}
	}
}

// forgetChunk is how many lines of history go in one transaction.
const forgetChunk = 1000
