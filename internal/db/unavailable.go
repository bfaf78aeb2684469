package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitelib "modernc.org/sqlite/lib"
)

// Unavailable reports whether an error says that the database cannot serve at
// the moment: full, read-only, locked, broken, or gone. Nothing was done, and
// trying again later may help.
func Unavailable(err error) bool {
	var lite *liteError
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case err == nil || errors.Is(err, ErrNotFound):
		return false
	case errors.As(err, &lite):
		switch lite.primary() {
		case sqlitelib.SQLITE_FULL, sqlitelib.SQLITE_IOERR, sqlitelib.SQLITE_READONLY, sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED,
			sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_CORRUPT, sqlitelib.SQLITE_NOTADB, sqlitelib.SQLITE_NOMEM, sqlitelib.SQLITE_PERM:
			return true
		}
		return false
	case errors.As(err, &pg):
		// Classes 08, 53, 57 and 58: connection, resources, operator, system;
		// 40: still conflicting after all retries; 25006: read-only; 25P03 and 55P03:
		// a transaction that stood still, and a row that stayed locked.
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53") || strings.HasPrefix(pg.Code, "57") ||
			strings.HasPrefix(pg.Code, "58") || strings.HasPrefix(pg.Code, "40") ||
			pg.Code == "25006" || pg.Code == "25P03" || pg.Code == "55P03"
	case errors.As(err, &connect), errors.As(err, &network), pgconn.SafeToRetry(err):
		return true
	}
	return errors.Is(err, errClosed) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}
