package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
)

// Export is all data about a user, as JSON. History may be long: Write reads it page by
// page.
type Export struct {
	User     exportUser      `json:"user"`
	Accounts []exportAccount `json:"accounts"`
	Sessions []exportSession `json:"sessions"`
	Groups   []string        `json:"groups"`
	// Permissions are those that the user was granted, by themselves or by a group.
	Permissions []string       `json:"permissions"`
	Factors     []exportFactor `json:"factors"`
	Devices     []exportDevice `json:"remembered_browsers"`

	db *db.DB
}

type exportUser struct {
	ID           accounts.UserID `json:"id,string"`
	Username     string          `json:"username"`
	FirstName    string          `json:"first_name"`
	LastName     string          `json:"last_name"`
	Email        string          `json:"email"`
	Language     string          `json:"language"`
	Active       bool            `json:"is_active"`
	Staff        bool            `json:"is_staff"`
	Superuser    bool            `json:"is_superuser"`
	Invited      bool            `json:"is_invited"`
	Joined       time.Time       `json:"date_joined"`
	LastLogin    *time.Time      `json:"last_login"`
	Deactivated  *time.Time      `json:"deactivated_at"`
	Requested    *time.Time      `json:"asked_at"`
	BrowserEpoch int64           `json:"browser_epoch"`
	MergedInto   accounts.UserID `json:"merged_into,string"`
}

type exportAccount struct {
	Implementation string     `json:"implementation"`
	Identifier     string     `json:"identifier"`
	Active         bool       `json:"is_active"`
	Activated      *time.Time `json:"activated_at"`
	LastUsed       *time.Time `json:"last_used_at"`
	Label          string     `json:"label"`
}

type exportSession struct {
	Created  time.Time     `json:"created_at"`
	LastSeen time.Time     `json:"last_seen_at"`
	Expires  time.Time     `json:"expires_at"`
	Network  string        `json:"network"`
	Agent    string        `json:"browser"`
	Proofs   []exportProof `json:"proofs"`
}

// exportFactor is an authenticator without its secret.
type exportFactor struct {
	Factor   string     `json:"factor"`
	Name     string     `json:"name"`
	Model    string     `json:"model"`
	Added    time.Time  `json:"added_at"`
	LastUsed *time.Time `json:"last_used_at"`
}

type exportDevice struct {
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires_at"`
	Network string    `json:"network"`
	Agent   string    `json:"browser"`
}

type exportProof struct {
	Factor   string    `json:"factor"`
	Verified time.Time `json:"verified_at"`
	Expires  time.Time `json:"expires_at"`
	// As the provider says, of a proof there.
	AMR      string     `json:"amr,omitempty"`
	ACR      string     `json:"acr,omitempty"`
	AuthTime *time.Time `json:"auth_time,omitempty"`
}

type exportEvent struct {
	At      time.Time   `json:"at"`
	Event   audit.Event `json:"event"`
	Network string      `json:"network"`
	Agent   string      `json:"browser"`
}

// maybe returns nil, JSON's null, for the zero time.
func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Export reads all data about a user, found as by Find, without the history.
func (d *Directory) Export(ctx context.Context, by Actor, text string) (Export, error) {
	if !by.may {
		return Export{}, ErrForbidden
	}
	u, err := d.Find(ctx, text)
	if err != nil {
		return Export{}, err
	}
	return d.export(ctx, u.ID)
}

func (d *Directory) export(ctx context.Context, user accounts.UserID) (e Export, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		e = Export{db: d.DB}
		return e.read(tx, user, d)
	})
	return e, err
}

func (e *Export) read(tx *db.Tx, user accounts.UserID, d *Directory) error {
	p, err := d.profile(tx, user)
	if err != nil {
		return err
	}
	u := p.User
	e.User = exportUser{
		ID: u.ID, Username: u.Username, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Language: u.Language,
		Active: u.Active, Superuser: u.Superuser, Invited: u.Invited,
		Joined: u.Joined, LastLogin: maybe(u.LastLogin), Deactivated: maybe(u.Deactivated), Requested: maybe(u.Requested), BrowserEpoch: u.BrowserEpoch, MergedInto: u.MergedInto,
	}
	if e.User.Staff, err = u.Staff(tx); err != nil {
		return err
	}
	if e.Groups, err = accounts.GroupsOf(tx, u.ID); err != nil {
		return err
	}
	if e.Permissions, err = accounts.PermissionsOf(tx, u.ID); err != nil {
		return err
	}
	if err := e.readFactors(tx, u.ID); err != nil {
		return err
	}
	for _, a := range p.Accounts {
		e.Accounts = append(e.Accounts, exportAccount{
			Implementation: a.Addr.Implementation, Identifier: a.Addr.Identifier, Active: a.Active, Activated: maybe(a.Activated), LastUsed: maybe(a.LastUsed), Label: a.Label,
		})
	}
	for _, x := range p.Sessions {
		proofs, err := session.Proofs(tx, x)
		if err != nil {
			return err
		}
		out := exportSession{Created: x.Created(), LastSeen: x.LastSeen, Expires: x.Expires, Network: x.Client.Prefix, Agent: x.Client.Agent}
		for _, p := range proofs {
			out.Proofs = append(out.Proofs, exportProof{p.Factor, p.Verified, p.Expires, p.Upstream.AMR, p.Upstream.ACR, maybe(p.Upstream.AuthTime)})
		}
		e.Sessions = append(e.Sessions, out)
	}
	return nil
}

func (e *Export) readFactors(tx *db.Tx, user accounts.UserID) error {
	all, err := multifactor.Authenticators(tx, user)
	if err != nil {
		return err
	}
	for _, a := range all {
		e.Factors = append(e.Factors, exportFactor{string(a.Kind), a.Name, a.Model, a.Added(), maybe(a.LastUsed)})
	}
	devices, err := multifactor.Devices(tx, user)
	for _, d := range devices {
		e.Devices = append(e.Devices, exportDevice{d.ID.Time(), d.Expires, d.Client.Prefix, d.Client.Agent})
	}
	return err
}

// exportPage is how many lines of history are read at once.
const exportPage = 500

// Write writes the export as JSON, with the history, newest first. If it fails, what was
// written is not valid JSON, so that readers notice that it is incomplete.
func (e Export) Write(ctx context.Context, w io.Writer) error {
	head, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\n  \"history\": [", bytes.TrimSuffix(head, []byte("\n}"))); err != nil {
		return err
	}
	before, between := db.ID(0), "\n    "
	for {
		var lines []audit.Line
		err := e.db.View(ctx, func(tx *db.Tx) (err error) {
			lines, before, err = audit.Of(tx, db.ID(e.User.ID), before, exportPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, l := range lines {
			text, err := json.MarshalIndent(exportEvent{At: l.At, Event: l.Event, Network: l.Client.Prefix, Agent: l.Client.Agent}, "    ", "  ")
			if err != nil {
				return err
			}
			if _, err := io.WriteString(w, between+string(text)); err != nil {
				return err
			}
			between = ",\n    "
		}
		if before == 0 {
			_, err := io.WriteString(w, "\n  ]\n}\n")
			return err
		}
	}
}

// ExportOwn reads all data about the person, without the history, and records in the history
// that they did.
func (d *Directory) ExportOwn(ctx context.Context, own Owner) (e Export, err error) {
	var user accounts.UserID
	err = d.change(ctx, own, audit.Exported, func(_ *db.Tx, sess session.Session) error {
		user = sess.User.ID
		return nil
	})
	if err != nil {
		return e, err
	}
	return d.export(ctx, user)
}
