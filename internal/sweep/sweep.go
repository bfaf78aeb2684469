// Package sweep clears away what is over: expired codes and attempts, proofs
// and sessions, budgets, sent messages, old history, and accounts that nobody
// proved.
//
// It owns no table; each package removes its own rows in small chunks, so that
// sign-ins pass between them.
package sweep

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
)

const (
	// A chunk is made larger or smaller so that it holds the writer for about
	// chunkTime.
	chunkTime = 4 * time.Millisecond
	minChunk  = 50
	maxChunk  = 4000
	// rest is the least that is left between two chunks for everybody else, who
	// gets as much time as the chunk took with its wait and commit: when there is
	// much to do, the sweeper is the first to step back.
	rest = 500 * time.Microsecond

	messagesKept = 24 * time.Hour
	historyKept  = 365 * 24 * time.Hour
	callersKept  = 90 * 24 * time.Hour // networks from which a service has called
	walkMost     = 1_000_000
)

// Sweeper sweeps.
type Sweeper struct {
	DB       *db.DB
	Sessions *session.Store
	Log      *slog.Logger
	Settings Settings
	// Removed is told how many rows of a kind went, for metrics.
	Removed func(kind string, n int64)

	sessions, proofs db.ID
	budgets          []byte
}

// Settings are how long what is kept.
type Settings struct {
	Every            time.Duration
	UnprovedAccounts time.Duration
	CodeLife         time.Duration
	// WalkMost bounds the rows that stay which one sweep looks at in a table
	// that has to be walked; the next sweep goes on from there. 0: a million.
	WalkMost int64
}

// Run sweeps every so often until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(s.Settings.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := s.Once(ctx); err != nil && ctx.Err() == nil {
				s.Log.Error("sweep failed; the next one goes on", "err", err)
			}
		}
	}
}

// task removes up to size rows of one kind; more says whether to call again.
// moved, if any, is called once that is durable, for a transaction may run
// again.
type task struct {
	kind string
	do   func(tx *db.Tx, size int) (removed int64, more bool, moved func(), err error)
}

// old makes a task of a Sweep that takes the oldest rows first.
func old(kind string, age time.Duration, sweep func(*db.Tx, time.Time, int) (int64, error)) task {
	return task{kind, func(tx *db.Tx, size int) (int64, bool, func(), error) {
		n, err := sweep(tx, tx.Now.Add(-age), size)
		return n, n > 0, nil, err
	}}
}

// walk makes a task of a Sweep that goes through a table, from where it stopped
// the last time; the zero T is the beginning and the end.
func walk[T any](kind string, at *T, sweep func(tx *db.Tx, from T, size int) (int64, T, bool, error)) task {
	return task{kind, func(tx *db.Tx, size int) (int64, bool, func(), error) {
		n, next, more, err := sweep(tx, *at, size)
		return n, more, func() { *at = next }, err
	}}
}

func (s *Sweeper) tasks() []task {
	kept := signin.Kept(s.Settings.CodeLife)
	return []task{
		old("attempts", kept, signin.Sweep),
		old("messages", messagesKept, outbox.Sweep),
		old("accounts", s.Settings.UnprovedAccounts, func(tx *db.Tx, before time.Time, size int) (int64, error) {
			return accounts.SweepUnproved(tx, before, tx.Now.Add(-kept), size)
		}),
		old("history", historyKept, audit.Sweep),
		{"forgotten", func(tx *db.Tx, size int) (int64, bool, func(), error) {
			n, more, err := audit.ForgetMore(tx, size)
			return n, more, nil, err
		}},
		old("callers", callersKept, services.SweepCallers),
		walk("sessions", &s.sessions, func(tx *db.Tx, from db.ID, size int) (int64, db.ID, bool, error) {
			n, next, err := s.Sessions.Sweep(tx, from, size)
			return n, next, next != 0, err
		}),
		walk("proofs", &s.proofs, func(tx *db.Tx, from db.ID, size int) (int64, db.ID, bool, error) {
			n, next, err := session.SweepProofs(tx, from, size)
			return n, next, next != 0, err
		}),
		walk("budgets", &s.budgets, func(tx *db.Tx, from []byte, size int) (int64, []byte, bool, error) {
			n, next, err := limit.Sweep(tx, from, size)
			return n, next, next != nil, err
		}),
	}
}

// Once sweeps everything that is over now and returns how much went, by kind.
func (s *Sweeper) Once(ctx context.Context) (map[string]int64, error) {
	start := time.Now()
	counts := map[string]int64{}
	var total int64
	for _, t := range s.tasks() {
		n, err := s.sweep(ctx, t)
		counts[t.kind] += n
		total += n
		s.Removed(t.kind, n)
		if err != nil {
			return counts, fmt.Errorf("sweep %s: %w", t.kind, err)
		}
	}
	if total > 0 {
		s.Log.Info("swept", "removed", counts, "took", time.Since(start).Round(time.Millisecond).String())
	}
	return counts, nil
}

func (s *Sweeper) sweep(ctx context.Context, t task) (removed int64, err error) {
	size, seen, most := minChunk, int64(0), s.Settings.WalkMost
	if most == 0 {
		most = walkMost
	}
	for more := true; more && seen < most; {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		var n int64
		var took time.Duration
		var moved func()
		asked := time.Now()
		err := s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) (err error) {
			began := time.Now()
			n, more, moved, err = t.do(tx, size)
			took = time.Since(began)
			return err
		}))
		if err != nil {
			return removed, err
		}
		if moved != nil {
			moved()
		}
		removed += n
		seen += int64(size) - n // rows that stay
		switch {
		case took < chunkTime/2:
			size = min(size*2, maxChunk)
		case took > chunkTime*2:
			size = max(size/2, minChunk)
		}
		time.Sleep(max(rest, time.Since(asked)))
	}
	return removed, nil
}
