package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"modernc.org/libc"
	_ "modernc.org/sqlite" // prepares the library for this machine
	sqlitelib "modernc.org/sqlite/lib"
)

// liteConn is one SQLite connection with the statements it has prepared. There
// are few texts, so the map stays small. It is used by one goroutine at a time.
//
// It calls SQLite's own functions: a sign-in has two dozen statements, and for each
// database/sql and its driver read the names and types of all columns, allocate memory
// for every value, and take locks that a connection of one owner does not need.
//
// Contexts are not handed to statements: one that ends in the middle of an
// INSERT makes SQLite end the whole transaction, and with it a whole group.
type liteConn struct {
	tls   *libc.TLS // the stack of SQLite's functions, which are translated from C
	db    uintptr   // the sqlite3 of this connection; 0: it could not be opened
	stmts map[string]*liteStmt
	kept  *kept // of a reader
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
	l := &liteConn{tls: libc.NewTLS(), stmts: map[string]*liteStmt{}}
	if err := l.open(path, pragmas); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open %s: %w", path, err), l.close())
	}
	if err := l.run("SELECT count(*) FROM sqlite_schema"); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read %s: %w", path, err), l.close())
	}
	return l, nil
}

// open connects without SQLite's own mutex (SQLITE_OPEN_NOMUTEX), for a connection
// has one owner.
func (l *liteConn) open(path string, pragmas []string) error {
	name, err := libc.CString(uri(path))
	if err != nil {
		return err
	}
	defer libc.Xfree(l.tls, name)
	out := l.tls.Alloc(pointerSize)
	defer l.tls.Free(pointerSize)
	rc := sqlitelib.Xsqlite3_open_v2(l.tls, name, out, sqlitelib.SQLITE_OPEN_READWRITE|sqlitelib.SQLITE_OPEN_CREATE|
		sqlitelib.SQLITE_OPEN_NOMUTEX|sqlitelib.SQLITE_OPEN_URI, 0)
	l.db = libc.AtomicLoadPUintptr(out) // set after an error, too, but for one of memory
	if rc != sqlitelib.SQLITE_OK {
		return l.error(rc)
	}
	sqlitelib.Xsqlite3_extended_result_codes(l.tls, l.db, 1)
	for _, p := range append(pragmasOfAll(), pragmas...) {
		if err := l.run("PRAGMA " + p); err != nil {
			return err
		}
	}
	return nil
}

// pointerSize is room for a pointer of any machine.
const pointerSize = 8

// exec runs a statement, or all of a text that has several without arguments, and
// returns how many rows the last of them changed.
func (l *liteConn) exec(ctx context.Context, query string, args []any) (int64, error) {
	s, rest, err := l.prepare(query)
	if err != nil || s == nil {
		return 0, err
	}
	if rest == "" {
		return s.exec(args)
	}
	_, err = s.exec(nil)
	if err := errors.Join(err, s.close()); err != nil {
		return 0, err
	}
	return l.exec(ctx, rest, args)
}

func (l *liteConn) query(_ context.Context, query string, args []any) (rows, error) {
	s, rest, err := l.prepare(query)
	if err != nil {
		return nil, err
	}
	if s == nil || rest != "" {
		return nil, errors.New("a query is one statement")
	}
	if err := s.bind(args); err != nil {
		return nil, err
	}
	return s, nil
}

// prepare returns the statement at the beginning of a text, nil if there are only
// comments, and the text behind it. A statement that is all of its text is kept.
func (l *liteConn) prepare(query string) (s *liteStmt, rest string, err error) {
	if s, ok := l.stmts[query]; ok {
		return s, "", nil
	}
	if s, rest, err = l.compile(query); err == nil && s != nil && rest == "" {
		l.stmts[query] = s
	}
	return s, rest, err
}

func (l *liteConn) compile(query string) (*liteStmt, string, error) {
	query = unnumbered(query)
	text, err := libc.CString(query)
	if err != nil {
		return nil, "", err
	}
	defer libc.Xfree(l.tls, text)
	out := l.tls.Alloc(2 * pointerSize)
	defer l.tls.Free(2 * pointerSize)
	tail := out + pointerSize
	rc := sqlitelib.Xsqlite3_prepare_v3(l.tls, l.db, text, int32(len(query)+1), sqlitelib.SQLITE_PREPARE_PERSISTENT, out, tail)
	if rc != sqlitelib.SQLITE_OK {
		return nil, "", l.error(rc)
	}
	handle := libc.AtomicLoadPUintptr(out)
	if handle == 0 {
		return nil, "", nil
	}
	s, err := newLiteStmt(l, handle)
	return s, strings.TrimSpace(query[libc.AtomicLoadPUintptr(tail)-text:]), err
}

// unnumbered writes $1, $2, … as ? where that means the same, for to SQLite $1
// is a name, and it compares each with all before it: hundreds of rows in one INSERT
// have thousands.
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

// run executes a statement without arguments or answer.
func (l *liteConn) run(query string) error {
	_, err := l.exec(context.Background(), query, nil)
	return err
}

// close may be called again.
func (l *liteConn) close() error {
	if l.tls == nil {
		return nil
	}
	var err error
	for _, s := range l.stmts {
		err = errors.Join(err, s.close())
	}
	if l.db != 0 {
		err = errors.Join(err, l.check(sqlitelib.Xsqlite3_close_v2(l.tls, l.db)))
	}
	l.tls.Close()
	l.tls = nil
	return err
}

// liteError is an error of SQLite.
type liteError struct {
	code int32 // extended: its lowest byte is the primary code
	text string
}

func (e *liteError) Error() string { return e.text }

// primary is the code without its details, such as SQLITE_IOERR.
func (e *liteError) primary() int32 { return e.code & 0xff }

func (l *liteConn) check(rc int32) error {
	if rc == sqlitelib.SQLITE_OK {
		return nil
	}
	return l.error(rc)
}

// error is the error of the last call, whose code is rc.
func (l *liteConn) error(rc int32) error {
	text := libc.GoString(sqlitelib.Xsqlite3_errstr(l.tls, rc))
	if l.db != 0 {
		if more := libc.GoString(sqlitelib.Xsqlite3_errmsg(l.tls, l.db)); more != text {
			text += ": " + more
		}
	}
	return &liteError{code: rc, text: fmt.Sprintf("%s (%d)", text, rc)}
}
