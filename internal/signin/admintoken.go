package signin

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// adminTokenRow is the row of meta that holds the hash of the first administrator's token
// and when it expires.
const (
	adminTokenRow  = "first_admin"
	adminTokenLife = time.Hour
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
			return tx.DropMeta(adminTokenRow)
		}
		t = seal.NewToken(int64(tx.NewID()))
		value := hex.EncodeToString(t.Hash()) + " " + strconv.FormatInt(tx.Now.Add(adminTokenLife).UnixMilli(), 10)
		return tx.SetMeta(adminTokenRow, value)
	})
	return t, needed, err
}

// useAdminToken uses the token up and reports true to one caller only, and to none while
// there is a superuser. It removes the row only with the value read: a restart may have
// stored another token meanwhile.
func useAdminToken(tx *db.Tx, hash []byte) (bool, error) {
	value, good, err := readAdminToken(tx, hash)
	if err != nil || !good {
		return false, err
	}
	if there, err := accounts.AnySuperuser(tx); err != nil || there {
		return false, err
	}
	return tx.TakeMeta(adminTokenRow, value)
}

// IsAdminToken reports whether text is the first administrator's token and is valid.
func (s *Service) IsAdminToken(ctx context.Context, text string) (ok bool, err error) {
	t, ok := seal.ParseToken(text)
	if !ok {
		return false, nil
	}
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		ok, err = matchesAdminToken(tx, t.Hash())
		return err
	})
	return ok, err
}

// matchesAdminToken reports whether hash is that of the valid token.
func matchesAdminToken(tx *db.Tx, hash []byte) (good bool, err error) {
	_, good, err = readAdminToken(tx, hash)
	return good, err
}

func readAdminToken(tx *db.Tx, hash []byte) (value string, good bool, err error) {
	value, err = tx.Meta(adminTokenRow)
	if err != nil || value == "" {
		return "", false, err
	}
	kept, until, _ := strings.Cut(value, " ")
	stored, err := hex.DecodeString(kept)
	if err != nil {
		return "", false, err
	}
	ends, err := strconv.ParseInt(until, 10, 64)
	return value, seal.Equal(stored, hash) && tx.Millis() < ends, err
}

// promote makes a user a superuser who signs in with the first administrator's token, or
// for the first time with an id that the settings name.
func (s *Service) promote(tx *db.Tx, t ticket, who accounts.AccountStatus) error {
	named := s.Settings.Admins[t.addr] && !who.Proved
	firstAdmin := false
	if len(t.adminHash) > 0 {
		var err error
		if firstAdmin, err = useAdminToken(tx, t.adminHash); err != nil {
			return err
		}
	}
	if !named && !firstAdmin {
		return nil
	}
	if err := tx.DropMeta(adminTokenRow); err != nil {
		return err
	}
	if err := accounts.SetSuperuser(tx, who.User, true); err != nil {
		return err
	}
	return audit.Write(tx, db.ID(who.User), audit.Person(db.ID(who.User)), audit.Promoted, audit.Client{})
}
