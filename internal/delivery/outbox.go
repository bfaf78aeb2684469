// Package delivery sends messages to people.
//
// A message is queued in the transaction that is its cause and sent
// afterwards by the outbox's workers, so that a crash makes it late or doubled
// and never lost. The package owns the outbox table, the wording of messages,
// and one Sender for each channel. It does not decide who gets what.
package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/words"
)

const (
	// lease is how long a claim holds: a message whose process died is taken up by
	// another after that. While a message is being sent its lease is renewed, so a
	// send may last much longer.
	lease = 30 * time.Second
	// finishLimit is what a message under way has when the outbox stops.
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

// Outbox queues and sends.
type Outbox struct {
	db      *db.DB
	box     *seal.Box
	wording *wording
	senders map[string]Sender
	log     *slog.Logger
	stats   Stats

	ready  chan Queued
	done   chan outcome
	slots  *slots
	flight *flight
	health health
	usual  usual

	renewEvery time.Duration
	slowAfter  time.Duration
	finishFor  time.Duration // what messages under way have when the outbox stops
}

// Stats is told what became of messages, for metrics.
type Stats interface {
	Sent(channel string, took time.Duration)
	Failed(channel string, permanent bool)
}

// New returns an outbox that is not running yet. Templates lie in mail/ of
// files.
func New(d *db.DB, keys *seal.Keys, files fs.FS, texts *words.Catalogue, senders map[string]Sender, stats Stats, log *slog.Logger) (*Outbox, error) {
	w, err := newWording(files, texts)
	if err != nil {
		return nil, fmt.Errorf("message templates: %w", err)
	}
	return &Outbox{
		db: d, box: keys.Box("outbox"), wording: w, senders: senders, log: log, stats: stats,
		ready: make(chan Queued, backlog), done: make(chan outcome, backlog), slots: newSlots(), flight: newFlight(), health: newHealth(),
		renewEvery: lease / 4, slowAfter: slowAfter, finishFor: finishLimit,
	}, nil
}

// Queued is a message that this process has claimed.
type Queued struct {
	id        db.ID
	message   Message
	notAfter  time.Time
	leaseEnds time.Time
	tries     int
	bad       error // why the row cannot be read
}

// Enqueue queues a message in tx, already claimed by this process: call Deliver
// with the result once tx is durable. After notAfter it is no longer useful. A
// mute message takes the same room and work but is never sent.
func (o *Outbox) Enqueue(tx *db.Tx, m Message, notAfter time.Time, mute bool) (Queued, error) {
	q := Queued{id: tx.NewID(), message: m, notAfter: notAfter, leaseEnds: tx.Now.Add(lease), tries: 1}
	plain, err := json.Marshal(m)
	if err != nil {
		return q, err
	}
	is := waiting
	if mute {
		is = silent
	}
	_, err = tx.Exec(`INSERT INTO outbox (id, channel, recipient, sealed, not_after, due_at, tries, state, leased) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, 1)`,
		q.id, m.Channel, Masked(m.To), o.box.Seal(plain, db.Bytes(q.id)), notAfter.UnixMilli(), q.leaseEnds.UnixMilli(), int64(is))
	if mute {
		q = Queued{}
	}
	return q, err
}

// Deliver sends a queued message soon. If too much waits already, it is left
// in the table until its claim ends.
func (o *Outbox) Deliver(q Queued) {
	if q.id == 0 {
		return
	}
	select {
	case o.ready <- q:
	default:
	}
}

// Run sends messages until ctx ends. Then it takes no more: what has not been
// begun is released for other processes at once, and what is being sent has a
// moment to be finished.
func (o *Outbox) Run(ctx context.Context) error {
	var sending, helping sync.WaitGroup
	under, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(o.finishFor, cut) })()
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRenewing()
	helping.Go(o.record)
	helping.Go(func() { o.renew(renewing) })
	polled := make(chan []Queued, 1)
	go func() { polled <- o.poll(ctx) }()
	left := o.dispatch(ctx, under, &sending)
	o.release(append(left, <-polled...))
	sending.Wait()
	o.release(nil) // what came in meanwhile
	stopRenewing()
	close(o.done)
	helping.Wait()
	return nil
}

// dispatch begins to send what is ready, as long as there is a slot, and returns
// what it took and did not begin.
func (o *Outbox) dispatch(ctx, under context.Context, sending *sync.WaitGroup) (left []Queued) {
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
		slot, ok := o.slots.take(ctx, q.domain())
		if !ok {
			return append(o.slots.clear(), q)
		}
		o.flight.add(q.id)
		sending.Go(func() {
			defer slot.leave()
			o.send(under, q, slot)
		})
	}
}

// next waits for a message that is ready or parked, and reports whether it may be
// sent now. The lease of one that is parked is renewed; one that finds no room
// stays in the table, and whoever claims it next sends it.
func (o *Outbox) next(ctx context.Context) (q Queued, ok bool) {
	select {
	case <-ctx.Done():
	case q = <-o.ready:
		now, parked := o.slots.admit(q)
		if parked {
			o.flight.add(q.id)
		}
		return q, now
	case <-o.slots.freed:
		q, ok = o.slots.next()
		q.leaseEnds = o.db.Now().Add(lease)
	}
	return q, ok
}

// poll claims what is due: after a failure, after a crash, from other machines.
// It returns what it has claimed and could not hand on.
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

// release gives up the claims of messages that nobody has begun to send, those
// given and all that are ready, so that another process need not wait for the end
// of the lease.
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
			if err := unclaim(tx, q.id); err != nil {
				return err
			}
		}
		return nil
	})); err != nil {
		o.log.Warn("outbox: messages that were not sent are taken up only when their lease ends", "messages", len(left), "lease", lease.String(), "err", err)
	}
}

func unclaim(tx *db.Tx, id db.ID) error {
	_, err := tx.Exec(`UPDATE outbox SET due_at = $2, tries = tries - 1, leased = 0 WHERE id = $1 AND state = 0`, id, tx.Millis())
	return err
}

func byID(a, b Queued) int { return cmp.Compare(a.id, b.id) }

const claimSize = 64

func (o *Outbox) claim(ctx context.Context) (due []Queued, err error) {
	// Most seconds nothing is due: look first, for reading is free.
	var found int64
	err = o.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Get(`SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 0 AND (due_at <= $1 OR due_at > $2) LIMIT 1) waiting`,
			tx.Millis(), tx.Now.Add(dueLimit).UnixMilli()).Scan(&found)
	})
	if err != nil || found == 0 {
		return nil, err
	}
	err = o.db.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		due = nil
		ends := tx.Now.Add(lease)
		return tx.Each(func(scan func(...any) error) error {
			q, err := o.read(scan)
			q.leaseEnds = ends
			if !o.flight.has(q.id) { // its lease ran out while it is being sent: the clock jumped, or the database was away
				due = append(due, q)
			}
			return err
			// Materialized, or PostgreSQL may run the query for each row, and its limit is none.
		}, `WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE state = 0 AND (due_at <= $1 OR due_at > $2) ORDER BY id LIMIT $3`+tx.SkipLocked()+`)
			UPDATE outbox SET tries = tries + 1, due_at = $4, leased = 1 WHERE id IN (SELECT id FROM due)
			RETURNING id, channel, sealed, not_after, tries`, tx.Millis(), tx.Now.Add(dueLimit).UnixMilli(), claimSize, ends.UnixMilli())
	}))
	slices.SortFunc(due, byID)
	return due, err
}

func (o *Outbox) read(scan func(...any) error) (q Queued, err error) {
	var channel string
	var sealed []byte
	var notAfter int64
	if err := scan(&q.id, &channel, &sealed, &notAfter, &q.tries); err != nil {
		return q, err
	}
	q.notAfter = db.Time(notAfter)
	plain, err := o.box.Open(sealed, db.Bytes(q.id))
	if err == nil {
		err = json.Unmarshal(plain, &q.message)
	}
	if err != nil { // it must not hold back the others
		q.message, q.bad = Message{Channel: channel}, err
	}
	return q, nil
}

// Check tries the sender of every channel.
func (o *Outbox) Check(ctx context.Context) error {
	var err error
	for channel, s := range o.senders {
		if e := s.Check(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", channel, e))
		}
	}
	return err
}

// Sweep removes up to limit messages made before the given time, whatever
// became of them. No message is useful for that long. What failed for good loses
// its content as soon as its code is over. Rows are locked in the order of their
// ids, as everywhere in this package.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	if _, err := tx.Exec(`UPDATE outbox SET sealed = $1 WHERE id IN
		(SELECT id FROM outbox WHERE state IN (2, 4) AND not_after < $2 AND length(sealed) > 0 ORDER BY id LIMIT $3`+tx.ForUpdate()+`)`,
		[]byte{}, tx.Millis(), limit); err != nil {
		return 0, err
	}
	return tx.Exec(`DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id < $1 ORDER BY id LIMIT $2`+tx.ForUpdate()+`)`, db.FirstID(before), limit)
}
