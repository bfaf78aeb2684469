package main

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

// store is an open database and the secret key that seals it.
type store struct {
	db    *db.DB
	keys  *seal.Keys
	steps []string // of migrating, that were taken when it was opened
}

// ready opens the database and finds its key.
type ready func(ctx context.Context, c *config.Config) (store, error)

// where is how to tell djauthy which database is meant.
const where = "the setting database, DJAUTHY_DATABASE, says where it is"

// makeReady makes the database and the key of a new site, and brings the schema up
// to date. It is for serve and migrate alone.
func makeReady(ctx context.Context, c *config.Config) (s store, err error) {
	secret, missing := secretKey(c) // once: the file may be a pipe
	if _, beside := keyPath(c); missing != nil && (!beside || !errors.Is(missing, errNoKey)) {
		return s, explainKey(c, missing)
	}
	if s.db, err = db.Open(ctx, c.Database); err != nil {
		return s, fmt.Errorf("%w (%s)", err, where)
	}
	if missing != nil {
		secret, err = newKey(ctx, c, s.db)
	}
	if err == nil {
		s.keys, err = fitting(ctx, c, s.db, secret)
	}
	if err == nil {
		s.steps, err = s.db.Migrate(ctx)
	}
	if err == nil {
		err = rememberKey(ctx, s.db, s.keys)
	}
	return s.orClose(explained(err))
}

// expectReady opens a database that is there and up to date, and changes nothing.
func expectReady(ctx context.Context, c *config.Config) (s store, err error) {
	if s.db, err = existing(ctx, c); err != nil {
		return s, err
	}
	if err = upToDate(ctx, s.db); err == nil {
		s.keys, err = keyOf(ctx, c, s.db)
	}
	return s.orClose(explained(err))
}

func (s store) orClose(err error) (store, error) {
	if err != nil {
		return store{}, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// existing opens a database that is there already.
func existing(ctx context.Context, c *config.Config) (*db.DB, error) {
	d, err := db.Existing(ctx, c.Database)
	switch {
	case errors.Is(err, db.ErrMissing):
		return nil, fmt.Errorf("%w: start the server once, or run `djauthy migrate`, to make it; if you mean another one, %s", err, where)
	case err != nil:
		return nil, fmt.Errorf("%w (%s)", err, where)
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
		return fmt.Errorf("the database has no tables yet: start the server once, or run `djauthy migrate`, to make them; if you mean another one, %s", where)
	}
	return errors.New("this database is older than this djauthy: run `djauthy migrate` (after `djauthy backup FILE`), or start the server")
}

// explained adds to an error of package db what to do.
func explained(err error) error {
	if errors.Is(err, db.ErrUnfinished) {
		return fmt.Errorf("%w: run that `djauthy restore` or `djauthy copy` again with --again, or begin with an empty database", err)
	}
	return err
}

// sqliteFile is the path of the SQLite file, "" for PostgreSQL.
func sqliteFile(url string) string {
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
