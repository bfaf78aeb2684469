package db

import (
	"context"
	"time"
)

const (
	// readyFor is how long what a write came to stands for the next.
	readyFor = 2 * time.Second
	// readyWithin is how soon a question whether the database is ready is answered.
	readyWithin = 3 * time.Second
)

// readiness is what the last write of Ready came to.
type readiness struct {
	turn chan struct{} // holds one while somebody writes
	at   time.Time     // of the last write; guarded by turn
	err  error
}

// Ready reports whether the database answers and makes writes durable: one that is
// full, read-only or locked still reads. It writes a row of its own, at most once in
// two seconds however many ask.
func (d *DB) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if err := d.Ping(ctx); err != nil {
		return err
	}
	select {
	case d.ready.turn <- struct{}{}:
		defer func() { <-d.ready.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if time.Since(d.ready.at) < readyFor {
		return d.ready.err
	}
	d.ready.err = d.Sequence(ctx, ReadCommitted(func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('ready', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, tx.Now.Format(time.RFC3339))
		return err
	}))
	d.ready.at = time.Now()
	return d.ready.err
}
