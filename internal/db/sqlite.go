package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// sqlite is one file with one writer and a pool of readers, which the writer
// never blocks (WAL).
type sqlite struct {
	writer  *writer
	path    string
	readers chan *liteConn // idle ones
	mu      sync.Mutex
	opened  int // readers there are, idle or not
	closed  bool
}

func openSQLite(path string) (*sqlite, error) {
	if err := readyFile(path); err != nil {
		return nil, err
	}
	w, err := lite(path, "cache_size(-6000)")
	if err != nil {
		return nil, err
	}
	// The writer waits for the lock by itself: SQLite's own wait grows to 100 ms
	// between looks, and would miss the gap that a busy writer leaves.
	if err := w.run("PRAGMA busy_timeout = 0"); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return &sqlite{path: path, writer: startWriter(w), readers: make(chan *liteConn, max(4, 2*runtime.GOMAXPROCS(0)))}, nil
}

// reader takes an idle reader, opens another while there are few, or waits.
func (e *sqlite) reader(ctx context.Context) (*liteConn, error) {
	select {
	case <-e.writer.ended:
		return nil, errClosed
	case r := <-e.readers:
		return r, nil
	default:
	}
	if e.count(+1) {
		r, err := lite(e.path, "cache_size(-1000)", "query_only(1)")
		if err != nil {
			e.count(-1)
		}
		return r, err
	}
	select {
	case r := <-e.readers:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.writer.ended:
		return nil, errClosed
	}
}

// count counts one reader more or less, and reports whether there may be one
// more.
func (e *sqlite) count(by int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if by > 0 && (e.closed || e.opened+by > cap(e.readers)) {
		return false
	}
	e.opened += by
	return true
}

func (e *sqlite) left() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.opened
}

// readyFile makes the database's folder and file, for the owner alone, and
// says in plain words why that cannot be.
func readyFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder %s: %w", dir, reason(err))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the file %s: %w", path, reason(err))
	}
	if err := f.Close(); err != nil {
		return err
	}
	// WAL needs two files beside the first, so the folder has to be writable.
	probe, err := os.CreateTemp(dir, ".djauthy-*")
	if err != nil {
		return fmt.Errorf("cannot write in the folder %s: %w", dir, reason(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// reason drops the path from an error of package os.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"journal_size_limit(67108864)", "wal_autocheckpoint(4000)", "temp_store(memory)",
	}, pragmas...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (e *sqlite) view(ctx context.Context, one bool, fn func(conn) error) error {
	r, err := e.reader(ctx)
	if err != nil {
		return err
	}
	defer func() { e.readers <- r }()
	if one {
		return guard(fn, r)
	}
	if err := r.run("BEGIN"); err != nil {
		return err
	}
	err = guard(fn, r)
	return errors.Join(err, r.run("ROLLBACK"))
}

func (e *sqlite) update(ctx context.Context, parts []job) error { return e.writer.do(ctx, parts) }

func (e *sqlite) ping(ctx context.Context) error {
	return e.view(ctx, true, func(c conn) error {
		_, err := c.exec(ctx, "SELECT 1", nil)
		return err
	})
}

func (e *sqlite) skipLocked() string { return "" }
func (e *sqlite) lock() string       { return "" }
func (e *sqlite) name() string       { return "sqlite" }

// close waits for the updates that are queued and the views under way.
func (e *sqlite) close() error {
	e.writer.stop()
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	var err error
	for e.left() > 0 {
		select {
		case r := <-e.readers:
			err = errors.Join(err, r.close())
			e.count(-1)
		case <-time.After(10 * time.Millisecond): // one may have failed to open
		}
	}
	return errors.Join(err, e.writer.c.close())
}
