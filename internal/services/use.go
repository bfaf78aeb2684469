package services

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

const (
	// maxUses is how many uses are written in a second. Further ones are dropped: the
	// next use of the entry shows the same.
	maxUses = 256
	// useChunk is how many are written in one transaction. After each the writer pauses
	// for as long as it took, so that verifications get the processor.
	useChunk = 32
	// useEvery is how often uses are written.
	useEvery = time.Second
	// useGrain is how old the last use that is stored may be while only its time differs.
	useGrain = time.Minute
	// callerGrain is the same for a network from which an entry called.
	callerGrain = 24 * time.Hour
)

// use is the use of a right token, to be written.
type use struct {
	rowKey int64
	entry  ID
	Use
	caller bool         // it was the caller's own token
	client audit.Client // of the caller
}

// mark is a hash of a use without its time, so that a verification reads one column in
// place of three. If two uses have one hash, the later is not written for a minute.
func (u Use) mark() int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %s", u.Caller, u.Network, u.Result) // never fails
	return int64(h.Sum64())
}

// keepUse keeps a right token for Run, unless the entry shows the same use already.
func (s *Service) keepUse(now time.Time, e entry, g *guess) {
	u := Use{At: now, Caller: g.caller, Network: g.by.Network, Result: Accepted}
	if e.mark == u.mark() || len(s.uses) == cap(s.uses) {
		return
	}
	select {
	case s.uses <- use{rowKey: rowKey(g.of.Key()), entry: e.id, Use: u, caller: g.own, client: g.by.client()}:
	default:
	}
}

// Run writes when entries were used, many at once and outside of requests, until ctx
// ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(useEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		s.inFlight.refillAll(s.DB.Now())
		if err := s.writeUses(ctx); err != nil {
			s.log.Error("cannot write when services were used", "err", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// writeUses writes the uses that wait: the last of each entry in each role. After the
// end of ctx it writes them, too, and then without pauses.
func (s *Service) writeUses(ctx context.Context) error {
	type role struct {
		entry   ID
		network string // of a caller, whose networks are all written; else ""
	}
	latest := map[role]use{}
	for len(s.uses) > 0 {
		u := <-s.uses
		r := role{entry: u.entry}
		if u.caller {
			r.network = u.Network
		}
		latest[r] = u
	}
	// Always in the same order, or two processes could deadlock.
	all := slices.SortedFunc(maps.Values(latest), func(a, b use) int {
		return cmp.Or(cmp.Compare(a.rowKey, b.rowKey), strings.Compare(a.Network, b.Network))
	})
	for chunk := range slices.Chunk(all, useChunk) {
		began := time.Now()
		if err := s.writeChunk(context.WithoutCancel(ctx), chunk); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Since(began)):
		}
	}
	return nil
}

func (s *Service) writeChunk(ctx context.Context, chunk []use) error {
	return s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		for _, u := range chunk {
			if err := u.write(tx); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (u use) write(tx *db.Tx) error {
	// A stored time in the future was written while a clock was ahead: it is replaced.
	now := tx.Now
	if u.At.After(now) {
		now = u.At
	}
	_, err := tx.Exec(`UPDATE services SET last_used_at = $2, last_caller = $3, last_network = $4, last_result = $5, last_mark = $6
		WHERE place = $1 AND id = $7 AND (last_used_at <= $2 OR last_used_at > $8)`,
		u.rowKey, u.At, u.Caller, u.Network, u.Result, u.mark(), u.entry, now)
	if err != nil || !u.caller {
		return err
	}
	// Wrong tokens from a network that is stored here do not spend the limit of all other
	// networks. The entry may have been deleted by now.
	n, err := tx.Exec(`INSERT INTO service_callers (service_id, network, seen_at)
		SELECT id, CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM services WHERE place = $1 AND id = $4 ON CONFLICT (service_id, network) DO NOTHING`,
		u.rowKey, u.Network, u.At, u.entry)
	if err != nil {
		return err
	}
	if n == 1 {
		return audit.WriteService(tx, int64(u.entry), audit.ServiceArrived, audit.By{Actor: audit.Program(int64(u.entry)), Client: u.client}, "")
	}
	_, err = tx.Exec(`UPDATE service_callers SET seen_at = $3 WHERE service_id = $1 AND network = $2 AND (seen_at < $4 OR seen_at > $5)`,
		u.entry, u.Network, u.At, u.At.Add(-callerGrain), now)
	return err
}

// SweepCallers forgets up to limit networks from which no entry has called since before.
// It skips locked rows: it takes rows by their age, and writers of uses by their row key,
// so they could deadlock.
func SweepCallers(tx *db.Tx, before time.Time, limit int) (int64, error) {
	// Without MATERIALIZED, PostgreSQL may run the query once per row, so that its LIMIT
	// limits nothing.
	return tx.Exec(`WITH gone AS MATERIALIZED (SELECT service_id, network FROM service_callers WHERE seen_at < $1 ORDER BY seen_at LIMIT $2`+tx.SkipLocked()+`)
		DELETE FROM service_callers WHERE (service_id, network) IN (SELECT service_id, network FROM gone)`, before, limit)
}
