package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// sqlite is one file with one writer and a pool of readers, which the writer
// never blocks (WAL).
type sqlite struct {
	writer *writer
	path   string
	turns  chan struct{} // holds one for each reader that is in use
	mu     sync.Mutex
	// idle readers. The one used last is lent first: it is likely to hold the pages
	// that are asked for, and those that load does not need stay small.
	idle []*liteConn
}

func openSQLite(path string) (*sqlite, error) {
	if err := readyFile(path); err != nil {
		return nil, err
	}
	// cache_size is in KiB of pages of 4 KB. A page takes 8 KB of memory, because with what
	// SQLite keeps of it it is just too large for the allocator's next smaller block: so this
	// is up to 4 MB, and a reader's cache 1 MB.
	w, err := lite(path, "cache_size(-2000)")
	if err != nil {
		return nil, err
	}
	// The writer waits for the lock by itself: SQLite's own wait grows to 100 ms
	// between looks, and would miss the gap that a busy writer leaves.
	if err := w.run("PRAGMA busy_timeout = 0"); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return &sqlite{path: path, writer: startWriter(w), turns: make(chan struct{}, max(4, 2*runtime.GOMAXPROCS(0)))}, nil
}

// reader takes an idle reader or opens another, after waiting if there are as
// many in use as may be.
func (e *sqlite) reader(ctx context.Context) (*liteConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case e.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-e.writer.ended:
		<-e.turns
		return nil, errClosed
	default:
	}
	if r := e.lend(); r != nil {
		return r, nil
	}
	r, err := lite(e.path, "cache_size(-500)", "query_only(1)")
	if err != nil {
		<-e.turns
		return nil, err
	}
	r.kept = &kept{all: map[Key]any{}}
	return r, nil
}

// lend takes an idle reader, if there is one.
func (e *sqlite) lend() *liteConn {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.idle) == 0 {
		return nil
	}
	last := len(e.idle) - 1
	r := e.idle[last]
	e.idle = e.idle[:last]
	return r
}

func (e *sqlite) giveBack(r *liteConn) {
	e.mu.Lock()
	e.idle = append(e.idle, r)
	e.mu.Unlock()
	<-e.turns
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

// uri is a path as SQLite takes it whatever its characters.
func uri(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// pragmasOfAll are the settings of every connection. A busy file is waited for from
// the first of them on.
func pragmasOfAll() []string {
	return []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"journal_size_limit(67108864)", "wal_autocheckpoint(4000)", "temp_store(memory)",
	}
}

// view is one transaction, as long as the rows of its first statement are open: that costs less
// than BEGIN and ROLLBACK. See Keep for what that statement is for.
func (e *sqlite) view(ctx context.Context, _ bool, fn func(conn) error) error {
	r, err := e.reader(ctx)
	if err != nil {
		return err
	}
	defer e.giveBack(r)
	state, err := r.query(ctx, "PRAGMA data_version", nil)
	if err != nil {
		return err
	}
	var changes int64
	if state.Next() {
		err = state.Scan(&changes)
	} else {
		err = cmp.Or(state.Err(), errors.New("SQLite does not say its data_version"))
	}
	if err == nil {
		r.kept.at(changes)
		err = guard(fn, r)
	}
	return errors.Join(err, state.Close())
}

func (e *sqlite) update(ctx context.Context, parts []job) error { return e.writer.do(ctx, parts) }

func (e *sqlite) ping(ctx context.Context) error {
	return e.view(ctx, true, func(c conn) error {
		_, err := c.exec(ctx, "SELECT 1", nil)
		return err
	})
}

func (e *sqlite) skipLocked() string { return "" }
func (e *sqlite) forUpdate() string  { return "" }
func (e *sqlite) name() string       { return "sqlite" }

// close waits for the updates that are queued and the views under way.
func (e *sqlite) close() error {
	e.writer.stop()
	for range cap(e.turns) { // whoever has its turn after these finds the writer ended
		e.turns <- struct{}{}
		defer func() { <-e.turns }()
	}
	var err error
	for r := e.lend(); r != nil; r = e.lend() {
		err = errors.Join(err, r.close())
	}
	return errors.Join(err, e.writer.c.close())
}
