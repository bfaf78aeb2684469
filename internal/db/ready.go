package db

import (
	"context"
	"time"
)

const (
	// readyFor is how long a write that went well stands for the next.
	readyFor = 2 * time.Second
	// readyWithin is how soon a question whether the database is ready is answered.
	readyWithin = 3 * time.Second
)

// Ready reports whether the database answers and makes writes durable: one that is
// full, read-only or locked still reads. It writes a row of its own, at most once in
// two seconds however often it is asked.
func (d *DB) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if err := d.Ping(ctx); err != nil {
		return err
	}
	if time.Since(time.UnixMilli(d.wrote.Load())).Abs() < readyFor {
		return nil
	}
	err := d.Sequence(ctx, Shared(func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('ready', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, tx.Now.Format(time.RFC3339))
		return err
	}))
	if err == nil {
		d.wrote.Store(time.Now().UnixMilli())
	}
	return err
}
