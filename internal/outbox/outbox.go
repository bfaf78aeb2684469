// Package outbox owns the queue of what must leave the house: messages to people and,
// later, notices to apps. Table outbox.
//
// A job is queued in the transaction that is its cause and done afterwards by the
// outbox's workers, so that a crash makes it late or doubled and never lost. The package
// does not know what a job says or how it is sent: a Handler for each kind does.
package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
)

const (
	// lease is how long a claim holds: a job whose process died is taken up by another
	// after that. While a job is being done its lease is renewed, so it may last much
	// longer.
	lease = 30 * time.Second
	// finishLimit is what a job under way has when the outbox stops.
	finishLimit = 5 * time.Second
	pollEvery   = time.Second
	// linger is how long outcomes wait for more of them, so that the answer to a
	// code, which comes now, need not wait for their commit.
	linger = 20 * time.Millisecond
	// backlog bounds what waits in memory; the rest waits in the table.
	backlog = 256
	// dueLimit is further ahead than due_at is ever set. A row that is due later was
	// written while the clock was wrong, and counts as due now.
	dueLimit = 6 * time.Minute
)

// Outbox queues jobs and has them done.
type Outbox struct {
	db       *db.DB
	box      *seal.Box
	handlers map[string]Handler
	log      *slog.Logger
	stats    Stats

	// FinishFor is what jobs under way have when the outbox stops.
	FinishFor time.Duration

	ready  chan Queued
	done   chan outcome
	slots  *slots
	flight *flight
	health health
	usual  usual

	renewEvery time.Duration
	slowAfter  time.Duration
}

// Stats counts what became of jobs, for metrics.
type Stats interface {
	Sent(kind string, took time.Duration)
	Failed(kind string, permanent bool)
}

// New returns an outbox that is not running yet. handlers are by the kind of their jobs.
func New(d *db.DB, keys *seal.Keys, handlers map[string]Handler, stats Stats, log *slog.Logger) *Outbox {
	return &Outbox{
		db: d, box: keys.Box("outbox"), handlers: handlers, log: log, stats: stats,
		ready: make(chan Queued, backlog), done: make(chan outcome, backlog), slots: newSlots(), flight: newFlight(), health: newHealth(),
		renewEvery: lease / 4, slowAfter: slowAfter, FinishFor: finishLimit,
	}
}

// Queued is a job that this process has claimed.
type Queued struct {
	job       Job
	leaseEnds time.Time
	tries     int
	bad       error // why the row cannot be read
}

// Enqueue queues a job in tx, already claimed by this process: call Deliver with the
// result once tx is durable. A mute job takes the same room and work but is never done.
func (o *Outbox) Enqueue(tx *db.Tx, j Job, mute bool) (Queued, error) {
	j.ID = tx.NewID()
	q := Queued{job: j, leaseEnds: tx.Now.Add(lease), tries: 1}
	payload, err := json.Marshal(j.Payload)
	if err != nil {
		return q, err
	}
	is := waiting
	if mute {
		is = silent
	}
	_, err = tx.Exec(`INSERT INTO outbox (id, channel, recipient, sealed, not_after, due_at, tries, state, leased) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, 1)`,
		j.ID, j.Kind, j.Recipient, o.box.Seal(payload, db.Bytes(j.ID)), j.NotAfter, q.leaseEnds, int64(is))
	if mute {
		q = Queued{}
	}
	return q, err
}

// Deliver has a queued job done soon. If too many wait already, it is left in the table
// until its lease ends.
func (o *Outbox) Deliver(q Queued) {
	if q.job.ID == 0 {
		return
	}
	select {
	case o.ready <- q:
	default:
	}
}

// Run does jobs until ctx ends. Then it takes no more: those not begun are released for
// other processes at once, and those under way have a moment to be finished.
func (o *Outbox) Run(ctx context.Context) error {
	var working, helping sync.WaitGroup
	under, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(o.FinishFor, cut) })()
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRenewing()
	helping.Go(o.record)
	helping.Go(func() { o.renew(renewing) })
	polled := make(chan []Queued, 1)
	go func() { polled <- o.poll(ctx) }()
	left := o.dispatch(ctx, under, &working)
	o.release(append(left, <-polled...))
	working.Wait()
	o.release(nil) // what came in meanwhile
	stopRenewing()
	close(o.done)
	helping.Wait()
	return nil
}

// dispatch begins jobs that are ready, as long as there is a slot, and returns those that
// it took and did not begin.
func (o *Outbox) dispatch(ctx, under context.Context, working *sync.WaitGroup) (left []Queued) {
	for {
		q, ok := o.next(ctx)
		if ctx.Err() != nil {
			left = o.slots.clear()
			if ok {
				left = append(left, q)
			}
			return left
		}
		if !ok {
			continue
		}
		slot, ok := o.slots.take(ctx, q.job.Lane)
		if !ok {
			return append(o.slots.clear(), q)
		}
		o.flight.add(q.job.ID)
		working.Go(func() {
			defer slot.leave()
			o.work(under, q, slot)
		})
	}
}

// next waits for a job that is ready or parked, and reports whether it may be begun. The
// lease of a parked job is renewed; one that finds no room stays in the table until its
// lease ends.
func (o *Outbox) next(ctx context.Context) (q Queued, ok bool) {
	select {
	case <-ctx.Done():
	case q = <-o.ready:
		now, parked := o.slots.admit(q)
		if parked {
			o.flight.add(q.job.ID)
		}
		return q, now
	case <-o.slots.freed:
		q, ok = o.slots.next()
		q.leaseEnds = o.db.Now().Add(lease)
	}
	return q, ok
}

// poll claims jobs that are due: after a failure, after a crash, from other machines.
// It returns those that it has claimed and could not hand on.
func (o *Outbox) poll(ctx context.Context) (left []Queued) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		due, err := o.claim(ctx)
		if err != nil && ctx.Err() == nil {
			o.log.Error("outbox: cannot look for messages", "err", err)
		}
		for i, q := range due {
			select {
			case o.ready <- q:
			case <-ctx.Done():
				return due[i:]
			}
		}
		if len(due) == claimSize {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// release gives up the claims of jobs that nobody has begun, those given and all that
// are ready, so that another process need not wait for the end of the lease.
func (o *Outbox) release(left []Queued) {
	for len(o.ready) > 0 {
		left = append(left, <-o.ready)
	}
	if len(left) == 0 {
		return
	}
	slices.SortFunc(left, byID)
	ctx, cancel := context.WithTimeout(context.Background(), finishLimit)
	defer cancel()
	if err := o.db.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		for _, q := range left {
			if err := unclaim(tx, q.job.ID); err != nil {
				return err
			}
		}
		return nil
	})); err != nil {
		o.log.Warn("outbox: messages that were not sent are taken up only when their lease ends", "messages", len(left), "lease", lease.String(), "err", err)
	}
}

func unclaim(tx *db.Tx, id db.ID) error {
	_, err := tx.Exec(`UPDATE outbox SET due_at = $2, tries = tries - 1, leased = 0 WHERE id = $1 AND state = 0`, id, tx.Now)
	return err
}

func byID(a, b Queued) int { return cmp.Compare(a.job.ID, b.job.ID) }

const claimSize = 64

func (o *Outbox) claim(ctx context.Context) (due []Queued, err error) {
	// Most seconds nothing is due: look first, for reading is free.
	var found int64
	err = o.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Get(`SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 0 AND (due_at <= $1 OR due_at > $2) LIMIT 1) waiting`,
			tx.Now, tx.Now.Add(dueLimit)).Scan(&found)
	})
	if err != nil || found == 0 {
		return nil, err
	}
	err = o.db.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		due = nil
		ends := tx.Now.Add(lease)
		// Materialized, or PostgreSQL may run the query for each row, and its limit is none.
		claimed, err := db.All(tx, o.read, `WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE state = 0 AND (due_at <= $1 OR due_at > $2) ORDER BY id LIMIT $3`+tx.SkipLocked()+`)
			UPDATE outbox SET tries = tries + 1, due_at = $4, leased = 1 WHERE id IN (SELECT id FROM due)
			RETURNING id, channel, sealed, not_after, tries`, tx.Now, tx.Now.Add(dueLimit), claimSize, ends)
		for _, q := range claimed {
			q.leaseEnds = ends
			if !o.flight.has(q.job.ID) { // its lease ran out under way: the clock jumped, or the database was away
				due = append(due, q)
			}
		}
		return err
	}))
	slices.SortFunc(due, byID)
	return due, err
}

// read reads a claimed row. One whose payload cannot be read must not hold back the
// others.
func (o *Outbox) read(q *Queued, scan db.Scan) error {
	var row Job
	var sealed []byte
	if err := scan(&row.ID, &row.Kind, &sealed, &row.NotAfter, &q.tries); err != nil {
		return err
	}
	q.job, q.bad = o.open(row, sealed)
	return nil
}

func (o *Outbox) open(row Job, sealed []byte) (Job, error) {
	payload, err := o.box.Open(sealed, db.Bytes(row.ID))
	if err != nil {
		return row, err
	}
	h, ok := o.handlers[row.Kind]
	if !ok {
		return row, nil // work says so
	}
	j, err := h.Read(payload)
	if err != nil {
		return row, err
	}
	j.ID, j.Kind, j.NotAfter = row.ID, row.Kind, row.NotAfter
	return j, nil
}

// Sweep removes up to limit jobs made before the given time, whatever became of them.
// No job is useful for that long. One that failed for good loses its payload as soon as
// it is of no use. Rows are locked in the order of their ids, as everywhere in this
// package.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	if _, err := tx.Exec(`UPDATE outbox SET sealed = $1 WHERE id IN
		(SELECT id FROM outbox WHERE state IN (2, 4) AND not_after < $2 AND length(sealed) > 0 ORDER BY id LIMIT $3`+tx.ForUpdate()+`)`,
		[]byte{}, tx.Now, limit); err != nil {
		return 0, err
	}
	return tx.Exec(`DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id < $1 ORDER BY id LIMIT $2`+tx.ForUpdate()+`)`, db.FirstID(before), limit)
}
