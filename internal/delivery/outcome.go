package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// outcome is what became of one try.
type outcome struct {
	q    Queued
	said string // by the other side, about a message that was sent
	err  error
	at   time.Time
}

// record writes down what became of messages: all outcomes of a moment, in one
// transaction.
func (o *Outbox) record() {
	for first := range o.done {
		group := []outcome{first}
		if len(o.done) < claimSize {
			time.Sleep(linger)
		}
		for len(o.done) > 0 && len(group) < backlog {
			group = append(group, <-o.done)
		}
		// What is not recorded is sent again when its claim ends: doubled, not lost.
		err := o.note(group)
		if db.Unavailable(err) { // for all of them, and each would wait for it anew
			o.log.Error("outbox: cannot record what was sent", "messages", len(group), "err", err)
			continue
		}
		for i := 0; err != nil && i < len(group); i++ { // one that cannot be written holds back no other
			if one := o.note(group[i : i+1]); one != nil {
				o.log.Error("outbox: cannot record what was sent", "message", group[i].q.id, "err", one)
			}
		}
	}
}

// note writes outcomes down and tells of them.
func (o *Outbox) note(group []outcome) error {
	err := o.db.Sequence(context.Background(), db.Shared(func(tx *db.Tx) error {
		for _, out := range group {
			if err := write(tx, out); err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		return err
	}
	for _, out := range group {
		o.tell(out)
	}
	return nil
}

func write(tx *db.Tx, out outcome) error {
	at := out.at.UnixMilli()
	switch {
	case out.err == nil:
		_, err := tx.Exec(`UPDATE outbox SET state = 1, done_at = $2, sealed = $3 WHERE id = $1`, out.q.id, at, []byte{})
		return err
	case out.final():
		_, err := tx.Exec(`UPDATE outbox SET state = 2, done_at = $2, sealed = $3, reason = $4 WHERE id = $1`, out.q.id, at, []byte{}, out.reason())
		return err
	}
	_, err := tx.Exec(`UPDATE outbox SET due_at = $2, reason = $3 WHERE id = $1 AND state = 0`, out.q.id, out.retry().UnixMilli(), out.reason())
	return err
}

// reason is the error as text that every database takes.
func (out outcome) reason() string {
	return strings.ToValidUTF8(strings.ReplaceAll(out.err.Error(), "\x00", ""), "?")
}

// final reports whether a failed message is given up.
func (out outcome) final() bool {
	var se *SendError
	return errors.As(out.err, &se) && se.Permanent || out.retry().After(out.q.notAfter)
}

// retry is when to try again: after 2 s, 4 s, … at most a minute, and up to a
// quarter more so that not all come at once.
func (out outcome) retry() time.Time {
	wait := min(time.Second<<min(out.q.tries, 6), time.Minute)
	return out.at.Add(wait + rand.N(wait/4+1)) //nolint:gosec // jitter
}

func (o *Outbox) tell(out outcome) {
	channel := out.q.message.Channel
	took := out.at.Sub(out.q.id.Time())
	if out.err == nil {
		o.stats.Sent(channel, took)
		o.log.Debug("message sent", "message", out.q.id, "channel", channel, "tries", out.q.tries, "took", took.String())
		return
	}
	o.stats.Failed(channel, out.final())
	if out.final() {
		o.log.Error("message given up", "message", out.q.id, "channel", channel, "tries", out.q.tries, "reason", out.err)
		return
	}
	o.log.Warn("message not sent yet, will try again", "message", out.q.id, "channel", channel, "tries", out.q.tries, "reason", out.err)
}
