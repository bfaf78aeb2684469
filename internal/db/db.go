// Package db opens djauthy's database, SQLite or PostgreSQL, brings it up to
// date, and runs transactions on it.
//
// Locks are taken in one order, or two transactions wait for each other: of tables
// attempts, accounts and users, authenticators, sessions and proofs, codes, services, budgets,
// outbox, and of several rows of one table in the order of their keys. Who claims rows in
// another order passes over those that are held (Tx.SkipLocked).
//
// It hides the engine, not the tables: every package above writes the SQL of
// the tables it owns, one text for both engines (numbered placeholders,
// RETURNING, ON CONFLICT, integers for times and truth). It does not know what
// any table means.
package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNotFound reports that a query for one row found none.
var ErrNotFound = errors.New("not found")

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	engine engine
	ids    idSource
	ready  readiness

	// Now is the clock that every transaction reads once. Tests own it.
	Now func() time.Time
	// Dropped is told why a part of Afterwards was not done.
	Dropped func(error)
	// Rehearse makes every part of an Update run twice, the first run rolled
	// back, so that tests notice a function that is not safe to run again.
	Rehearse bool
}

// engine is what differs between SQLite and PostgreSQL.
type engine interface {
	// view runs fn for reading; one says that fn runs a single query, which is
	// its own snapshot.
	view(ctx context.Context, one bool, fn func(conn) error) error
	// update runs parts one after the other; each is durable, whole or not
	// at all, when update returns.
	update(ctx context.Context, parts []job) error
	// ping reports whether the database answers.
	ping(ctx context.Context) error
	// exclusive runs fn in a transaction while no other process is in one of these.
	exclusive(ctx context.Context, fn func(conn) error) error
	// catalogue returns the queries for all columns and all foreign keys.
	catalogue() (columns, references string)
	// byBytes is the clause that orders texts by their bytes.
	byBytes() string
	// skipLocked is the clause that makes a claim pass over rows which
	// another process holds.
	skipLocked() string
	// forUpdate is the clause that keeps others off rows which are read to be changed.
	forUpdate() string
	name() string
	close() error
}

// job is one part of an Update as the engine sees it.
type job struct {
	readCommitted bool
	rehearse      bool
	run           func(context.Context, conn) error
	// dropped is told of its failure, which is then not that of the others; nil:
	// its failure ends the Update.
	dropped func(error)
}

// on is the job for one run on a connection.
func (j job) on(ctx context.Context) func(conn) error {
	return func(c conn) error { return j.run(ctx, c) }
}

// Open opens "sqlite:PATH" or a "postgres://" URL. The schema is not touched;
// see Migrate.
func Open(ctx context.Context, url string) (*DB, error) {
	d := &DB{Now: time.Now, Dropped: func(error) {}, ready: readiness{turn: make(chan struct{}, 1)}}
	var err error
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		d.engine, err = openSQLite(path)
	} else {
		d.engine, err = openPostgres(ctx, url)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return d, nil
}

// Close waits for transactions under way and closes the database.
func (d *DB) Close() error { return d.engine.close() }

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.engine.ping(ctx) }

// Engine is "sqlite" or "postgres".
func (d *DB) Engine() string { return d.engine.name() }

// BehindPooler reports that a connection pooler such as pgbouncer lies between here
// and PostgreSQL. Statements are then not prepared, which costs time.
func (d *DB) BehindPooler() bool {
	e, ok := d.engine.(*postgres)
	return ok && e.pooler
}

// View runs fn in a read-only transaction: all its reads see one moment.
func (d *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return d.engine.view(ctx, false, func(c conn) error { return fn(d.tx(ctx, c)) })
}

// Read is View for a single query, without the cost of a transaction around it. Several queries
// may see several moments.
func (d *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return d.engine.view(ctx, true, func(c conn) error { return fn(d.tx(ctx, c)) })
}

// A Part is one transaction of a Sequence.
type Part struct {
	readCommitted bool
	bestEffort    bool
	fn            func(*Tx) error
}

// Serializable is a part that sees the database as if it were alone on it
// (SERIALIZABLE on PostgreSQL).
func Serializable(fn func(*Tx) error) Part { return Part{fn: fn} }

// ReadCommitted is a part for what many do at once. On PostgreSQL it runs at READ
// COMMITTED, where callers queue for a row instead of failing, so each of its
// statements must be right by itself, or the rows it rests on be read with
// Tx.ForUpdate. A unique value that two take at once makes one of them run again.
func ReadCommitted(fn func(*Tx) error) Part { return Part{readCommitted: true, fn: fn} }

// Afterwards is a ReadCommitted part for what comes after the part that decides: its failure
// goes to DB.Dropped, and the caller is told what is true, that the deciding part is
// done.
func Afterwards(fn func(*Tx) error) Part { return Part{readCommitted: true, bestEffort: true, fn: fn} }

// Update runs fn in a transaction of its own and makes it durable before it
// returns nil. An error rolls everything back. fn may run more than once and
// must have no effect outside its Tx but assignments that a later run
// overwrites.
func (d *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	return d.Sequence(ctx, Serializable(fn))
}

// Sequence runs parts one after the other, each a transaction as in Update.
// What an earlier part did stays when a later one fails, so budgets are
// counted in the first part. On SQLite the whole sequence is durable with one
// fsync.
func (d *DB) Sequence(ctx context.Context, parts ...Part) error {
	jobs := make([]job, len(parts))
	for i, p := range parts {
		jobs[i] = job{readCommitted: p.readCommitted, rehearse: d.Rehearse, run: func(ctx context.Context, c conn) error { return p.fn(d.tx(ctx, c)) }}
		if p.bestEffort {
			jobs[i].dropped = d.Dropped
		}
	}
	return d.engine.update(ctx, jobs)
}

func (d *DB) tx(ctx context.Context, c conn) *Tx {
	return &Tx{ctx: ctx, conn: c, db: d, Now: d.Now().UTC().Truncate(time.Millisecond)}
}

// ServerTime is the clock of the database's machine, which for SQLite is this
// one.
func (d *DB) ServerTime(ctx context.Context) (time.Time, error) {
	if d.Engine() == "sqlite" {
		return time.Now(), nil
	}
	var millis int64
	err := d.View(ctx, func(tx *Tx) error {
		return tx.Get(`SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`).Scan(&millis)
	})
	return Time(millis), err
}
