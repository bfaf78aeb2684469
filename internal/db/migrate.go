package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed migrations
var migrationFiles embed.FS

// ErrNewer reports that the database was written by a newer djauthy.
var ErrNewer = errors.New("this database was made by a newer djauthy; start that version, or restore the backup made before it")

// Migrate brings the schema up to date, all steps in one transaction under the
// engine's lock, so that processes that start together take turns. It returns
// the names of the steps it took.
func (d *DB) Migrate(ctx context.Context) (took []string, err error) {
	err = d.engine.exclusive(ctx, func(c conn) error {
		took, err = step(ctx, c, stepsOf(d.engine), true)
		return err
	})
	if err != nil {
		return nil, err
	}
	return took, nil
}

// Pending returns the names of the steps that Migrate would take. It only reads.
func (d *DB) Pending(ctx context.Context) (pending []string, err error) {
	err = d.engine.view(ctx, false, func(c conn) error {
		pending, err = step(ctx, c, stepsOf(d.engine), false)
		return err
	})
	return pending, err
}

// Steps returns the names of all steps, in their order.
func Steps() ([]string, error) { return migrationNames("migrations/sqlite") }

// stepsOf is the folder with an engine's steps.
func stepsOf(e engine) string { return "migrations/" + e.name() }

// exclusive needs no lock of its own: BEGIN IMMEDIATE lets one writer in at a time,
// also among processes.
func (e *sqlite) exclusive(ctx context.Context, fn func(conn) error) error {
	return e.writer.do(ctx, []job{{run: func(_ context.Context, c conn) error { return fn(c) }}})
}

// migrationLock is the advisory lock under which processes take turns: the
// letters "djauthy" as a number.
const migrationLock = 0x646a6175746879

func (e *postgres) exclusive(ctx context.Context, fn func(conn) error) error {
	tx, err := e.begin(ctx, nil)
	if err != nil {
		return err
	}
	defer rollback(tx)
	c := pgConn{tx}
	// Another process may take its time, and so may a step.
	if _, err := tx.ExecContext(ctx, `SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0`); err != nil {
		return err
	}
	if _, err := c.exec(ctx, `SELECT pg_advisory_xact_lock($1)`, []any{int64(migrationLock)}); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	return tx.Commit()
}

// makeStepsTable makes the record of the steps taken.
const makeStepsTable = `CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)`

// step finds the migrations of dir that are not recorded yet and, if up, takes
// them in the order of their names.
func step(ctx context.Context, c conn, dir string, up bool) (pending []string, err error) {
	if up {
		if _, err := c.exec(ctx, makeStepsTable, nil); err != nil {
			return nil, err
		}
	}
	done, err := recorded(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	if err := known(done, dir); err != nil {
		return nil, err
	}
	names, err := migrationNames(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if slices.Contains(done, name) {
			continue
		}
		pending = append(pending, name)
		if !up {
			continue
		}
		if err := apply(ctx, c, dir, name); err != nil {
			return nil, fmt.Errorf("migrate %s: %w", name, err)
		}
	}
	return pending, nil
}

// known refuses a database with steps that this djauthy does not have.
func known(done []string, dir string) error {
	names, err := migrationNames(dir)
	if err != nil {
		return err
	}
	for _, name := range done {
		switch {
		case name == unfinished:
			return ErrUnfinished
		case !slices.Contains(names, name):
			return fmt.Errorf("%w (it has the step %s)", ErrNewer, name)
		}
	}
	return nil
}

func migrationNames(dir string) (names []string, err error) {
	files, err := fs.ReadDir(migrationFiles, dir)
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".sql"))
	}
	return names, err
}

// recorded returns the names of the steps taken so far.
func recorded(ctx context.Context, c conn, dir string) ([]string, error) {
	there := `SELECT name FROM sqlite_schema WHERE name = 'migrations'`
	if strings.HasSuffix(dir, "postgres") {
		there = `SELECT table_name FROM information_schema.tables WHERE table_name = 'migrations' AND table_schema = current_schema()`
	}
	if found, err := texts(ctx, c, there); err != nil || len(found) == 0 {
		return nil, err
	}
	return texts(ctx, c, `SELECT name FROM migrations ORDER BY name`)
}

func texts(ctx context.Context, c conn, query string) (all []string, err error) {
	found, err := c.query(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Err(), found.Close()) }()
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// apply takes a step and records it.
func apply(ctx context.Context, c conn, dir, name string) error {
	if err := takeStep(ctx, c, dir, name); err != nil {
		return err
	}
	return record(ctx, c, name, time.Now().UnixMilli())
}

func takeStep(ctx context.Context, c conn, dir, name string) error {
	text, err := fs.ReadFile(migrationFiles, path.Join(dir, name+".sql"))
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(string(text), ";\n") {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		if _, err := c.exec(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

// record writes down that a step was taken.
func record(ctx context.Context, c conn, name string, at int64) error {
	_, err := c.exec(ctx, `INSERT INTO migrations (name, applied_at) VALUES ($1, $2)`, []any{name, at})
	return err
}
