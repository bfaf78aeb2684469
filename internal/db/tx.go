package db

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Tx is a transaction in progress. It carries the one time at which all its
// reads and writes are taken to happen. It is for one goroutine and ends with
// the function it was handed to.
type Tx struct {
	ctx  context.Context
	conn conn
	db   *DB
	// failed is the first error of a statement. After it none runs: the engine
	// may have ended the transaction, and the rest would stand alone.
	failed error

	// Now is the time of this transaction, UTC, whole milliseconds.
	Now time.Time
}

// conn is a database connection inside a transaction.
type conn interface {
	// exec returns how many rows it changed.
	exec(ctx context.Context, query string, args []any) (int64, error)
	query(ctx context.Context, query string, args []any) (rows, error)
}

// rows are what a query found, as in database/sql.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// NewID returns an ID for a row made now.
func (tx *Tx) NewID() ID { return tx.db.ids.next(tx.Now) }

// Millis is Now in unix milliseconds, the form in which times are stored.
func (tx *Tx) Millis() int64 { return tx.Now.UnixMilli() }

// SkipLocked is the clause that ends the SELECT of a claim, so that two
// processes never wait for each other's rows. It is empty on SQLite.
func (tx *Tx) SkipLocked() string { return tx.db.engine.skipLocked() }

// ForUpdate is the clause that ends a SELECT in a ReadCommitted part whose rows nobody else
// may change until it ends. It is empty on SQLite, where there is one writer.
func (tx *Tx) ForUpdate() string { return tx.db.engine.forUpdate() }

// Unhurried lifts the limits on how long a statement and a pause may take, for a
// transaction that reads all there is. It holds no row that others need.
func (tx *Tx) Unhurried() error {
	if tx.db.Engine() == "sqlite" {
		return nil
	}
	for name := range limits {
		if _, err := tx.Exec(`SET LOCAL ` + name + ` = 0`); err != nil {
			return err
		}
	}
	return nil
}

// Exec runs one statement and returns how many rows it changed.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	if tx.failed != nil {
		return 0, tx.failed
	}
	n, err := tx.conn.exec(tx.ctx, query, args)
	if err != nil {
		return 0, tx.fail(err, query)
	}
	return n, nil
}

func (tx *Tx) query(query string, args []any) (rows, error) {
	if tx.failed != nil {
		return nil, tx.failed
	}
	found, err := tx.conn.query(tx.ctx, query, args)
	if err != nil {
		return nil, tx.fail(err, query)
	}
	return found, nil
}

func (tx *Tx) fail(err error, query string) error {
	tx.failed = fmt.Errorf("%.60s…: %w", query, err)
	return tx.failed
}

// Row is the answer to a query for one row.
type Row struct {
	tx    *Tx
	rows  rows
	err   error
	query string
}

// Get runs a query for one row.
func (tx *Tx) Get(query string, args ...any) Row {
	found, err := tx.query(query, args)
	return Row{tx, found, err, query}
}

// Scan reads the row's columns into dest. It returns ErrNotFound if there is
// no row.
func (r Row) Scan(dest ...any) (err error) {
	if r.err != nil {
		return r.err
	}
	defer func() { err = errors.Join(err, r.rows.Close()) }()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return r.tx.fail(err, r.query)
		}
		return ErrNotFound
	}
	return r.rows.Scan(dest...)
}

// Each calls fn with a scan function for every row of the query.
func (tx *Tx) Each(fn func(scan func(...any) error) error, query string, args ...any) (err error) {
	found, err := tx.query(query, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		if err := fn(found.Scan); err != nil {
			return err
		}
	}
	if err := found.Err(); err != nil {
		return tx.fail(err, query)
	}
	return nil
}

// Scan reads the columns of one row into dest: integers, texts, bytes, booleans and
// times, as tables have them.
type Scan func(dest ...any) error

// All returns what scan makes of every row of a query, in its order.
func All[T any](tx *Tx, scan func(*T, Scan) error, query string, args ...any) (all []T, err error) {
	err = tx.Each(func(columns func(...any) error) error {
		var row T
		err := scan(&row, columns)
		all = append(all, row)
		return err
	}, query, args...)
	return all, err
}

// One is the scan function of All for queries with a single column.
func One[T any](value *T, scan Scan) error { return scan(value) }

// Time turns stored milliseconds into a time; 0 is the zero time. Scanning into a
// *time.Time does so by itself.
func Time(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// millis is a time as it is stored; a time.Time among the arguments of a query is
// stored so by itself.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Int is a boolean as it is stored: 1 or 0.
func Int(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
