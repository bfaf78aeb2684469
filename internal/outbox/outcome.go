package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// outcome is the result of one try.
type outcome struct {
	q     Queued
	at    time.Time
	state state     // of the job from now on
	next  time.Time // of a waiting job: when to try again
	said  string    // by the other side, addresses masked
	err   error
	cut   bool // it was stopped because this process ends; it did not fail
}

// outcomeOf decides the state of a job after a try.
func outcomeOf(q Queued, at time.Time, said string, err error) outcome {
	out := outcome{q: q, at: at, said: said, err: err, state: sent}
	if err == nil {
		return out
	}
	var refusal *Error
	var never cannotDo
	if errors.As(err, &refusal) {
		out.said = refusal.Said
	}
	out.next = at.Add(out.pause())
	switch {
	case refusal != nil && refusal.Permanent:
		out.state = bounced
	case errors.As(err, &never), out.next.After(q.job.NotAfter):
		out.state = givenUp
	default:
		out.state = waiting
	}
	return out
}

func (out outcome) unknown() bool {
	var se *Error
	return errors.As(out.err, &se) && se.Unknown
}

// unknownPause is the time between tries of a job that may have been delivered: at most
// three tries in ten minutes.
const unknownPause = 4 * time.Minute

// pause is how long to wait after a failure (exponential backoff): 2 s, 4 s, … at most a
// minute, and up to a quarter more as jitter.
func (out outcome) pause() time.Duration {
	wait := min(time.Second<<min(out.q.tries, 6), time.Minute)
	if out.unknown() {
		wait = unknownPause
	}
	return wait + rand.N(wait/4+1) //nolint:gosec // jitter
}

// final reports whether there will be no other try.
func (out outcome) final() bool { return out.state != waiting }

// record writes the outcomes of jobs, those that end within Linger in one transaction.
func (o *Outbox) record() {
	for first := range o.done {
		group := []outcome{first}
		if len(o.done) < claimSize {
			time.Sleep(o.Linger)
		}
		for len(o.done) > 0 && len(group) < backlog {
			group = append(group, <-o.done)
		}
		slices.SortFunc(group, func(a, b outcome) int { return byID(a.q, b.q) })
		o.writeAll(group)
		for _, out := range group {
			o.flight.drop(out.q.job.ID)
		}
	}
}

// writeAll writes a group, or each outcome by itself if that fails. A job whose outcome
// cannot be written is done again when its lease ends.
func (o *Outbox) writeAll(group []outcome) {
	err := o.write(group)
	if db.Unavailable(err) { // each single outcome would wait for the database again
		o.log.Error("outbox: cannot record what was sent", "messages", len(group), "err", err)
		return
	}
	for i := 0; err != nil && i < len(group); i++ { // one that cannot be written holds back no other
		if alone := o.write(group[i : i+1]); alone != nil {
			o.log.Error("outbox: cannot record what was sent", "message", Number(group[i].q.job.ID), "err", alone)
		}
	}
}

// write writes outcomes, in the order of their ids, and reports them.
func (o *Outbox) write(group []outcome) error {
	err := o.db.Sequence(context.Background(), db.ReadCommitted(func(tx *db.Tx) error {
		for _, out := range group {
			if err := update(tx, out); err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		return err
	}
	for _, out := range group {
		o.report(out)
	}
	return nil
}

func update(tx *db.Tx, out outcome) (err error) {
	id, at := out.q.job.ID, out.at
	switch {
	case out.cut:
		return unclaim(tx, id)
	case out.state == sent:
		_, err = tx.Exec(`UPDATE outbox SET state = 1, done_at = $2, sealed = $3, said = $4, reason = '', leased = 0 WHERE id = $1`, id, at, []byte{}, out.said)
	case out.final(): // its payload stays until its code expires: an operator may retry it
		_, err = tx.Exec(`UPDATE outbox SET state = $2, done_at = $3, said = $4, reason = $5, leased = 0 WHERE id = $1 AND state = 0`,
			id, int64(out.state), at, out.said, out.reason())
	default:
		_, err = tx.Exec(`UPDATE outbox SET due_at = $2, said = $3, reason = $4, leased = 0 WHERE id = $1 AND state = 0`,
			id, out.next, out.said, out.reason())
	}
	return err
}

// reason is the error as text that every database accepts.
func (out outcome) reason() string {
	text := out.err.Error()
	var se *Error
	if errors.As(out.err, &se) {
		text = se.Reason
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "?")
}

func (o *Outbox) report(out outcome) {
	channel := out.q.job.Kind
	took := max(out.at.Sub(out.q.job.ID.Time()), 0) // less where the clock was set back
	log := o.log.With("message", Number(out.q.job.ID), "channel", channel, "tries", out.q.tries)
	switch {
	case out.cut:
		log.Info("message released: this process stops")
	case out.err == nil:
		o.stats.Sent(channel, took)
		log.Debug("message sent", "took", took.String(), "said", out.said)
	case out.final():
		o.stats.Failed(channel, true)
		log.Error("message given up", "state", out.state.String(), "reason", out.err)
	default:
		o.stats.Failed(channel, false)
		log.Warn("message not sent yet, will try again", "next", out.next.UTC().Format(time.RFC3339), "reason", out.err)
	}
}
