// Package store opens the database of a site together with the secret key that seals it,
// and says what to do where the two do not fit, or are missing.
//
// It makes neither where there should be one: a key made anew would open nothing of what
// is stored.
package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

// Store is an open database and the secret key that seals it.
type Store struct {
	DB    *db.DB
	Keys  *seal.Keys
	Steps []string // of migrating, that were taken when it was opened
}

// Opener opens the database and finds its key: Make or Expect.
type Opener func(ctx context.Context, c *config.Config) (Store, error)

// Where is how to tell djauthy which database is meant.
const Where = "the setting database, DJAUTHY_DATABASE, says where it is"

// Make makes the database and the key of a new site, and brings the schema up
// to date. It is for serve and migrate alone.
func Make(ctx context.Context, c *config.Config) (s Store, err error) {
	secret, missing := SecretKey(c) // once: the file may be a pipe
	if _, beside := KeyPath(c); missing != nil && (!beside || !errors.Is(missing, ErrNoKey)) {
		return s, ExplainKey(c, missing)
	}
	if s.DB, err = db.Open(ctx, c.Database); err != nil {
		return s, fmt.Errorf("%w (%s)", err, Where)
	}
	if missing != nil {
		secret, err = newKey(ctx, c, s.DB)
	}
	if err == nil {
		s.Keys, err = Fitting(ctx, c, s.DB, secret)
	}
	if err == nil {
		s.Steps, err = s.DB.Migrate(ctx)
	}
	if err == nil {
		err = rememberKey(ctx, s.DB, s.Keys)
	}
	return s.orClose(Explained(err))
}

// Expect opens a database that is there and up to date, and changes nothing.
func Expect(ctx context.Context, c *config.Config) (s Store, err error) {
	if s.DB, err = Existing(ctx, c); err != nil {
		return s, err
	}
	if err = upToDate(ctx, s.DB); err == nil {
		s.Keys, err = keyOf(ctx, c, s.DB)
	}
	return s.orClose(Explained(err))
}

func (s Store) orClose(err error) (Store, error) {
	if err != nil {
		return Store{}, errors.Join(err, s.DB.Close())
	}
	return s, nil
}

// Existing opens a database that is there already.
func Existing(ctx context.Context, c *config.Config) (*db.DB, error) {
	d, err := db.Existing(ctx, c.Database)
	switch {
	case errors.Is(err, db.ErrMissing):
		return nil, fmt.Errorf("%w: start the server once, or run `djauthy migrate`, to make it; if you mean another one, %s", err, Where)
	case err != nil:
		return nil, fmt.Errorf("%w (%s)", err, Where)
	}
	return d, nil
}

// upToDate refuses a database whose schema is another than this djauthy's.
func upToDate(ctx context.Context, d *db.DB) error {
	pending, err := d.Pending(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	all, err := db.Steps()
	if err != nil {
		return err
	}
	if len(pending) == len(all) {
		return fmt.Errorf("the database has no tables yet: start the server once, or run `djauthy migrate`, to make them; if you mean another one, %s", Where)
	}
	return errors.New("this database is older than this djauthy: run `djauthy migrate` (after `djauthy backup FILE`), or start the server")
}

// Explained adds to an error of package db what to do.
func Explained(err error) error {
	if errors.Is(err, db.ErrUnfinished) {
		return fmt.Errorf("%w: run that `djauthy restore` or `djauthy copy` again with --again, or begin with an empty database", err)
	}
	return err
}

// HasTables refuses a database without tables.
func HasTables(ctx context.Context, d *db.DB) error {
	taken, err := d.Taken(ctx)
	if err == nil && len(taken) == 0 {
		err = fmt.Errorf("the database has no tables yet, so there is nothing to back up or copy; if you mean another one, %s", Where)
	}
	return err
}

// SQLiteFile is the path of the SQLite file, "" for PostgreSQL.
func SQLiteFile(url string) string {
	path, lite := strings.CutPrefix(url, "sqlite:")
	if !lite {
		return ""
	}
	return whole(path)
}

// whole is a path that means the same in every folder.
func whole(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
