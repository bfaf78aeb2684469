package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

const (
	// poolSize bounds the connections of one process; PostgreSQL is fastest
	// with few, and its own limit is 100 by default.
	poolSize = 16
	maxTries = 20
)

type postgres struct {
	pool   *sql.DB
	closed atomic.Bool
}

func openPostgres(ctx context.Context, url string) (*postgres, error) {
	pool, err := sql.Open("pgx", url)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(poolSize)
	pool.SetMaxIdleConns(poolSize)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot reach PostgreSQL: %w", err), pool.Close())
	}
	return &postgres{pool: pool}, nil
}

func (e *postgres) view(ctx context.Context, one bool, fn func(conn) error) error {
	if e.closed.Load() {
		return errClosed
	}
	if one {
		return guard(fn, pgPool{e.pool})
	}
	tx, err := e.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer rollback(tx)
	return guard(fn, pgConn{tx})
}

// update retries a part that PostgreSQL could not serialize, with a growing
// random wait, so that two who ran into each other do not do so again.
func (e *postgres) update(ctx context.Context, parts []job) error {
	for _, p := range parts {
		if p.rehearse {
			if err := e.once(ctx, p, false); err != nil && !retryable(err) {
				return err
			}
		}
		for try := 1; ; try++ {
			err := e.once(ctx, p, true)
			if err == nil {
				break
			}
			if !retryable(err) || try == maxTries {
				return err
			}
			wait := time.Millisecond + rand.N(time.Duration(min(try, 8))*4*time.Millisecond) //nolint:gosec // jitter
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return errors.Join(ctx.Err(), err)
			}
		}
	}
	return nil
}

func (e *postgres) once(ctx context.Context, p job, keep bool) error {
	level := sql.LevelSerializable
	if p.shared {
		level = sql.LevelReadCommitted
	}
	if e.closed.Load() {
		return errClosed
	}
	tx, err := e.pool.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	defer rollback(tx)
	if err := guard(p.run, pgConn{tx}); err != nil || !keep {
		return err
	}
	return tx.Commit()
}

// rollback after a commit does nothing; after a lost connection there is
// nothing left to undo.
func rollback(tx *sql.Tx) { _ = tx.Rollback() }

// retryable reports a serialization failure, a deadlock, or a unique value that
// two transactions took at once: all end well when run again.
func retryable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01" || e.Code == "23505")
}

func (e *postgres) ping(ctx context.Context) error {
	if e.closed.Load() {
		return errClosed
	}
	return e.pool.PingContext(ctx)
}

func (e *postgres) skipLocked() string { return " FOR UPDATE SKIP LOCKED" }
func (e *postgres) lock() string       { return " FOR UPDATE" }
func (e *postgres) name() string       { return "postgres" }

func (e *postgres) close() error {
	e.closed.Store(true)
	return e.pool.Close()
}

type pgConn struct{ tx *sql.Tx }

func (c pgConn) exec(ctx context.Context, query string, args []any) (int64, error) {
	res, err := c.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c pgConn) query(ctx context.Context, query string, args []any) (rows, error) {
	return c.tx.QueryContext(ctx, query, args...)
}

// pgPool runs single queries on any connection.
type pgPool struct{ pool *sql.DB }

func (c pgPool) exec(context.Context, string, []any) (int64, error) {
	return 0, errors.New("db.Read is for reading")
}

func (c pgPool) query(ctx context.Context, query string, args []any) (rows, error) {
	return c.pool.QueryContext(ctx, query, args...)
}
