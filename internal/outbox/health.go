package outbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

const (
	// shortFault is how long a channel may fail before it counts as closed: a server that is
	// restarted is back by then, and messages wait for it.
	shortFault = 30 * time.Second
	// probeEvery is the least time between two tries of a closed channel's server.
	probeEvery = 10 * time.Second
	probeFor   = time.Minute
)

// health holds which kinds of jobs fail as a whole (Error.Down), as this process has seen
// last. It never depends on one person's job.
type health struct {
	mu     *sync.Mutex
	faults map[string]*fault
}

// fault is what is wrong with a kind of jobs.
type fault struct {
	since   time.Time // of its first failure in a row
	lasting bool      // it does not pass by itself (Error.Lasting)
	tried   time.Time // when a job or its server was tried last
}

func newHealth() health { return health{new(sync.Mutex), map[string]*fault{}} }

func (h health) record(kind string, err error, at time.Time) {
	var se *Error
	h.mu.Lock()
	defer h.mu.Unlock()
	if !errors.As(err, &se) || !se.Down {
		delete(h.faults, kind)
		return
	}
	if h.faults[kind] == nil {
		h.faults[kind] = &fault{since: at}
	}
	h.faults[kind].lasting, h.faults[kind].tried = se.Lasting, at
}

// Down reports whether jobs of a kind fail for all recipients, as the last one did, or are
// all delayed now.
func (o *Outbox) Down(kind string) bool {
	if s, ok := o.handlers[kind].(stuckHandler); ok && s.Stuck() {
		return true
	}
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	return o.health.faults[kind] != nil
}

// Closed reports whether no job of a kind should be added: the last one failed for a reason
// that does not pass by itself, or all have failed for longer than shortFault. It is the
// same for all recipients. Where no job is left that would find out, it tries the server now
// and then.
func (o *Outbox) Closed(kind string) bool {
	now := o.db.Now()
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	f := o.health.faults[kind]
	if f == nil || !f.lasting && now.Sub(f.since) < shortFault {
		return false
	}
	if h, ok := o.handlers[kind].(checkedHandler); ok && now.Sub(f.tried) >= probeEvery {
		f.tried = now
		go o.probe(kind, h)
	}
	return true
}

// probe opens a kind of jobs again if its server answers.
func (o *Outbox) probe(kind string, h checkedHandler) {
	ctx, cancel := context.WithTimeout(context.Background(), probeFor)
	defer cancel()
	if err := h.Check(ctx); err != nil {
		return
	}
	o.health.record(kind, nil, o.db.Now())
	o.log.Info("outbox: the channel works again", "channel", kind)
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
