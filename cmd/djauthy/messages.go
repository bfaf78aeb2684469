package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/terminal"
)

type messagesCmd struct {
	List  messagesListCmd  `cmd:"" help:"List messages of the last day, oldest first."`
	Show  messagesShowCmd  `cmd:"" help:"Show a message."`
	Retry messagesRetryCmd `cmd:"" help:"Try a message again now, while its code lives."`
}

// messageJSON is a message as commands print one.
type messageJSON struct {
	Number         int64     `json:"number"`
	Created        time.Time `json:"created"`
	Implementation string    `json:"implementation"`
	To             string    `json:"to"`
	State          string    `json:"state"`
	Tries          int       `json:"tries"`
	Said           string    `json:"said"`
}

// messageDetail is a message as `messages show` prints it.
type messageDetail struct {
	messageJSON
	Reason   string     `json:"reason"`
	NextTry  *time.Time `json:"next_try"`
	NotAfter time.Time  `json:"not_after"`
	Done     *time.Time `json:"done"`
}

// said is what the server said, or what we say where it said nothing.
func said(m outbox.Entry) string {
	if m.Said == "" {
		return m.Reason
	}
	return m.Said
}

func toMessageJSON(m outbox.Entry) messageJSON {
	return messageJSON{
		Number: m.Number, Created: m.Created, Implementation: m.Kind, To: m.Recipient, State: m.State, Tries: m.Tries, Said: said(m),
	}
}

type messagesListCmd struct {
	State string `help:"Only messages in this state: waiting, sent, bounced or given-up." enum:",waiting,sent,bounced,given-up" default:"" placeholder:"STATE"`
}

// Run lists messages.
func (c messagesListCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	defer func() { _ = h.close() }()
	head := []string{"NUMBER", "CREATED (UTC)", "BY", "TO", "STATE", "TRIES", "SAID"}
	return terminal.List(e.out(), head, func(from outbox.Page) (lines []terminal.Line, next outbox.Page, more bool, err error) {
		some, next, err := h.outbox.List(e.ctx, c.State, from, terminal.Size)
		for _, x := range some {
			m := toMessageJSON(x)
			lines = append(lines, terminal.Row(m, fmt.Sprint(m.Number), m.Created.Format(time.DateTime), m.Implementation, m.To, m.State, fmt.Sprint(m.Tries), m.Said))
		}
		return lines, next, len(some) == terminal.Size, err
	})
}

// numbered is the message that a command is about.
type numbered struct {
	Number int64 `arg:"" help:"The number that messages list shows."`
}

func (c numbered) missing(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fmt.Errorf("there is no message %d; `djauthy messages list` shows those of the last day", c.Number)
	}
	return err
}

type messagesShowCmd struct{ numbered }

// Run shows a message.
func (c messagesShowCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	m, err := h.outbox.Find(e.ctx, c.Number)
	if err = errors.Join(c.missing(err), h.close()); err != nil {
		return err
	}
	return e.showMessage(m)
}

func (e *env) showMessage(m outbox.Entry) error {
	d := messageDetail{messageJSON: toMessageJSON(m), Reason: m.Reason, NotAfter: m.NotAfter}
	next, done := "", ""
	if m.Done.IsZero() {
		d.NextTry, next = &m.Due, m.Due.Format(time.DateTime)
	} else {
		d.Done, done = &m.Done, m.Done.Format(time.DateTime)
	}
	if e.json {
		return e.print(d)
	}
	return e.table([]string{"NUMBER", fmt.Sprint(m.Number)}, [][]string{
		{"CREATED (UTC)", m.Created.Format(time.DateTime)},
		{"BY", m.Kind},
		{"TO", m.Recipient},
		{"STATE", m.State},
		{"TRIES", fmt.Sprint(m.Tries)},
		{"NEXT TRY", next},
		{"CODE OVER", m.NotAfter.Format(time.DateTime)},
		{"DONE", done},
		{"SAID", m.Said},
		{"REASON", m.Reason},
	})
}

type messagesRetryCmd struct{ numbered }

// Run makes a message due now; the server sends it.
func (c messagesRetryCmd) Run(e *env) error {
	h, err := e.open()
	if err != nil {
		return err
	}
	m, what, err := h.outbox.Retry(e.ctx, c.Number)
	if err = errors.Join(c.missing(err), h.close()); err != nil {
		return err
	}
	switch what {
	case outbox.RetrySent:
		return fmt.Errorf("message %d was sent at %s: %s", m.Number, m.Done.Format(time.DateTime), said(m))
	case outbox.RetryOver:
		return fmt.Errorf("the code of message %d was over at %s, it would let nobody in: the person has to ask for another one", m.Number, m.NotAfter.Format(time.DateTime))
	case outbox.RetrySending:
		return fmt.Errorf("message %d is being sent at this moment: look again with `djauthy messages show %d`", m.Number, m.Number)
	}
	return e.showMessage(m)
}
