package delivery

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/djauthy/djauthy/internal/db"
)

func (o *Outbox) send(under context.Context, q Queued) {
	now := o.db.Now()
	if now.After(q.leaseEnds.Add(-sendLimit / 2)) {
		return // it waited so long that another may claim it; it stays in the table
	}
	if now.After(q.notAfter) {
		o.done <- outcome{q, "", &SendError{Permanent: true, Reason: "too late: the code has expired"}, now}
		return
	}
	ctx, cancel := context.WithTimeout(under, sendLimit)
	defer cancel()
	said, err := o.attempt(ctx, q)
	o.health.note(q.message.Channel, err)
	o.done <- outcome{q, said, err, o.db.Now()}
}

func (o *Outbox) attempt(ctx context.Context, q Queued) (said string, err error) {
	sender, ok := o.senders[q.message.Channel]
	if !ok {
		return "", &SendError{Permanent: true, Reason: "no sender for " + q.message.Channel}
	}
	defer func() {
		if p := recover(); p != nil {
			err = &SendError{Permanent: true, Reason: fmt.Sprintf("panic: %v", p)}
		}
	}()
	w, err := o.wording.word(q.message)
	if err != nil {
		return "", &SendError{Permanent: true, Reason: "wording: " + err.Error()}
	}
	w.ID, w.Date = fmt.Sprintf("%x.%d", uint64(q.id), q.tries), o.db.Now()
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
