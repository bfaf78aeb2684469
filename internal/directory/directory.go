// Package directory holds the use cases on users: what people do to their own account,
// and what administrators do to anybody's, to rights, and to the keys that sign tokens. Each
// is one method and one transaction, with one permission check and one line of history.
//
// Pages and commands call it. It owns no table, signs nobody in, and knows neither HTTP nor
// what a command prints.
package directory

import (
	"context"
	"errors"
	"log/slog"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signkeys"
)

// Directory is the use cases on users.
type Directory struct {
	DB        *db.DB
	Sessions  *session.Store
	Services  *services.Service
	Keys      *signkeys.Ring
	Discovery accounts.Discovery
	Factors   multifactor.Server
	// Gate says whether a session may do something of its own person; nil: nothing.
	Gate     func(*db.Tx, session.Session, multifactor.Thing) (multifactor.Decision, error)
	Enrolled *multifactor.Enrolled
	// TriesPerID is how often the codes of a person's authenticators may be tried.
	TriesPerID config.Rates
	Notices    *delivery.Notices
	Outbox     *outbox.Outbox
	Log        *slog.Logger
}

// Actor is who requests a change of somebody else. The zero Actor may change nothing.
type Actor struct {
	who audit.Actor
	may bool
}

// Command is an administrator who runs a command on the server's machine. They may do
// everything: they could change the database itself.
func Command() Actor { return Actor{audit.Command, true} }

// ErrForbidden reports that the actor may not do this. Nothing was done.
var ErrForbidden = errors.New("this needs an administrator")

// Find returns a user by username, id, or any address, or db.ErrNotFound.
func (d *Directory) Find(ctx context.Context, text string) (u accounts.User, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		u, err = accounts.Lookup(tx, d.Discovery, text)
		return err
	})
	return u, err
}

// Person is a user with their addresses.
type Person struct {
	accounts.User
	Accounts []accounts.Account
}

func person(tx *db.Tx, id accounts.UserID) (p Person, err error) {
	if p.User, err = accounts.GetUser(tx, id); err != nil {
		return p, err
	}
	p.Accounts, err = accounts.Of(tx, id)
	return p, err
}

// Shown is what an administrator is shown of a user.
type Shown struct {
	Profile
	Groups []string
}

// Show returns a user, found as by Find, with their addresses, live sessions and groups.
func (d *Directory) Show(ctx context.Context, text string) (p Shown, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		u, err := accounts.Lookup(tx, d.Discovery, text)
		if err != nil {
			return err
		}
		if p.Profile, err = d.profile(tx, u.ID); err != nil {
			return err
		}
		p.Groups, err = accounts.GroupsOf(tx, u.ID)
		return err
	})
	return p, err
}

// List returns up to limit users whose id is above after, in the order in which they were
// made.
func (d *Directory) List(ctx context.Context, after accounts.UserID, limit int) (all []accounts.User, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		all, err = accounts.List(tx, after, limit)
		return err
	})
	return all, err
}
