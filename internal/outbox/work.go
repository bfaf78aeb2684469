package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// work does a job and hands its outcome to record. It ends when the job becomes useless.
func (o *Outbox) work(under context.Context, q Queued, s *slot) {
	now := o.db.Now()
	if now.After(q.leaseEnds.Add(-lease / 3)) { // the next renewal might come too late
		o.flight.drop(q.job.ID)
		return // it stays in the table until it is claimed again
	}
	if now.After(q.job.NotAfter) {
		o.done <- outcomeOf(q, now, "", cannotDo{"too late: the code has expired"})
		return
	}
	defer time.AfterFunc(o.slowAfter, s.slowDown).Stop()
	ctx, cancel := context.WithTimeout(under, q.job.NotAfter.Sub(now))
	defer cancel()
	said, err := o.try(ctx, q)
	out := outcomeOf(q, o.db.Now(), said, err)
	if out.cut = err != nil && under.Err() != nil && !out.unknown(); !out.cut {
		o.notice(q.job.Kind, err)
	}
	o.done <- out
}

// notice has the server tried after a job that failed for all recipients.
func (o *Outbox) notice(kind string, err error) {
	var se *Error
	if errors.As(err, &se) && se.Down {
		o.suspect(kind)
	}
}

// GiveUp is the error of a job that cannot be done, although no server has refused it.
func GiveUp(reason string) error { return cannotDo{reason} }

type cannotDo struct{ reason string }

func (e cannotDo) Error() string { return e.reason }

func (o *Outbox) try(ctx context.Context, q Queued) (said string, err error) {
	if q.bad != nil {
		return "", cannotDo{"its row cannot be read: " + q.bad.Error()}
	}
	h, ok := o.handlers[q.job.Kind]
	if !ok {
		return "", cannotDo{"no sender for " + q.job.Kind}
	}
	defer func() {
		if p := recover(); p != nil {
			err = cannotDo{fmt.Sprintf("panic: %v", p)}
		}
	}()
	return h.Do(ctx, q.job)
}

// DeliverAll hands jobs to workers once the response has been written (after); after nil: at
// once.
func (o *Outbox) DeliverAll(all []Queued, after func(fn func())) {
	for _, q := range all {
		if after == nil {
			o.Deliver(q)
			continue
		}
		after(func() { o.Deliver(q) })
	}
}
