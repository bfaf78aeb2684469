// Package outbox owns the queue of what is to be sent: messages to people and, later,
// notices to apps. Table outbox.
//
// A job is queued in the transaction that causes it and done afterwards by the outbox's
// workers (at-least-once delivery: after a crash it may be late or sent twice, but is not
// lost). The package does not know what a job says or how it is sent: a Handler for each
// kind does.
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
	// lease is how long a claim lasts: if its process dies, another process claims the job
	// after that. The lease is renewed while the job is in flight, which may be much longer.
	lease = 30 * time.Second
	// finishLimit is how long jobs in flight may go on after the outbox was told to stop.
	finishLimit = 5 * time.Second
	pollEvery   = time.Second
	// linger is the Linger of a new outbox.
	linger = 20 * time.Millisecond
	// backlog bounds the jobs that wait in memory; others wait in the table.
	backlog = 256
	// dueLimit is further ahead than due_at is ever set. A row that is due later was
	// written by a clock that was ahead, and counts as due now.
	dueLimit = 6 * time.Minute
)

// Outbox queues jobs and has them done.
type Outbox struct {
	db       *db.DB
	box      *seal.Box
	handlers map[string]Handler
	log      *slog.Logger
	stats    Stats

	// FinishFor is how long jobs in flight may go on after the outbox was told to stop.
	FinishFor time.Duration
	// Linger is how long outcomes wait for others to share their transaction, so that a
	// code submitted at once does not wait for their commit.
	Linger time.Duration

	ready   chan Queued
	done    chan outcome
	slots   *slots
	flight  *flight
	health  *health
	over    chan struct{} // closed when Run ends
	bounces chan struct{} // holds one for each that is being recorded
	usual   usual

	// ProbeEvery is the time between two tries of the server of a channel that fails.
	ProbeEvery time.Duration
	renewEvery time.Duration
	slowAfter  time.Duration
}

// Stats counts the outcomes of jobs, for metrics.
type Stats interface {
	Sent(kind string, took time.Duration)
	Failed(kind string, permanent bool)
}

// New returns an outbox that is not running. handlers are by the kind of their jobs.
func New(d *db.DB, keys *seal.Keys, handlers map[string]Handler, stats Stats, log *slog.Logger) *Outbox {
	return &Outbox{
		db: d, box: keys.Box("outbox"), handlers: handlers, log: log, stats: stats,
		ready: make(chan Queued, backlog), done: make(chan outcome, backlog), slots: newSlots(), flight: newFlight(), health: newHealth(), bounces: make(chan struct{}, bouncesLimit), over: make(chan struct{}), ProbeEvery: probeEvery,
		renewEvery: lease / 4, slowAfter: slowAfter, FinishFor: finishLimit, Linger: linger,
	}
}

// Queued is a job that is leased to this process.
type Queued struct {
	job       Job
	leaseEnds time.Time
	tries     int
	bad       error  // why the row cannot be read
	mute      string // the kind of a job that is never done
}

// Enqueue inserts a job, already leased to this process: call Deliver with the result once
// tx is durable. A mute job causes the same row and work but is never done.
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
		q = Queued{mute: j.Kind}
	}
	return q, err
}

// Deliver hands a queued job to the workers. If too many wait already, it stays in the table
// until its lease ends.
func (o *Outbox) Deliver(q Queued) {
	if q.mute != "" {
		o.suspect(q.mute) // as a job would find out that the channel fails
		return
	}
	if q.job.ID == 0 {
		return
	}
	select {
	case o.ready <- q:
	default:
	}
}

// Run does jobs until ctx ends. Then it begins no more: jobs not begun are released to other
// processes at once, and jobs in flight have FinishFor to finish.
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
	o.release(nil) // jobs handed over meanwhile
	stopRenewing()
	close(o.done)
	helping.Wait()
	close(o.over)
	return nil
}

// dispatch begins jobs that are ready, each in a slot, until ctx ends. It returns those that
// it has taken and not begun.
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

// next waits for a job that is ready or was parked, and reports whether it may be begun. The
// lease of a parked job is renewed; a job that cannot be parked stays in the table until its
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

// poll claims jobs that are due: after a failure, after a crash, from other machines. It
// returns those that it has claimed and not handed to dispatch.
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

// Leave queues a job for another process, which may hold what this one cannot have. It returns
// the job's number.
func (o *Outbox) Leave(ctx context.Context, j Job) (number int64, err error) {
	err = o.db.Update(ctx, func(tx *db.Tx) error {
		q, err := o.Enqueue(tx, j, false)
		if err != nil {
			return err
		}
		number = Number(q.job.ID)
		return unclaim(tx, q.job.ID)
	})
	return number, err
}

// release ends the leases of jobs that were not begun, those in left and all that are ready,
// so that another process can claim them at once.
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
	// Usually nothing is due: a read costs less than an empty claim.
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
		// Without MATERIALIZED, PostgreSQL may run the query once for each row, and more than
		// claimSize rows are claimed.
		claimed, err := db.All(tx, o.read, `WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE state = 0 AND (due_at <= $1 OR due_at > $2) ORDER BY id LIMIT $3`+tx.SkipLocked()+`)
			UPDATE outbox SET tries = tries + 1, due_at = $4, leased = 1 WHERE id IN (SELECT id FROM due)
			RETURNING id, channel, sealed, not_after, tries`, tx.Now, tx.Now.Add(dueLimit), claimSize, ends)
		for _, q := range claimed {
			q.leaseEnds = ends
			if !o.flight.has(q.job.ID) { // its lease expired in flight: the clock jumped, or the database was unreachable
				due = append(due, q)
			}
		}
		return err
	}))
	slices.SortFunc(due, byID)
	return due, err
}

// read reads a claimed row. A payload that cannot be read is no error here, so that it does
// not hold back the others; work reports it.
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

// Sweep removes up to limit jobs made before the given time, in any state: no job is useful
// for that long. It also empties the payloads of failed jobs that have become useless. Rows
// are locked in the order of their ids, as everywhere in this package.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	if _, err := tx.Exec(`UPDATE outbox SET sealed = $1 WHERE id IN
		(SELECT id FROM outbox WHERE state IN (2, 4) AND not_after < $2 AND length(sealed) > 0 ORDER BY id LIMIT $3`+tx.ForUpdate()+`)`,
		[]byte{}, tx.Now, limit); err != nil {
		return 0, err
	}
	return tx.Exec(`DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id < $1 ORDER BY id LIMIT $2`+tx.ForUpdate()+`)`, db.FirstID(before), limit)
}
