package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite"
)

// liteConn is one SQLite connection with the statements it has prepared. There
// are few texts, so the map stays small. It is used by one goroutine at a time.
//
// It speaks with the driver itself: a sign-in has two dozen statements, and a
// connection of one owner needs none of the pool, locks and checks that
// database/sql has around each.
//
// Contexts are not handed to statements: one that ends in the middle of an
// INSERT makes SQLite end the whole transaction, and with it a whole group.
type liteConn struct {
	c     driver.Conn
	stmts map[string]liteStmt
	args  []driver.NamedValue // of the statement that is being bound
}

// liteStmt is what the driver's statements can do.
type liteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// lite opens a connection to a file and tries it. Of processes that open a new file
// together one switches it to WAL, and SQLite tells the others at once that it is
// busy, whatever its timeout: they try again.
func lite(path string, pragmas ...string) (*liteConn, error) {
	for end := time.Now().Add(lockWait); ; pause() {
		l, err := liteOnce(path, pragmas...)
		if !busy(err) || time.Now().After(end) {
			return l, err
		}
	}
}

func liteOnce(path string, pragmas ...string) (*liteConn, error) {
	c, err := (&sqlite3.Driver{}).Open(dsn(path, pragmas...))
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	l := &liteConn{c: c, stmts: map[string]liteStmt{}}
	if err := l.run("SELECT count(*) FROM sqlite_schema"); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read %s: %w", path, err), l.close())
	}
	return l, nil
}

func (l *liteConn) prepare(query string, args []any) (liteStmt, error) {
	s, ok := l.stmts[query]
	if !ok {
		prepared, err := l.c.Prepare(unnumbered(query))
		if err != nil {
			return nil, err
		}
		if s, ok = prepared.(liteStmt); !ok {
			return nil, fmt.Errorf("statement of type %T", prepared)
		}
		l.stmts[query] = s
	}
	l.args = l.args[:0]
	for i, arg := range args {
		v, err := value(arg)
		if err != nil {
			return nil, err
		}
		l.args = append(l.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s, nil
}

// unnumbered writes $1, $2, … as ? where that means the same, for to SQLite $1
// is a name, which the driver looks up for every value.
func unnumbered(query string) string {
	var b strings.Builder
	rest := query
	for n := 1; ; n++ {
		before, after, found := strings.Cut(rest, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		number := strconv.Itoa(n)
		if !strings.HasPrefix(after, number) {
			return query
		}
		if rest = after[len(number):]; rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return query
		}
		b.WriteByte('?')
	}
}

func (l *liteConn) exec(_ context.Context, query string, args []any) (int64, error) {
	s, err := l.prepare(query, args)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(context.Background(), l.args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (l *liteConn) query(_ context.Context, query string, args []any) (rows, error) {
	s, err := l.prepare(query, args)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(context.Background(), l.args)
	if err != nil {
		return nil, err
	}
	return &liteRows{r: r, values: make([]driver.Value, len(r.Columns()))}, nil
}

// run executes a statement without arguments or answer.
func (l *liteConn) run(query string) error {
	_, err := l.exec(context.Background(), query, nil)
	return err
}

func (l *liteConn) close() error {
	var err error
	for _, s := range l.stmts {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, l.c.Close())
}

// liteRows are the rows of a query.
type liteRows struct {
	r      driver.Rows
	values []driver.Value
	err    error
}

func (r *liteRows) Next() bool {
	if r.err == nil {
		r.err = r.r.Next(r.values)
	}
	return r.err == nil
}

func (r *liteRows) Err() error {
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

func (r *liteRows) Close() error { return r.r.Close() }

// Scan reads the row's columns into dest, as sql.Rows does for the types that
// tables have.
func (r *liteRows) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("%d columns for %d places", len(r.values), len(dest))
	}
	for i, d := range dest {
		if !assign(d, r.values[i]) {
			return fmt.Errorf("column %d: a %T does not fit into a %T", i+1, r.values[i], d)
		}
	}
	return nil
}
