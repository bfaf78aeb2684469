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

// firstKey is the row of meta that holds the hash of the first administrator's
// token and until when it is good.
const (
	firstKey  = "first_admin"
	firstLife = time.Hour
)

// MakeFirst makes the token that lets its opener become the first
// administrator, in place of an older one. needed is false, and the older one
// goes, if there is a superuser or if settings name some.
func (s *Service) MakeFirst(ctx context.Context) (t seal.Token, needed bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		there, err := accounts.AnySuperuser(tx)
		if err != nil {
			return err
		}
		if needed = !there && len(s.Settings.Admins) == 0; !needed {
			return tx.DropMeta(firstKey)
		}
		t = seal.NewToken(int64(tx.NewID()))
		value := hex.EncodeToString(t.Hash()) + " " + strconv.FormatInt(tx.Now.Add(firstLife).UnixMilli(), 10)
		return tx.SetMeta(firstKey, value)
	})
	return t, needed, err
}

// takeFirst uses the token up: it is true for one caller, and for none while
// there is a superuser. The row is removed as it was read: a restart may have put a
// new token there meanwhile, which is not the caller's to use up.
func takeFirst(tx *db.Tx, hash []byte) (bool, error) {
	value, good, err := readFirst(tx, hash)
	if err != nil || !good {
		return false, err
	}
	if there, err := accounts.AnySuperuser(tx); err != nil || there {
		return false, err
	}
	return tx.TakeMeta(firstKey, value)
}

// First reports whether a token is good.
func (s *Service) First(ctx context.Context, text string) (ok bool, err error) {
	t, ok := seal.ParseToken(text)
	if !ok {
		return false, nil
	}
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		ok, err = firstIs(tx, t.Hash())
		return err
	})
	return ok, err
}

// firstIs reports whether hash is that of the token that is good now.
func firstIs(tx *db.Tx, hash []byte) (good bool, err error) {
	_, good, err = readFirst(tx, hash)
	return good, err
}

func readFirst(tx *db.Tx, hash []byte) (value string, good bool, err error) {
	value, err = tx.Meta(firstKey)
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

// promote makes a superuser of who signs in as first administrator, and of who
// is named in the settings and signs in for the first time.
func (s *Service) promote(tx *db.Tx, t ticket, who accounts.AccountStatus) error {
	named := s.Settings.Admins[t.addr] && !who.Proved
	first := false
	if len(t.firstHash) > 0 {
		var err error
		if first, err = takeFirst(tx, t.firstHash); err != nil {
			return err
		}
	}
	if !named && !first {
		return nil
	}
	if err := tx.DropMeta(firstKey); err != nil {
		return err
	}
	if err := accounts.SetSuperuser(tx, who.User, true); err != nil {
		return err
	}
	return audit.Write(tx, db.ID(who.User), audit.Person(db.ID(who.User)), audit.Promoted, audit.Client{})
}
