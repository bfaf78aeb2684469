// Package delivery sends messages to people.
//
// A message is queued in the transaction that is its cause and sent
// afterwards by the outbox's workers, so that a crash makes it late or doubled
// and never lost. The package owns the outbox table, the wording of messages,
// and one Sender for each channel. It does not decide who gets what.
package delivery

import (
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
	workers = 8
	// lease is how long a claim holds: a message whose process died is taken
	// up by another after that. It is longer than a Send, unless that begins
	// late and lasts; then the message comes twice.
	lease     = 30 * time.Second
	sendLimit = 20 * time.Second
	// finishLimit is what a message under way has when the outbox stops.
	finishLimit = 5 * time.Second
	pollEvery   = time.Second
	// linger is how long outcomes wait for more of them, so that the answer to a
	// code, which comes now, need not wait for their commit.
	linger = 20 * time.Millisecond
	// backlog bounds what waits in memory; the rest waits in the table.
	backlog = 256
)

// State of a message.
const (
	pending = iota
	sent
	failed
	silent // never to be sent: it stands for one, so that all ids look alike
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
	health health
	usual  usual
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
		ready: make(chan Queued, backlog), done: make(chan outcome, backlog), health: newHealth(),
	}, nil
}

// Queued is a message that this process has claimed.
type Queued struct {
	id        db.ID
	message   Message
	notAfter  time.Time
	leaseEnds time.Time
	tries     int
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
	state := pending
	if mute {
		state = silent
	}
	_, err = tx.Exec(`INSERT INTO outbox (id, channel, sealed, not_after, due_at, tries, state) VALUES ($1, $2, $3, $4, $5, 1, $6)`,
		q.id, m.Channel, o.box.Seal(plain, db.Bytes(q.id)), notAfter.UnixMilli(), q.leaseEnds.UnixMilli(), state)
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

// Run sends messages until ctx ends; those being sent have a moment to be
// finished, or else are sent again by whoever claims them next.
func (o *Outbox) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	under, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(finishLimit, cut) })()
	for range workers {
		sending.Go(func() { o.work(ctx, under) })
	}
	recorded := make(chan struct{})
	go func() { o.record(); close(recorded) }()
	o.poll(ctx)
	sending.Wait()
	close(o.done)
	<-recorded
	return nil
}

func (o *Outbox) work(ctx, under context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-o.ready:
			o.send(under, q)
		}
	}
}

// poll claims what is due: after a failure, after a crash, from other machines.
func (o *Outbox) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		due, err := o.claim(ctx)
		if err != nil && ctx.Err() == nil {
			o.log.Error("outbox: cannot look for messages", "err", err)
		}
		for _, q := range due {
			select {
			case o.ready <- q:
			case <-ctx.Done():
				return
			}
		}
		if len(due) == claimSize {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const claimSize = 64

func (o *Outbox) claim(ctx context.Context) (due []Queued, err error) {
	// Most seconds nothing is due: look first, for reading is free.
	var found int64
	err = o.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Get(`SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 0 AND due_at <= $1 LIMIT 1) waiting`, tx.Millis()).Scan(&found)
	})
	if err != nil || found == 0 {
		return nil, err
	}
	err = o.db.Sequence(ctx, db.Shared(func(tx *db.Tx) error {
		due = nil
		ends := tx.Now.Add(lease)
		return tx.Each(func(scan func(...any) error) error {
			q, err := o.read(scan)
			q.leaseEnds = ends
			due = append(due, q)
			return err
		}, `UPDATE outbox SET tries = tries + 1, due_at = $2 WHERE id IN
			(SELECT id FROM outbox WHERE state = 0 AND due_at <= $1 ORDER BY id LIMIT $3`+tx.SkipLocked()+`)
			RETURNING id, sealed, not_after, tries`, tx.Millis(), ends.UnixMilli(), claimSize)
	}))
	slices.SortFunc(due, func(a, b Queued) int { return int(a.id.Time().Sub(b.id.Time())) })
	return due, err
}

func (o *Outbox) read(scan func(...any) error) (q Queued, err error) {
	var sealed []byte
	var notAfter int64
	if err := scan(&q.id, &sealed, &notAfter, &q.tries); err != nil {
		return q, err
	}
	q.notAfter = db.Time(notAfter)
	plain, err := o.box.Open(sealed, db.Bytes(q.id))
	if err != nil {
		return q, fmt.Errorf("outbox row %d: %w", q.id, err)
	}
	return q, json.Unmarshal(plain, &q.message)
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
// became of them. No message is useful for that long.
func Sweep(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id < $1 ORDER BY id LIMIT $2)`, db.FirstID(before), limit)
}
