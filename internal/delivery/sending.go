package delivery

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// send sends a message and hands its outcome to record. It takes as long as the
// message is useful, at the most.
func (o *Outbox) send(under context.Context, q Queued, s *slot) {
	now := o.db.Now()
	if now.After(q.leaseEnds.Add(-lease / 3)) { // the next renewal might come too late
		o.flight.drop(q.id)
		return // it stays in the table, and whoever claims it next sends it
	}
	if now.After(q.notAfter) {
		o.done <- settle(q, now, "", hopeless{"too late: the code has expired"})
		return
	}
	defer time.AfterFunc(o.slowAfter, s.slowDown).Stop()
	ctx, cancel := context.WithTimeout(under, q.notAfter.Sub(now))
	defer cancel()
	said, err := o.attempt(ctx, q)
	out := settle(q, o.db.Now(), said, err)
	if out.cut = err != nil && under.Err() != nil && !out.unknown(); !out.cut {
		o.health.note(q.message.Channel, err)
	}
	o.done <- out
}

// hopeless is why a message is given up that no server has refused.
type hopeless struct{ reason string }

func (e hopeless) Error() string { return e.reason }

func (o *Outbox) attempt(ctx context.Context, q Queued) (said string, err error) {
	if q.bad != nil {
		return "", hopeless{"its row cannot be read: " + q.bad.Error()}
	}
	sender, ok := o.senders[q.message.Channel]
	if !ok {
		return "", hopeless{"no sender for " + q.message.Channel}
	}
	defer func() {
		if p := recover(); p != nil {
			err = hopeless{fmt.Sprintf("panic: %v", p)}
		}
	}()
	w, err := o.wording.word(q.message)
	if err != nil {
		return "", hopeless{"wording: " + err.Error()}
	}
	// The same at each try, so that a mail program shows a doubled message once.
	w.ID, w.Date = fmt.Sprintf("%x", uint64(q.id)), o.db.Now()
	said, err = sender.Send(ctx, w)
	return q.message.strike(said), q.message.struck(err)
}

// strike removes the message's own secrets from what the other side said about
// it: some servers repeat the subject, which holds the code.
func (m Message) strike(said string) string {
	for _, secret := range []string{m.Text.Code, path.Base(m.Text.Link), path.Base(m.Text.NotMe)} {
		if len(secret) >= minSecret {
			said = strings.ReplaceAll(said, secret, "***")
		}
	}
	return said
}

func (m Message) struck(err error) error {
	var se *SendError
	if !errors.As(err, &se) {
		return err
	}
	clone := *se
	clone.Reason, clone.Said = m.strike(se.Reason), m.strike(se.Said)
	return &clone
}

// Now words and sends a message at once and past the table, for `djauthy
// check --send`, and returns what the other side said.
func (o *Outbox) Now(ctx context.Context, m Message) (string, error) {
	return o.attempt(ctx, Queued{id: db.FirstID(o.db.Now()), message: m, tries: 1})
}
