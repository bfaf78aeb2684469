package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	sqlitelib "modernc.org/sqlite/lib"
)

const (
	// groupSize bounds how many waiting Updates share one fsync.
	groupSize = 256
	// A writer busy for longest without a pause leaves a gap, or another
	// process would never find the lock free.
	longest = 100 * time.Millisecond
	gap     = time.Millisecond
	// lockWait is how long an Update waits for another process that writes, from
	// when it was queued.
	lockWait = 10 * time.Second
)

var errClosed = errors.New("the database is closed")

// errGone reports that SQLite ended the transaction by itself.
var errGone = errors.New("transaction ended by the engine")

// writer owns the one connection that writes. It takes all Updates that wait, runs
// them in one transaction, and makes them durable with one fsync; only then does it
// answer. No timer: a lone Update is committed at once.
//
// It takes them only when it has the write lock. Until then they wait in the queue,
// where each can be taken back and is answered when it has waited for lockWait.
type writer struct {
	c        *liteConn
	queue    *queue
	lockWait time.Duration
	ended    chan struct{}
}

func startWriter(c *liteConn) *writer {
	w := &writer{c: c, queue: newQueue(), lockWait: lockWait, ended: make(chan struct{})}
	go w.loop()
	return w
}

// do queues parts and waits until they are durable. A context that ends before
// their turn takes them back; after that they run to their end.
func (w *writer) do(ctx context.Context, parts []job) error {
	r := &request{ctx: ctx, parts: parts, queued: time.Now(), done: make(chan struct{})}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.queue.add(r) {
		return errClosed
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if w.queue.withdraw(r) {
			return ctx.Err()
		}
		<-r.done
	}
	return r.err
}

// stop ends the writer after all that is queued.
func (w *writer) stop() {
	w.queue.close()
	<-w.ended
}

func (w *writer) loop() {
	defer close(w.ended)
	rested := time.Now()
	for {
		if w.queue.len() == 0 {
			rested = time.Now()
		} else if time.Since(rested) > longest {
			time.Sleep(gap)
			rested = time.Now()
		}
		if !w.queue.wait() {
			return
		}
		runtime.Gosched() // whoever is about to add an Update joins this commit
		if !w.lock() {
			continue
		}
		group := w.queue.take(groupSize)
		if len(group) == 0 { // all were taken back meanwhile
			_ = w.c.run("ROLLBACK")
			continue
		}
		w.commit(group)
		for _, r := range group {
			close(r.done)
		}
	}
}

// lock begins a transaction for what waits, for which another process may have to
// finish. It answers those for whom that takes too long, and is false when it has
// answered all.
func (w *writer) lock() bool {
	for {
		err := w.begin()
		if err == nil {
			return true
		}
		oldest := time.Now()
		if busy(err) {
			oldest = oldest.Add(-w.lockWait)
		}
		if !w.queue.refuse(oldest, fmt.Errorf("begin: %w", err)) {
			return false
		}
		pause()
	}
}

func (w *writer) begin() error { return w.c.run("BEGIN IMMEDIATE") }

// again begins a transaction anew for a group whose turn it is. It waits for the lock
// no longer than the oldest of the group would have. That it cannot be begun is
// nobody's fault and the answer to all of them.
func (w *writer) again(group []*request) bool {
	for end := group[0].queued.Add(w.lockWait); ; pause() {
		err := w.begin()
		if err == nil {
			return true
		}
		if busy(err) && time.Now().Before(end) {
			continue
		}
		for _, r := range group {
			r.err = fmt.Errorf("begin: %w", err)
		}
		return false
	}
}

// busy reports that another process holds the write lock.
func busy(err error) bool {
	var lite *liteError
	return errors.As(err, &lite) && lite.primary() == sqlitelib.SQLITE_BUSY
}

// pause is between two looks at the lock.
func pause() { time.Sleep(gap/4 + rand.N(gap/2)) } //nolint:gosec // jitter

// commit runs a group in the transaction that has begun. Members hardly ever fail, so
// the first run is without savepoints, which cost a copy of every page they guard. If
// something fails, nothing was acknowledged: the group runs again with each
// member under a savepoint; and when SQLite takes the transaction away (a full
// disk does that), each runs alone, and only the one at fault fails.
func (w *writer) commit(group []*request) {
	if !rehearsed(group) {
		if w.transact(group, w.runFast) == nil || !w.again(group) {
			return
		}
	}
	if w.transact(group, w.runIsolated) == nil || len(group) == 1 {
		return
	}
	for i, r := range group {
		if !w.again(group[i:]) {
			return
		}
		_ = w.transact([]*request{r}, w.runIsolated)
	}
}

func rehearsed(group []*request) bool {
	return slices.ContainsFunc(group, func(r *request) bool {
		return slices.ContainsFunc(r.parts, func(p job) bool { return p.rehearse })
	})
}

// transact runs the group's parts in the transaction that has begun, and commits. It
// returns an error, also left with each member, if the transaction as a whole failed.
func (w *writer) transact(group []*request, run func(*request) (whole error)) (err error) {
	defer func() {
		if err != nil {
			_ = w.c.run("ROLLBACK") // fails if SQLite has done it already
			for _, r := range group {
				r.err = err
			}
		}
	}()
	for _, r := range group {
		if r.err = r.ctx.Err(); r.err != nil {
			continue
		}
		if err := run(r); err != nil {
			return err
		}
	}
	if err := w.c.run("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// runFast runs a member; its failure is that of the whole.
func (w *writer) runFast(r *request) error {
	for _, p := range r.parts {
		if err := guard(p.on(context.Background()), w.c); err != nil {
			return err
		}
	}
	return nil
}

// runIsolated runs a member so that its failure is its own.
func (w *writer) runIsolated(r *request) error {
	if r.err = w.all(r.parts); errors.Is(r.err, errGone) {
		return r.err
	}
	return nil
}

// all runs the parts of one request under one savepoint. When one fails, the
// earlier ones, which have to stay, run again without it. One of Afterwards is passed
// over.
func (w *writer) all(parts []job) error {
	done, err := w.savepoint(parts)
	if err == nil || errors.Is(err, errGone) {
		return err
	}
	if done > 0 {
		if _, again := w.savepoint(parts[:done]); again != nil {
			return fmt.Errorf("%w: %w", errGone, errors.Join(err, again))
		}
	}
	if failed := parts[done]; failed.dropped != nil {
		failed.dropped(err)
		return w.all(parts[done+1:])
	}
	return err
}

// savepoint runs parts so that they can be undone without the rest of the
// group, and returns how many went well before one did not. The savepoint is
// made by the first statement; many parts have none.
func (w *writer) savepoint(parts []job) (done int, err error) {
	c := &partConn{w: w}
	for _, p := range parts {
		if p.rehearse {
			if err := w.rehearse(p, c); err != nil {
				return done, w.finish(c, err)
			}
		}
		if err := guard(p.on(context.Background()), c); err != nil || c.gone != nil {
			return done, w.finish(c, err)
		}
		done++
	}
	return done, w.finish(c, nil)
}

// rehearse runs a part and undoes it.
func (w *writer) rehearse(p job, c *partConn) error {
	if c.gone = w.c.run("SAVEPOINT rehearsal"); c.gone != nil {
		return c.gone
	}
	err := guard(p.on(context.Background()), w.c)
	c.gone = errors.Join(w.c.run("ROLLBACK TO rehearsal"), w.c.run("RELEASE rehearsal"))
	return errors.Join(err, c.gone)
}

// finish keeps what was done since the savepoint, or undoes it if err is set.
func (w *writer) finish(c *partConn, err error) error {
	if c.gone != nil {
		return fmt.Errorf("%w: %w", errGone, c.gone)
	}
	if !c.begun {
		return err
	}
	if err != nil {
		if back := w.c.run("ROLLBACK TO part"); back != nil {
			return fmt.Errorf("%w: %w", errGone, errors.Join(err, back))
		}
	}
	if rel := w.c.run("RELEASE part"); rel != nil {
		return fmt.Errorf("%w: %w", errGone, errors.Join(err, rel))
	}
	return err
}

// partConn is the writer's connection within one savepoint.
type partConn struct {
	w     *writer
	begun bool
	gone  error // why no savepoint could be made
}

func (p *partConn) begin() error {
	if p.begun {
		return nil
	}
	p.gone = p.w.c.run("SAVEPOINT part")
	p.begun = p.gone == nil
	return p.gone
}

func (p *partConn) exec(ctx context.Context, query string, args []any) (int64, error) {
	if err := p.begin(); err != nil {
		return 0, err
	}
	return p.w.c.exec(ctx, query, args)
}

func (p *partConn) query(ctx context.Context, query string, args []any) (rows, error) {
	if err := p.begin(); err != nil {
		return nil, err
	}
	return p.w.c.query(ctx, query, args)
}

// guard turns a panic into an error, for it must not end the writer.
func guard(fn func(conn) error, c conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(c)
}
