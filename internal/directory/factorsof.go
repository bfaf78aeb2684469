package directory

import (
	"context"
	"errors"
	"strconv"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

// FactorsOf returns the authenticators of a user, found as by Find, or Unknown.
func (d *Directory) FactorsOf(ctx context.Context, text string) (all []multifactor.Authenticator, err error) {
	err = d.DB.View(ctx, func(tx *db.Tx) error {
		u, err := d.findUser(tx, text)
		if err != nil {
			return err
		}
		all, err = multifactor.Authenticators(tx, u.ID)
		return err
	})
	return all, err
}

// RemoveFactorOf removes an authenticator of a user, found as by Find.
func (d *Directory) RemoveFactorOf(ctx context.Context, by Actor, text string, id db.ID) (u accounts.User, a multifactor.Authenticator, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		if u, err = d.findUser(tx, text); err != nil {
			return err
		}
		if a, err = removeFactor(tx, u.ID, id, 0); errors.Is(err, db.ErrNotFound) {
			return Unknown{"factor", strconv.FormatInt(int64(id), 10)}
		} else if err != nil {
			return err
		}
		return audit.Write(tx, db.ID(u.ID), by.who, audit.FactorRemoved, audit.Client{})
	})
	return u, a, err
}

// ErrInactive reports a user who cannot sign in, and so cannot open a link.
var ErrInactive = errors.New("the user cannot sign in")

// EnrolmentLink makes the one-time link under which a user, found as by Find, may enroll one
// factor without the level that is asked otherwise. It returns ErrInactive for who is
// deactivated.
func (d *Directory) EnrolmentLink(ctx context.Context, by Actor, text string) (u accounts.User, t seal.Token, err error) {
	err = d.administer(ctx, by, func(tx *db.Tx) error {
		if u, err = d.findUser(tx, text); err != nil {
			return err
		}
		if !u.Deactivated.IsZero() {
			return ErrInactive
		}
		if t, err = multifactor.MakeEnrolmentLink(tx, u.ID); err != nil {
			return err
		}
		return audit.Write(tx, db.ID(u.ID), by.who, audit.EnrolmentLinkMade, audit.Client{})
	})
	return u, t, err
}
