package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/store"
)

type migrateCmd struct {
	Pending bool `help:"Only say what would be done."`
}

// Run brings the database up to date. For a new site it makes the database and the secret
// key, as the server does when it starts.
func (m migrateCmd) Run(e *env) error {
	c, err := e.loadSettings()
	if err != nil {
		return err
	}
	work := migrate
	if m.Pending {
		work = pending
	}
	steps, err := work(e.ctx, c)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(map[string]any{"steps": nonNil(steps), "pending": m.Pending})
	}
	switch {
	case len(steps) == 0:
		_, err = fmt.Fprintln(e.stdout, "The database is up to date.")
	case m.Pending:
		_, err = fmt.Fprintln(e.stdout, "To be done:", strings.Join(steps, ", "))
	default:
		_, err = fmt.Fprintln(e.stdout, "Done:", strings.Join(steps, ", "))
	}
	return err
}

func migrate(ctx context.Context, c *config.Config) ([]string, error) {
	s, err := store.Make(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.Steps, s.DB.Close()
}

// pending is what migrate would do. Of a database that is not there it is all.
func pending(ctx context.Context, c *config.Config) (steps []string, err error) {
	d, err := db.Existing(ctx, c.Database)
	if errors.Is(err, db.ErrMissing) {
		return db.Steps()
	} else if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, store.Where)
	}
	steps, err = d.Pending(ctx)
	return steps, errors.Join(store.Explained(err), d.Close())
}
