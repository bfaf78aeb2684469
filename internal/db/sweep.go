package db

import (
	"context"
	"time"
)

// Sweep is how rows of one kind are removed once they are of no use: in chunks, each a
// short transaction, so that others pass between them.
type Sweep struct {
	Kind string
	// do removes up to size rows; more says whether to call again. moved, if any, is called
	// once that is durable, for a transaction may run again.
	do func(tx *Tx, size int) (removed int64, more bool, moved func(), err error)
}

// SweepOld removes the rows that are older than age, the oldest first.
func SweepOld(kind string, age time.Duration, sweep func(tx *Tx, before time.Time, limit int) (int64, error)) Sweep {
	return Sweep{kind, func(tx *Tx, size int) (int64, bool, func(), error) {
		n, err := sweep(tx, tx.Now.Add(-age), size)
		return n, n > 0, nil, err
	}}
}

// SweepMore removes rows for as long as sweep says that there are more.
func SweepMore(kind string, sweep func(tx *Tx, limit int) (removed int64, more bool, err error)) Sweep {
	return Sweep{kind, func(tx *Tx, size int) (int64, bool, func(), error) {
		n, more, err := sweep(tx, size)
		return n, more, nil, err
	}}
}

// SweepWalk goes through a table from where it stopped the last time; the zero T is the
// beginning and the end.
func SweepWalk[T comparable](kind string, at *T, sweep func(tx *Tx, from T, limit int) (removed int64, next T, err error)) Sweep {
	return Sweep{kind, func(tx *Tx, size int) (int64, bool, func(), error) {
		n, next, err := sweep(tx, *at, size)
		return n, next != *new(T), func() { *at = next }, err
	}}
}

// Chunk does one chunk of a sweep and returns how long it held the writer.
func (d *DB) Chunk(ctx context.Context, s Sweep, size int) (removed int64, more bool, took time.Duration, err error) {
	var moved func()
	err = d.Sequence(ctx, ReadCommitted(func(tx *Tx) (err error) {
		began := time.Now()
		removed, more, moved, err = s.do(tx, size)
		took = time.Since(began)
		return err
	}))
	if err == nil && moved != nil {
		moved()
	}
	return removed, more, took, err
}
