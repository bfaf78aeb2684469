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
	// maxUses is how many uses are written in a second. When more come in it,
	// they are dropped: the next use of an entry brings another.
	maxUses = 256
	// useChunk is how many are written in one transaction. After it the writer rests
	// as long as it took, for verifications that wait for a processor meanwhile.
	useChunk = 32
	// useEvery is how often uses are written.
	useEvery = time.Second
	// useGrain is how old the last use may be while nothing else has changed.
	useGrain = time.Minute
	// callerGrain is the same for from where a caller was right.
	callerGrain = 24 * time.Hour
)

// use is a right token that is to be written down.
type use struct {
	rowKey int64
	entry  ID
	Use
	caller bool         // the entry called itself
	client audit.Client // of the caller
}

// mark tells uses apart whose time alone does not differ: a verification reads one
// number in place of three columns. Two that fall together leave a use unwritten
// for a minute.
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

// Run writes down when entries were used, many at once and off the requests,
// until ctx ends.
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
			s.log.Error("cannot note when services were used", "err", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// writeUses writes what waits: the last use of an entry in each role. It does so
// also when ctx has ended, and then without rests.
func (s *Service) writeUses(ctx context.Context) error {
	type role struct {
		entry   ID
		network string // of a caller: each is written
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
	// In one order, or two processes would wait for each other's rows.
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
	// A time from the future was written while a clock was ahead, and gives way.
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
	// From where it has called before, strangers' guesses do not count. The entry
	// may be gone by now.
	n, err := tx.Exec(`INSERT INTO service_callers (service_id, network, seen_at)
		SELECT id, CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM services WHERE place = $1 AND id = $4 ON CONFLICT (service_id, network) DO NOTHING`,
		u.rowKey, u.Network, u.At, u.entry)
	if err != nil {
		return err
	}
	if n == 1 {
		return audit.WriteService(tx, int64(u.entry), audit.ServiceArrived, u.client, "")
	}
	_, err = tx.Exec(`UPDATE service_callers SET seen_at = $3 WHERE service_id = $1 AND network = $2 AND (seen_at < $4 OR seen_at > $5)`,
		u.entry, u.Network, u.At, u.At.Add(-callerGrain), now)
	return err
}

// SweepCallers forgets up to limit networks from which nobody has called since
// before. It passes over rows that somebody else holds: it takes rows by their age, and
// those who write uses by their place, so each could wait for the other.
func SweepCallers(tx *db.Tx, before time.Time, limit int) (int64, error) {
	// Materialized, or PostgreSQL may run the query for each row, and its limit is none.
	return tx.Exec(`WITH gone AS MATERIALIZED (SELECT service_id, network FROM service_callers WHERE seen_at < $1 ORDER BY seen_at LIMIT $2`+tx.SkipLocked()+`)
		DELETE FROM service_callers WHERE (service_id, network) IN (SELECT service_id, network FROM gone)`, before, limit)
}
