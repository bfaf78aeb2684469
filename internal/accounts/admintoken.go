package accounts

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// adminTokenRow is the row of meta that holds the hash of the first administrator's token
// and when it expires.
const (
	adminTokenRow  = "first_admin"
	adminTokenLife = time.Hour
)

// MakeAdminToken makes the token with which somebody becomes the first administrator. It
// replaces an older one.
func MakeAdminToken(tx *db.Tx) (seal.Token, error) {
	t := seal.NewToken(int64(tx.NewID()))
	value := hex.EncodeToString(t.Hash()) + " " + strconv.FormatInt(tx.Now.Add(adminTokenLife).UnixMilli(), 10)
	return t, tx.SetMeta(adminTokenRow, value)
}

// DropAdminToken removes the first administrator's token.
func DropAdminToken(tx *db.Tx) error { return tx.DropMeta(adminTokenRow) }

// UseAdminToken uses the token up and reports true to one caller only, and to none while
// there is a superuser. It removes the row only with the value read: a restart may have
// stored another token meanwhile.
func UseAdminToken(tx *db.Tx, hash []byte) (bool, error) {
	value, good, err := readAdminToken(tx, hash)
	if err != nil || !good {
		return false, err
	}
	if there, err := AnySuperuser(tx); err != nil || there {
		return false, err
	}
	return tx.TakeMeta(adminTokenRow, value)
}

// MatchesAdminToken reports whether hash is that of the valid token.
func MatchesAdminToken(tx *db.Tx, hash []byte) (good bool, err error) {
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
