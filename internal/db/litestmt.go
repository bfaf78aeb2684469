package db

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"modernc.org/libc"
	sqlitelib "modernc.org/sqlite/lib"
)

// liteStmt is a prepared statement, and the rows of its query while that runs. It is
// run again and again, but never while it runs already.
type liteStmt struct {
	l       *liteConn
	handle  uintptr // the sqlite3_stmt
	params  []liteParam
	running bool
	err     error // what ended the rows before their time
}

// liteParam is a placeholder and the memory for its texts and bytes, which SQLite
// reads until the statement is reset. The memory is kept for the next run.
type liteParam struct {
	arg  int // index of the argument
	mem  uintptr
	room int
}

func newLiteStmt(l *liteConn, handle uintptr) (*liteStmt, error) {
	s := &liteStmt{l: l, handle: handle, params: make([]liteParam, sqlitelib.Xsqlite3_bind_parameter_count(l.tls, handle))}
	for i := range s.params {
		s.params[i].arg = i
		name := libc.GoString(sqlitelib.Xsqlite3_bind_parameter_name(l.tls, handle, int32(i+1)))
		if name == "" { // a placeholder without a number
			continue
		}
		n, err := strconv.Atoi(name[1:])
		if err != nil || name[0] != '$' || n < 1 {
			return nil, errors.Join(fmt.Errorf("the placeholder %q is not of the form $1", name), s.close())
		}
		s.params[i].arg = n - 1
	}
	return s, nil
}

// exec runs the statement to its end and returns how many rows it changed.
func (s *liteStmt) exec(args []any) (int64, error) {
	if err := s.bind(args); err != nil {
		return 0, err
	}
	for s.Next() {
	}
	changed := int64(sqlitelib.Xsqlite3_changes(s.l.tls, s.l.db))
	if err := s.Close(); s.err == nil {
		s.err = err
	}
	return changed, s.err
}

// bind gives the placeholders their values and makes the statement ready to run.
func (s *liteStmt) bind(args []any) error {
	if s.running {
		return errors.New("the statement runs already")
	}
	for i := range s.params {
		p := &s.params[i]
		if p.arg >= len(args) {
			return fmt.Errorf("no argument for $%d", p.arg+1)
		}
		rc, err := s.bindValue(p, int32(i+1), args[p.arg])
		if err == nil {
			err = s.l.check(rc)
		}
		if err != nil {
			return err
		}
	}
	s.running, s.err = true, nil
	return nil
}

func (s *liteStmt) bindValue(p *liteParam, i int32, arg any) (rc int32, err error) {
	switch v := arg.(type) {
	case nil:
		return sqlitelib.Xsqlite3_bind_null(s.l.tls, s.handle, i), nil
	case int64:
		return s.bindInt(i, v), nil
	case ID:
		return s.bindInt(i, int64(v)), nil
	case int:
		return s.bindInt(i, int64(v)), nil
	case bool:
		return s.bindInt(i, Int(v)), nil
	case time.Time:
		return s.bindInt(i, millis(v)), nil
	case string:
		return s.bindText(p, i, v), nil
	case []byte:
		return s.bindBytes(p, i, v), nil
	}
	plain, err := value(arg)
	if err != nil {
		return 0, err
	}
	return s.bindValue(p, i, plain)
}

func (s *liteStmt) bindInt(i int32, v int64) int32 {
	return sqlitelib.Xsqlite3_bind_int64(s.l.tls, s.handle, i, v)
}

func (s *liteStmt) bindText(p *liteParam, i int32, v string) int32 {
	if !s.reserve(p, len(v)) {
		return sqlitelib.SQLITE_NOMEM
	}
	copy(libc.GoBytes(p.mem, len(v)), v)
	return sqlitelib.Xsqlite3_bind_text(s.l.tls, s.handle, i, p.mem, int32(len(v)), 0)
}

func (s *liteStmt) bindBytes(p *liteParam, i int32, v []byte) int32 {
	if v == nil {
		return sqlitelib.Xsqlite3_bind_null(s.l.tls, s.handle, i)
	}
	if !s.reserve(p, len(v)) {
		return sqlitelib.SQLITE_NOMEM
	}
	copy(libc.GoBytes(p.mem, len(v)), v)
	return sqlitelib.Xsqlite3_bind_blob(s.l.tls, s.handle, i, p.mem, int32(len(v)), 0)
}

// leastRoom is what a placeholder's memory has at least, so that it is seldom
// replaced.
const leastRoom = 64

// reserve makes room for n bytes, and for some if n is 0: to SQLite no memory is
// NULL. It reports false if there is no memory left.
func (s *liteStmt) reserve(p *liteParam, n int) bool {
	if p.room >= max(n, 1) {
		return true
	}
	sqlitelib.Xsqlite3_free(s.l.tls, p.mem)
	p.room = max(2*n, leastRoom)
	if p.mem = sqlitelib.Xsqlite3_malloc(s.l.tls, int32(p.room)); p.mem == 0 {
		p.room = 0
	}
	return p.mem != 0
}

func (s *liteStmt) close() error {
	rc := sqlitelib.Xsqlite3_finalize(s.l.tls, s.handle)
	for _, p := range s.params {
		sqlitelib.Xsqlite3_free(s.l.tls, p.mem)
	}
	return s.l.check(rc)
}

// Next goes to the next row and reports whether there is one.
func (s *liteStmt) Next() bool {
	if !s.running || s.err != nil {
		return false
	}
	switch rc := sqlitelib.Xsqlite3_step(s.l.tls, s.handle); rc {
	case sqlitelib.SQLITE_ROW:
		return true
	case sqlitelib.SQLITE_DONE:
	default:
		s.err = s.l.error(rc)
	}
	return false
}

func (s *liteStmt) Err() error { return s.err }

// Close ends the rows and makes the statement ready for its next run. SQLite says
// here once more why the rows ended before their time.
func (s *liteStmt) Close() error {
	s.running = false
	if rc := sqlitelib.Xsqlite3_reset(s.l.tls, s.handle); s.err == nil {
		return s.l.check(rc)
	}
	return nil
}

// Scan reads the row's columns into dest, as sql.Rows does for the types that
// tables have.
func (s *liteStmt) Scan(dest ...any) error {
	if n := int(sqlitelib.Xsqlite3_data_count(s.l.tls, s.handle)); n != len(dest) {
		return fmt.Errorf("%d columns for %d places", n, len(dest))
	}
	for i, d := range dest {
		if kind, ok := s.scan(int32(i), d); !ok {
			return fmt.Errorf("column %d: %s does not fit into a %T", i+1, kind, d)
		}
	}
	return nil
}

// scan reads a column into dest, and says what it is and whether it fits.
func (s *liteStmt) scan(i int32, dest any) (kind string, ok bool) {
	switch sqlitelib.Xsqlite3_column_type(s.l.tls, s.handle, i) {
	case sqlitelib.SQLITE_INTEGER:
		return "a number", assignInt(dest, sqlitelib.Xsqlite3_column_int64(s.l.tls, s.handle, i))
	case sqlitelib.SQLITE_TEXT:
		return "a text", assignText(dest, s.bytes(i))
	case sqlitelib.SQLITE_BLOB:
		if d, ok := dest.(*any); ok {
			*d = bytes.Clone(s.bytes(i))
			return "", true
		}
		return "bytes", assignText(dest, s.bytes(i))
	case sqlitelib.SQLITE_NULL:
		return "nothing", assignNothing(dest)
	}
	return "a fraction", false
}

// bytes are those of a text or of bytes, in SQLite's memory: they have to be copied
// before the statement goes on. A text is read as bytes, too, as SQLite would copy it
// to end it with a zero.
func (s *liteStmt) bytes(i int32) []byte {
	p := sqlitelib.Xsqlite3_column_blob(s.l.tls, s.handle, i)
	if p == 0 { // SQLite's form of no bytes
		return []byte{}
	}
	return libc.GoBytes(p, int(sqlitelib.Xsqlite3_column_bytes(s.l.tls, s.handle, i)))
}
