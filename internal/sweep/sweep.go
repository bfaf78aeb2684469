// Package sweep removes expired rows: attempts with their codes, proofs, sessions, budgets,
// sent messages, old history, old signing keys, and accounts that nobody has proved.
//
// It owns no table. Each package removes its own rows in small chunks, so that sign-ins are
// not delayed.
package sweep

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/federation"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signkeys"
)

const (
	// A chunk is made larger or smaller so that it holds the writer for about
	// chunkTime.
	chunkTime = 4 * time.Millisecond
	minChunk  = 50
	maxChunk  = 4000
	// pause is the shortest pause between two chunks. A pause is as long as the chunk took
	// with waiting and commit, so that the sweeper slows down when the database is busy.
	pause = 500 * time.Microsecond

	messagesKept = 24 * time.Hour
	historyKept  = 365 * 24 * time.Hour
	callersKept  = 90 * 24 * time.Hour // networks from which a service has called
	walkMost     = 1_000_000
)

// Sweeper removes expired rows.
type Sweeper struct {
	DB       *db.DB
	Sessions *session.Store
	Log      *slog.Logger
	Settings Settings
	// Removed is called with the number of rows of a kind that were removed, for metrics.
	Removed func(kind string, n int64)

	sessions, proofs db.ID
	budgets          string
}

// Settings are when to sweep, and how long rows are kept.
type Settings struct {
	Every            time.Duration
	UnprovedAccounts time.Duration
	CodeLife         time.Duration
	// WalkMost bounds how many rows one sweep looks at and keeps in a table whose expired
	// rows are not adjacent; the next sweep goes on from there. 0: a million.
	WalkMost int64
}

// Run sweeps at intervals of Settings.Every until ctx ends.
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

func (s *Sweeper) sweeps() []db.Sweep {
	kept := signin.Kept(s.Settings.CodeLife)
	return []db.Sweep{
		db.SweepOld("attempts", kept, signin.Sweep),
		db.SweepOld("messages", messagesKept, outbox.Sweep),
		db.SweepOld("accounts", s.Settings.UnprovedAccounts, accounts.SweepUnproved(kept)),
		db.SweepOld("history", historyKept, audit.Sweep),
		db.SweepOld("changes", accounts.UndoFor, accounts.SweepChanges),
		db.SweepOld("authenticators", accounts.UndoFor, multifactor.SweepAuthenticators),
		db.SweepOld("challenges", time.Hour, multifactor.SweepChallenges),
		db.SweepOld("enrolment_links", multifactor.LinksKept, multifactor.SweepEnrolmentLinks),
		db.SweepOld("handoffs", session.HandoffLife, session.SweepHandoffs),
		db.SweepOld("devices", multifactor.RememberFor, multifactor.SweepDevices),
		db.SweepOld("issuers", federation.Kept, federation.Sweep),
		db.SweepOld("keys", signkeys.Kept, signkeys.Sweep),
		db.SweepMore("forgotten", audit.ForgetMore),
		db.SweepOld("callers", callersKept, services.SweepCallers),
		db.SweepWalk("sessions", &s.sessions, s.Sessions.Sweep),
		db.SweepWalk("proofs", &s.proofs, session.SweepProofs),
		db.SweepWalk("budgets", &s.budgets, limit.Sweep),
	}
}

// Once removes all expired rows and returns how many, by kind.
func (s *Sweeper) Once(ctx context.Context) (map[string]int64, error) {
	start := time.Now()
	counts := map[string]int64{}
	var total int64
	for _, t := range s.sweeps() {
		n, err := s.sweep(ctx, t)
		counts[t.Kind] += n
		total += n
		s.Removed(t.Kind, n)
		if err != nil {
			return counts, fmt.Errorf("sweep %s: %w", t.Kind, err)
		}
	}
	if total > 0 {
		s.Log.Info("swept", "removed", counts, "took", time.Since(start).Round(time.Millisecond).String())
	}
	return counts, nil
}

func (s *Sweeper) sweep(ctx context.Context, t db.Sweep) (removed int64, err error) {
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
		began := time.Now()
		n, more, took, err = s.DB.Chunk(ctx, t, size)
		if err != nil {
			return removed, err
		}
		removed += n
		seen += int64(size) - n // rows kept
		switch {
		case took < chunkTime/2:
			size = min(size*2, maxChunk)
		case took > chunkTime*2:
			size = max(size/2, minChunk)
		}
		time.Sleep(max(pause, time.Since(began)))
	}
	return removed, nil
}
