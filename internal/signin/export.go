package signin

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
)

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
