package signin

import (
	"context"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// MakeAdminToken makes the token with which somebody becomes the first administrator by
// signing in. It replaces an older one. If there is a superuser, or the settings name
// some, needed is false and the older token is removed.
func (s *Service) MakeAdminToken(ctx context.Context) (t seal.Token, needed bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		there, err := accounts.AnySuperuser(tx)
		if err != nil {
			return err
		}
		if needed = !there && len(s.Settings.Admins) == 0; !needed {
			return accounts.DropAdminToken(tx)
		}
		t, err = accounts.MakeAdminToken(tx)
		return err
	})
	return t, needed, err
}

// IsAdminToken reports whether text is the first administrator's token and is valid.
func (s *Service) IsAdminToken(ctx context.Context, text string) (ok bool, err error) {
	t, ok := seal.ParseToken(text)
	if !ok {
		return false, nil
	}
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		ok, err = accounts.MatchesAdminToken(tx, t.Hash())
		return err
	})
	return ok, err
}

// promote makes a user a superuser who signs in with the first administrator's token, or
// for the first time with an id that the settings name.
func (s *Service) promote(tx *db.Tx, t ticket, who accounts.AccountStatus) error {
	named := s.Settings.Admins[t.addr] && !who.Proved
	firstAdmin := false
	if len(t.adminHash) > 0 {
		var err error
		if firstAdmin, err = accounts.UseAdminToken(tx, t.adminHash); err != nil {
			return err
		}
	}
	if !named && !firstAdmin {
		return nil
	}
	if err := accounts.DropAdminToken(tx); err != nil {
		return err
	}
	if err := accounts.SetSuperuser(tx, who.User, true); err != nil {
		return err
	}
	return audit.Write(tx, db.ID(who.User), audit.Person(db.ID(who.User)), audit.Promoted, audit.Client{})
}
