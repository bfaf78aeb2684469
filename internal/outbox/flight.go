package outbox

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// flight holds the ids of the jobs in flight in this process.
type flight struct {
	mu  sync.Mutex
	ids map[db.ID]bool
}

func newFlight() *flight { return &flight{ids: map[db.ID]bool{}} }

func (f *flight) add(id db.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids[id] = true
}

func (f *flight) drop(id db.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, id)
}

func (f *flight) has(id db.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ids[id]
}

func (f *flight) sorted() []db.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.ids))
}

// renew renews the leases of the jobs in flight, four times per lease, until ctx ends.
func (o *Outbox) renew(ctx context.Context) {
	tick := time.NewTicker(o.renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ids := o.flight.sorted()
		if len(ids) == 0 {
			continue
		}
		if err := o.db.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error { return extend(tx, ids) })); err != nil && ctx.Err() == nil {
			o.log.Warn("outbox: cannot renew leases; a message that takes long may be sent twice", "messages", len(ids), "err", err)
		}
	}
}

// extend renews leases in the order of the ids, in which all statements lock rows.
func extend(tx *db.Tx, ids []db.ID) error {
	for _, id := range ids {
		if _, err := tx.Exec(`UPDATE outbox SET due_at = $2 WHERE id = $1 AND state = 0 AND leased = 1`, id, tx.Now.Add(lease)); err != nil {
			return err
		}
	}
	return nil
}
