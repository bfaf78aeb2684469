package session

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// lastSeen is the time at which a session was used or found to have ended.
type lastSeen struct {
	id    db.ID
	at    time.Time
	ended bool
	// renewal is the one whose token was used, and that replaces the token before; 0: none.
	renewal int64
}

// record queues x for Run. If the queue is full, x is dropped; the next use of the session
// queues another.
func (s *Store) record(x lastSeen) {
	select {
	case s.seen <- x:
	default:
	}
}

// Run writes last-seen times until ctx ends, many in one transaction and outside of
// requests.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.WriteEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if err := s.WriteSeen(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("cannot record when sessions were used", "err", err)
		}
	}
	return nil
}

// WriteSeen writes what is queued. Run does so by itself.
func (s *Store) WriteSeen(ctx context.Context) error {
	latest := map[db.ID]lastSeen{}
	for len(s.seen) > 0 {
		x := <-s.seen
		x.renewal = max(x.renewal, latest[x.id].renewal) // by a cookie of a site it is none
		latest[x.id] = x
	}
	if len(latest) == 0 {
		return nil
	}
	// In the order of their ids, or two processes could deadlock.
	all := slices.SortedFunc(maps.Values(latest), func(a, b lastSeen) int { return cmp.Compare(a.id, b.id) })
	return s.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
		for _, x := range all {
			if err := x.write(tx, s.Settings.Idle); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (x lastSeen) write(tx *db.Tx, idle time.Duration) error {
	if !x.ended {
		// The last condition replaces a time stored by a clock that was ahead.
		_, err := tx.Exec(`UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND (last_seen_at < $2 OR last_seen_at > $3)`, x.id, x.at, x.at.Add(db.Skew))
		if err != nil || x.renewal == 0 {
			return err
		}
		_, err = tx.Exec(`UPDATE sessions SET old_hash = $3 WHERE id = $1 AND renewals = $2`, x.id, x.renewal, []byte{})
		return err
	}
	_, err := tx.Exec(`DELETE FROM sessions WHERE id = $1 AND (expires_at <= $2 OR last_seen_at <= $3)`, x.id, x.at, x.at.Add(-idle))
	return err
}
