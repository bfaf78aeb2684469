package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// poolSize bounds the connections of one process; PostgreSQL is fastest
	// with few, and its own limit is 100 by default.
	poolSize = 16
	maxTries = 20
)

// limits are how long a transaction may hold others up, in milliseconds. A process
// that is frozen while it holds a row lets it go when the server ends its session; who
// waits for the row gives up before that and tries again. A URL may set others.
var limits = map[string]string{
	"idle_in_transaction_session_timeout": "5000",
	"lock_timeout":                        "4000",
	"statement_timeout":                   "30000",
}

type postgres struct {
	pool *sql.DB
	// pooler says that a connection is not to one server process: a pooler such
	// as pgbouncer hands each transaction to another. Nothing may be kept there
	// between two of them, neither a prepared statement nor a setting.
	pooler bool
	// local sets limits for one transaction, behind a pooler.
	local  string
	closed atomic.Bool
}

func openPostgres(ctx context.Context, url string) (*postgres, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	// A pooler takes no limits at the start of a session.
	own := maps.Clone(limits)
	for name := range limits {
		if value, set := cfg.RuntimeParams[name]; set {
			own[name] = value
			delete(cfg.RuntimeParams, name)
		}
	}
	e := &postgres{}
	if e.pooler, err = behindPooler(ctx, cfg); err != nil {
		return nil, fmt.Errorf("cannot reach PostgreSQL: %w", err)
	}
	if e.pooler {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
		e.local = setLocal(own)
	} else {
		maps.Copy(cfg.RuntimeParams, own)
	}
	e.pool = stdlib.OpenDB(*cfg)
	e.pool.SetMaxOpenConns(poolSize)
	e.pool.SetMaxIdleConns(poolSize)
	e.pool.SetConnMaxIdleTime(5 * time.Minute)
	return e, nil
}

// setLocal is the statements that set limits for one transaction.
func setLocal(limits map[string]string) string {
	var text strings.Builder
	for name, value := range limits {
		text.WriteString("SET LOCAL " + name + " = '" + strings.ReplaceAll(value, "'", "''") + "';")
	}
	return text.String()
}

// behindPooler reports whether something between here and PostgreSQL answers in its
// name: the process that it says it is, is then not the one that runs a query.
func behindPooler(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	var pid uint32
	err = c.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid != c.PgConn().PID(), err
}

// begin begins a transaction within limits.
func (e *postgres) begin(ctx context.Context, o *sql.TxOptions) (*sql.Tx, error) {
	if e.closed.Load() {
		return nil, errClosed
	}
	tx, err := e.pool.BeginTx(ctx, o)
	if err != nil || !e.pooler {
		return tx, err
	}
	if _, err := tx.ExecContext(ctx, e.local); err != nil {
		rollback(tx)
		return nil, err
	}
	return tx, nil
}

func (e *postgres) view(ctx context.Context, one bool, fn func(conn) error) error {
	if one && !e.closed.Load() {
		return guard(fn, pgPool{e.pool})
	}
	tx, err := e.begin(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer rollback(tx)
	return guard(fn, pgConn{tx})
}

func (e *postgres) update(ctx context.Context, parts []job) error {
	for _, p := range parts {
		if err := e.part(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// afterwardsFor is what a part has that comes after the deciding one, whatever is left
// of the caller's time.
const afterwardsFor = 5 * time.Second

func (e *postgres) part(ctx context.Context, p job) error {
	if p.dropped == nil {
		return e.retried(ctx, p)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwardsFor)
	defer cancel()
	if err := e.retried(ctx, p); err != nil {
		p.dropped(err)
	}
	return nil
}

// retried runs a part, and again while PostgreSQL could not serialize it, with a
// growing random wait, so that two who ran into each other do not do so again.
func (e *postgres) retried(ctx context.Context, p job) error {
	if p.rehearse {
		if err := e.once(ctx, p, false); err != nil && !retryable(err) {
			return err
		}
	}
	for try := 1; ; try++ {
		err := e.once(ctx, p, true)
		if err == nil || !retryable(err) || try == maxTries {
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

func (e *postgres) once(ctx context.Context, p job, keep bool) error {
	level := sql.LevelSerializable
	if p.readCommitted {
		level = sql.LevelReadCommitted
	}
	tx, err := e.begin(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	defer rollback(tx)
	if err := guard(p.on(ctx), pgConn{tx}); err != nil || !keep {
		return err
	}
	return tx.Commit()
}

// rollback after a commit does nothing; after a lost connection there is
// nothing left to undo.
func rollback(tx *sql.Tx) { _ = tx.Rollback() }

// retryable reports what ends well when run again: a serialization failure, a
// deadlock, a unique value that two transactions took at once, a row that another one
// held for too long, and a transaction that the server ended since this process stood
// still.
func retryable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains([]string{"40001", "40P01", "23505", "55P03", "25P03"}, e.Code)
}

func (e *postgres) ping(ctx context.Context) error {
	if e.closed.Load() {
		return errClosed
	}
	return e.pool.PingContext(ctx)
}

func (e *postgres) skipLocked() string { return " FOR UPDATE SKIP LOCKED" }
func (e *postgres) forUpdate() string  { return " FOR UPDATE" }
func (e *postgres) name() string       { return "postgres" }

func (e *postgres) close() error {
	e.closed.Store(true)
	return e.pool.Close()
}

type pgConn struct{ tx *sql.Tx }

func (c pgConn) exec(ctx context.Context, query string, args []any) (int64, error) {
	args, err := values(args)
	if err != nil {
		return 0, err
	}
	res, err := c.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c pgConn) query(ctx context.Context, query string, args []any) (rows, error) {
	args, err := values(args)
	if err != nil {
		return nil, err
	}
	r, err := c.tx.QueryContext(ctx, query, args...)
	return pgRows{r}, err
}

// pgPool runs single queries on any connection.
type pgPool struct{ pool *sql.DB }

func (c pgPool) exec(context.Context, string, []any) (int64, error) {
	return 0, errors.New("db.Read is for reading")
}

func (c pgPool) query(ctx context.Context, query string, args []any) (rows, error) {
	args, err := values(args)
	if err != nil {
		return nil, err
	}
	r, err := c.pool.QueryContext(ctx, query, args...)
	return pgRows{r}, err
}

// pgRows are rows whose integers can be scanned into times.
type pgRows struct{ *sql.Rows }

func (r pgRows) Scan(dest ...any) error {
	for i, d := range dest {
		if t, ok := d.(*time.Time); ok {
			dest[i] = storedTime{t}
		}
	}
	return r.Rows.Scan(dest...)
}

// storedTime is a time that is stored in milliseconds, for database/sql.
type storedTime struct{ t *time.Time }

func (s storedTime) Scan(column any) error {
	millis, ok := column.(int64)
	if !ok {
		return fmt.Errorf("a %T is no time in milliseconds", column)
	}
	*s.t = Time(millis)
	return nil
}

// values are arguments as plain types, by which the driver tells PostgreSQL their
// types where it has not prepared the statement.
func values(args []any) ([]any, error) {
	plain := make([]any, len(args))
	for i, arg := range args {
		v, err := value(arg)
		if err != nil {
			return nil, err
		}
		plain[i] = v
	}
	return plain, nil
}
