// Package delivery sends messages to people.
//
// It owns the wording of messages and one Sender for each channel. Messages are queued
// in package outbox, whose handler for each channel this package makes. It does not
// decide who gets what.
package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/words"
)

// Channels are the ways to reach people, by the name of their implementation.
type Channels struct {
	senders map[string]Sender
	wording *wording
}

// New returns channels. Templates are mail/* of files.
func New(files fs.FS, texts *words.Catalogue, senders map[string]Sender) (*Channels, error) {
	w, err := newWording(files, texts)
	if err != nil {
		return nil, fmt.Errorf("message templates: %w", err)
	}
	return &Channels{senders: senders, wording: w}, nil
}

// Handlers are what the outbox needs to send messages.
func (c *Channels) Handlers() map[string]outbox.Handler {
	all := map[string]outbox.Handler{}
	for name, s := range c.senders {
		all[name] = channel{s, c.wording}
	}
	return all
}

// Check tries a channel short of sending.
func (c *Channels) Check(ctx context.Context, name string) error {
	s, ok := c.senders[name]
	if !ok {
		return fmt.Errorf("no sender for %s", name)
	}
	return s.Check(ctx)
}

// Send sends a message at once, without the queue, for `djauthy check --send`, and returns
// the receiver's reply.
func (c *Channels) Send(ctx context.Context, m Message, at time.Time) (said string, err error) {
	s, ok := c.senders[m.To.Implementation]
	if !ok {
		return "", fmt.Errorf("no sender for %s", m.To.Implementation)
	}
	j := m.Job(time.Time{})
	j.ID = db.FirstID(at)
	return channel{s, c.wording}.Do(ctx, j)
}

// channel is one way to reach people, as a handler of the outbox.
type channel struct {
	Sender
	wording *wording
}

// Read makes a message of a stored payload.
func (c channel) Read(stored []byte) (outbox.Job, error) {
	var p payload
	err := json.Unmarshal(stored, &p)
	return p.message().Job(time.Time{}), err
}

// Do renders a message and sends it.
func (c channel) Do(ctx context.Context, j outbox.Job) (said string, err error) {
	m := j.Payload.(payload).message()
	w, err := c.wording.word(m)
	if err != nil {
		return "", outbox.GiveUp("wording: " + err.Error())
	}
	// The same at each try, so that a mail program shows a duplicate once.
	w.ID, w.Date = fmt.Sprintf("%x", uint64(j.ID)), j.ID.Time()
	said, err = c.Send(ctx, w)
	return m.strike(said), m.struck(err)
}

// Bounced records in the outbox that a message came back after it was sent. id is that of
// its Worded.
func Bounced(out *outbox.Outbox, channel, id, said string) {
	if n, err := strconv.ParseUint(id, 16, 64); err == nil {
		out.Bounced(channel, db.ID(n), said)
	}
}

// Stuck reports whether the channel delays all messages.
func (c channel) Stuck() bool {
	s, ok := c.Sender.(stuckSender)
	return ok && s.Stuck()
}

// strike removes the message's secrets from the receiver's reply: some servers repeat the
// subject, which contains the code.
func (m Message) strike(said string) string {
	for _, secret := range []string{m.Text.Code, path.Base(m.Text.Link), path.Base(m.Text.NotMe)} {
		if len(secret) >= outbox.MinSecret {
			said = strings.ReplaceAll(said, secret, "***")
		}
	}
	return said
}

func (m Message) struck(err error) error {
	var e *outbox.Error
	if !errors.As(err, &e) {
		return err
	}
	clone := *e
	clone.Reason, clone.Said = m.strike(e.Reason), m.strike(e.Said)
	return &clone
}
