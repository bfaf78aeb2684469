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
	// probeEvery is the time between two tries of the server of a channel that fails, and
	// restEvery the least time between two of one that does not.
	probeEvery = 10 * time.Second
	restEvery  = 5 * time.Second
	probeFor   = time.Minute
)

// health holds which kinds of jobs fail as a whole, as this process has seen last. It
// depends on tries of the server alone, never on a job: how one goes may depend on whom it is
// for, and there is none for ids that nothing is sent to.
type health struct {
	mu    sync.Mutex
	state map[string]*condition
}

// condition is what is known of a kind of jobs.
type condition struct {
	probing     bool
	tried       time.Time // when its server was tried last
	failedSince time.Time // zero: it works
	lasting     bool      // it does not pass by itself (Error.Lasting)
}

func newHealth() *health { return &health{state: map[string]*condition{}} }

// of is the condition of a kind. The lock is held.
func (h *health) of(kind string) *condition {
	if h.state[kind] == nil {
		h.state[kind] = &condition{}
	}
	return h.state[kind]
}

// suspect has the server of a kind tried, until it works, if it was not tried a moment ago.
// It is called for a job that failed for all recipients, and for one that is never done.
func (o *Outbox) suspect(kind string) {
	handler, ok := o.handlers[kind].(checkedHandler)
	if !ok {
		return
	}
	now := o.db.Now()
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	c := o.health.of(kind)
	if c.probing || now.Sub(c.tried).Abs() < restEvery {
		return
	}
	c.probing, c.tried = true, now
	go o.probe(kind, handler)
}

// probe tries the server of a kind until it works or the outbox ends.
func (o *Outbox) probe(kind string, handler checkedHandler) {
	for !o.probed(kind, handler) {
		select {
		case <-o.over:
			return
		case <-time.After(o.ProbeEvery):
		}
	}
}

// probed tries it once and reports whether it works.
func (o *Outbox) probed(kind string, handler checkedHandler) bool {
	ctx, cancel := context.WithTimeout(context.Background(), probeFor)
	defer cancel()
	err := handler.Check(ctx)
	now := o.db.Now()
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	c := o.health.of(kind)
	c.tried = now
	if err == nil {
		if !c.failedSince.IsZero() {
			o.log.Info("outbox: the channel works again", "channel", kind)
		}
		*c = condition{tried: now}
		return true
	}
	var se *Error
	if c.failedSince.IsZero() {
		c.failedSince = now
		o.log.Warn("outbox: the channel does not work", "channel", kind, "reason", err)
	}
	c.lasting = errors.As(err, &se) && se.Lasting
	return false
}

// Down reports whether jobs of a kind fail for all recipients, or are all delayed now.
func (o *Outbox) Down(kind string) bool {
	if s, ok := o.handlers[kind].(stuckHandler); ok && s.Stuck() {
		return true
	}
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	return !o.health.of(kind).failedSince.IsZero()
}

// Closed reports whether no job of a kind should be added: its server failed for a reason
// that does not pass by itself, or was found failing for longer than shortFault. It is the
// same for all recipients.
func (o *Outbox) Closed(kind string) bool {
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	c := o.health.of(kind)
	return !c.failedSince.IsZero() && (c.lasting || c.tried.Sub(c.failedSince) >= shortFault)
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
