// Package signkeys owns the keys that sign tokens of OpenID Connect and OAuth: they are made,
// published as a JSON Web Key Set (RFC 7517), rotated and forgotten. Table signing_keys.
//
// For each algorithm there are one active key, which signs, and the next one, which is
// published alone, so that whoever verifies has it before it signs. A key that was active is
// old: it is published for as long as what it signed may be shown again, and its private part
// is gone.
//
// The package does not know what a token says or whom it is for.
package signkeys

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// Ring holds the keys of a site. Its methods may be called from any goroutine, but not within
// a transaction.
type Ring struct {
	db     *db.DB
	box    *seal.Box
	rotate time.Duration
	log    *slog.Logger
}

// New returns the ring of a database. A key signs for the time rotate, at least an hour.
func New(d *db.DB, keys *seal.Keys, rotate time.Duration, log *slog.Logger) *Ring {
	return &Ring{db: d, box: keys.Box("signing key"), rotate: rotate, log: log}
}

// List returns all keys: the active one, the next one, and old ones, the latest first. It makes
// none.
func (r *Ring) List(ctx context.Context) ([]Key, error) {
	rows, err := r.rows(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	all := make([]Key, len(rows))
	for i, x := range rows {
		all[i] = x.Key
	}
	return all, nil
}
