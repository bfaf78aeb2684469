package signin

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

// Profile is what a person sees of themselves.
type Profile struct {
	User     accounts.User
	Accounts []accounts.Account
	Sessions []Session
}

// Profile returns a user with their accounts and live sessions.
func (s *Service) Profile(ctx context.Context, user accounts.UserID) (p Profile, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		p, err = profile(tx, user, s.Settings)
		return err
	})
	return p, err
}

func profile(tx *db.Tx, user accounts.UserID, s Settings) (p Profile, err error) {
	if p.User, err = accounts.GetUser(tx, user); err != nil {
		return p, err
	}
	if p.Accounts, err = accounts.Of(tx, user); err != nil {
		return p, err
	}
	p.Sessions, err = Sessions(tx, user, s)
	return p, err
}

// change runs fn for the user of a session that is still good, and writes the
// event into their history. A session that ended meanwhile changes nothing.
func (s *Service) change(ctx context.Context, by Asker, e audit.Event, fn func(*db.Tx, Session) error) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		sess, err := checkSession(tx, by.Session, s.Settings)
		if err != nil {
			return err
		}
		if err := fn(tx, sess); err != nil {
			return err
		}
		return audit.Write(tx, db.ID(sess.User.ID), e, by.Client)
	})
}

// SaveSettings changes what a person says of themselves.
func (s *Service) SaveSettings(ctx context.Context, by Asker, first, last, language string) error {
	return s.change(ctx, by, audit.SettingsChange, func(tx *db.Tx, sess Session) error {
		return accounts.SetProfile(tx, sess.User.ID, first, last, language)
	})
}

// EndSession ends another session of the person.
func (s *Service) EndSession(ctx context.Context, by Asker, id db.ID) error {
	return s.change(ctx, by, audit.SessionEnded, func(tx *db.Tx, sess Session) error {
		return End(tx, sess.User.ID, id)
	})
}

// EndOthers ends all other sessions of the person.
func (s *Service) EndOthers(ctx context.Context, by Asker) error {
	return s.change(ctx, by, audit.SessionsEnded, func(tx *db.Tx, sess Session) error {
		_, err := EndAll(tx, sess.User.ID, sess.ID)
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

// Export is everything that is kept of a user, as JSON.
type Export struct {
	User     exportUser      `json:"user"`
	Accounts []exportAccount `json:"accounts"`
	Sessions []exportSession `json:"sessions"`
	History  []exportEvent   `json:"history"`
}

type exportUser struct {
	ID          accounts.UserID `json:"id,string"`
	Username    string          `json:"username"`
	FirstName   string          `json:"first_name"`
	LastName    string          `json:"last_name"`
	Email       string          `json:"email"`
	Language    string          `json:"language"`
	Active      bool            `json:"is_active"`
	Staff       bool            `json:"is_staff"`
	Superuser   bool            `json:"is_superuser"`
	Invited     bool            `json:"is_invited"`
	Joined      time.Time       `json:"date_joined"`
	LastLogin   *time.Time      `json:"last_login"`
	Deactivated *time.Time      `json:"deactivated_at"`
	Asked       *time.Time      `json:"asked_at"`
}

type exportAccount struct {
	Implementation string     `json:"implementation"`
	Identifier     string     `json:"identifier"`
	Active         bool       `json:"is_active"`
	Activated      *time.Time `json:"activated_at"`
	LastUsed       *time.Time `json:"last_used_at"`
}

type exportSession struct {
	Created  time.Time     `json:"created_at"`
	LastSeen time.Time     `json:"last_seen_at"`
	Expires  time.Time     `json:"expires_at"`
	Network  string        `json:"network"`
	Agent    string        `json:"browser"`
	Proofs   []exportProof `json:"proofs"`
}

type exportProof struct {
	Factor   string    `json:"factor"`
	Verified time.Time `json:"verified_at"`
	Expires  time.Time `json:"expires_at"`
}

type exportEvent struct {
	At      time.Time   `json:"at"`
	Event   audit.Event `json:"event"`
	Network string      `json:"network"`
	Agent   string      `json:"browser"`
}

// maybe is a time or, for the zero time, null.
func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// ExportUser gathers everything that is kept of a user.
func ExportUser(tx *db.Tx, user accounts.UserID, s Settings) (e Export, err error) {
	p, err := profile(tx, user, s)
	if err != nil {
		return e, err
	}
	u := p.User
	e.User = exportUser{
		u.ID, u.Username, u.FirstName, u.LastName, u.Email, u.Language, u.Active, u.Staff, u.Superuser, u.Invited,
		u.Joined, maybe(u.LastLogin), maybe(u.Deactivated), maybe(u.Asked),
	}
	for _, a := range p.Accounts {
		e.Accounts = append(e.Accounts, exportAccount{a.Addr.Implementation, a.Addr.Identifier, a.Active, maybe(a.Activated), maybe(a.LastUsed)})
	}
	for _, x := range p.Sessions {
		proofs, err := multifactor.Proofs(tx, x.ID)
		if err != nil {
			return e, err
		}
		out := exportSession{Created: x.Created(), LastSeen: x.LastSeen, Expires: x.Expires, Network: x.Client.Prefix, Agent: x.Client.Agent}
		for _, p := range proofs {
			out.Proofs = append(out.Proofs, exportProof{p.Factor, p.Verified, p.Expires})
		}
		e.Sessions = append(e.Sessions, out)
	}
	for next := db.ID(0); ; {
		var lines []audit.Line
		if lines, next, err = audit.Of(tx, db.ID(user), next, 500); err != nil {
			return e, err
		}
		for _, l := range lines {
			e.History = append(e.History, exportEvent{l.At, l.Event, l.Client.Prefix, l.Client.Agent})
		}
		if next == 0 {
			return e, nil
		}
	}
}

// Export gathers everything that is kept of the person.
func (s *Service) Export(ctx context.Context, by Asker) (e Export, err error) {
	err = s.change(ctx, by, audit.Exported, func(tx *db.Tx, sess Session) error {
		e, err = ExportUser(tx, sess.User.ID, s.Settings)
		return err
	})
	return e, err
}

// Forget removes a user and everything that is kept of them. Attempts under way
// lead nowhere without their account, and the sweeper takes them. It returns
// accounts.ErrLastSuperuser for the last superuser, unless accounts.Force is given.
func Forget(tx *db.Tx, user accounts.UserID, options ...accounts.Option) error {
	if _, err := EndAll(tx, user, 0); err != nil {
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
func (s *Service) DeleteAccount(ctx context.Context, by Asker) (ok bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		ok = false
		sess, err := checkSession(tx, by.Session, s.Settings)
		if err != nil {
			return err
		}
		proofs, err := multifactor.Proofs(tx, sess.ID)
		if err != nil || Next(proofs, Want{Since: tx.Now.Add(-FreshFor)}) != Done {
			return err
		}
		ok = true
		return Forget(tx, sess.User.ID)
	})
	return ok, err
}
