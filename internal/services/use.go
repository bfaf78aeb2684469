package services

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
)

const (
	// maxUses is how many uses are written in a second. When more come in it,
	// they are dropped: the next use of an entry brings another.
	maxUses = 512
	// useChunk is how many are written in one transaction.
	useChunk = 256
	// useEvery is how often uses are written.
	useEvery = time.Second
	// useGrain is how old the last use may be while nothing else has changed.
	useGrain = time.Minute
	// callerGrain is the same for from where a caller was right.
	callerGrain = 24 * time.Hour
)

// use is a right token that is to be written down.
type use struct {
	place int64
	entry ID
	Use
	caller bool         // the entry called itself
	client audit.Client // of the caller
}

// note keeps a use for Run if the entry does not tell it already.
func (s *Service) note(now time.Time, e entry, g guess) {
	u, old := Use{now, g.asker, g.by.Network, Accepted}, e.use
	if old.Caller == u.Caller && old.Network == u.Network && old.Result == u.Result && now.Sub(old.At) < useGrain || len(s.uses) == cap(s.uses) {
		return
	}
	select {
	case s.uses <- use{e.place, e.id, u, g.strangers != nil, g.by.client()}:
	default:
	}
}

// Run writes down when entries were used, many at once and off the requests,
// until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(useEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if err := s.writeUses(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("cannot note when services were used", "err", err)
		}
	}
	return nil
}

// writeUses writes what waits: the last use of an entry in each role.
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
	chunk := make([]use, 0, useChunk)
	for _, u := range latest {
		if chunk = append(chunk, u); len(chunk) == useChunk {
			if err := s.writeChunk(ctx, chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	return s.writeChunk(ctx, chunk)
}

func (s *Service) writeChunk(ctx context.Context, chunk []use) error {
	if len(chunk) == 0 {
		return nil
	}
	return s.DB.Sequence(ctx, db.Shared(func(tx *db.Tx) error {
		for _, u := range chunk {
			if err := u.write(tx); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (u use) write(tx *db.Tx) error {
	at := u.At.UnixMilli()
	n, err := tx.Exec(`UPDATE services SET last_used_at = $2, last_caller = $3, last_network = $4, last_result = $5 WHERE place = $1 AND last_used_at <= $2`,
		u.place, at, u.Caller, u.Network, u.Result)
	if err != nil || n == 0 || !u.caller {
		return err
	}
	// From where it has called before, strangers' guesses do not count.
	n, err = tx.Exec(`INSERT INTO service_callers (service_id, network, seen_at) VALUES ($1, $2, $3) ON CONFLICT (service_id, network) DO NOTHING`, u.entry, u.Network, at)
	if err != nil {
		return err
	}
	if n == 1 {
		return audit.WriteService(tx, int64(u.entry), audit.ServiceArrived, u.client, "")
	}
	_, err = tx.Exec(`UPDATE service_callers SET seen_at = $3 WHERE service_id = $1 AND network = $2 AND seen_at < $4`,
		u.entry, u.Network, at, u.At.Add(-callerGrain).UnixMilli())
	return err
}

// SweepCallers forgets up to limit networks from which nobody has called since
// before.
func SweepCallers(tx *db.Tx, before time.Time, limit int) (int64, error) {
	return tx.Exec(`DELETE FROM service_callers WHERE (service_id, network) IN
		(SELECT service_id, network FROM service_callers WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)`, before.UnixMilli(), limit)
}
