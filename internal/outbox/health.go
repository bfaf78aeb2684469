package outbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// health holds which kinds of jobs fail as a whole (Error.Down), as this process has seen
// last. It never depends on one person's job.
type health struct {
	mu   *sync.Mutex
	down map[string]bool
}

func newHealth() health { return health{new(sync.Mutex), map[string]bool{}} }

func (h health) record(kind string, err error) {
	var se *Error
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down[kind] = errors.As(err, &se) && se.Down
}

// Down reports whether jobs of a kind fail for all recipients, as the last one did, or are
// all delayed now.
func (o *Outbox) Down(kind string) bool {
	if s, ok := o.handlers[kind].(stuckHandler); ok && s.Stuck() {
		return true
	}
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	return o.health.down[kind]
}

// usual caches for usualFor how long jobs take.
type usual struct {
	mu   sync.Mutex
	took time.Duration
	at   time.Time
}

const (
	usualFor    = 30 * time.Second
	usualSample = 101
)

// Usual is the median time from queueing to sending of the latest jobs of the last hour, or
// 0 if there were fewer than five. It is the same for everybody.
func (o *Outbox) Usual(ctx context.Context) time.Duration {
	o.usual.mu.Lock()
	defer o.usual.mu.Unlock()
	now := o.db.Now()
	if now.Sub(o.usual.at) < usualFor && now.After(o.usual.at) {
		return o.usual.took
	}
	var took []time.Duration
	err := o.db.Read(ctx, func(tx *db.Tx) (err error) {
		took, err = db.All(tx, func(took *time.Duration, scan db.Scan) error {
			var id db.ID
			var done time.Time
			err := scan(&id, &done)
			*took = done.Sub(id.Time())
			return err
		}, `SELECT id, done_at FROM outbox WHERE id > $1 AND state = 1 ORDER BY id DESC LIMIT $2`, db.FirstID(tx.Now.Add(-time.Hour)), usualSample)
		return err
	})
	o.usual.took, o.usual.at = 0, now
	if err == nil && len(took) >= 5 {
		slices.Sort(took)
		o.usual.took = took[len(took)/2]
	}
	return o.usual.took
}
