package main

import (
	"context"
	"fmt"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
)

type checkCmd struct {
	Send string `help:"Also send a test message to this id." placeholder:"ID"`
}

// finding is the outcome of one check.
type finding struct {
	What string `json:"check"`
	OK   bool   `json:"ok"`
	Note string `json:"note"`
}

// checkFor bounds one check.
const checkFor = 20 * time.Second

// Run tries everything and reports it all before it fails.
func (c checkCmd) Run(e *env) error {
	var all []finding
	add := func(what string, err error, good string) bool {
		f := finding{what, err == nil, good}
		if err != nil {
			f.Note = err.Error()
		}
		all = append(all, f)
		return err == nil
	}
	_, warnings, err := e.settings()
	if add("settings", err, "understood") {
		for _, w := range warnings {
			all = append(all, finding{"settings", true, "warning: " + w})
		}
		h, err := e.open()
		if add("database", err, "opens, up to date, secret key fits") {
			defer func() { _ = h.close() }()
			add("database writes", h.tryWrite(e.ctx), h.db.Engine()+" takes and keeps rows")
			add("clock", h.tryClock(e.ctx), "plausible")
			add("email", h.tryMail(e.ctx), mailNote(h))
			if h.bus != nil {
				add("bus", h.bus.Check(e.ctx), "the broker answers, queues are there")
			}
			if c.Send != "" {
				add("test message", h.trySend(e, c.Send), sendNote(h))
			}
		}
	}
	return e.report(all)
}

func (e *env) report(all []finding) error {
	bad := 0
	var rows [][]string
	for _, f := range all {
		word := "ok"
		if !f.OK {
			bad++
			word = "FAILED"
		}
		rows = append(rows, []string{f.What, word, f.Note})
	}
	var err error
	if e.json {
		err = e.print(all)
	} else {
		err = e.table([]string{"CHECK", "", ""}, rows)
	}
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d of %d checks failed", bad, len(all))
	}
	return err
}

func mailNote(h *house) string {
	if h.cfg.LocalMailbox() {
		return "no mail server is set: messages stay in the local mailbox"
	}
	return fmt.Sprintf("%s:%d answers (tls %s)", h.cfg.Email.Host, h.cfg.Email.Port, h.cfg.Email.TLS)
}

func sendNote(h *house) string {
	if h.cfg.LocalMailbox() {
		return "printed above; with email.host set it goes to a mail server"
	}
	return "handed over; look into the mailbox"
}

// tryWrite writes a row and takes it away again, in two durable steps.
func (h *house) tryWrite(ctx context.Context) error {
	for _, query := range []string{
		`INSERT INTO meta (key, value) VALUES ('check', 'x') ON CONFLICT (key) DO UPDATE SET value = 'x'`,
		`DELETE FROM meta WHERE key = 'check'`,
	} {
		if err := h.db.Update(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(query)
			return err
		}); err != nil {
			return fmt.Errorf("%w (is the disk full, or the folder read-only?)", err)
		}
	}
	return nil
}

// built is a day before which no clock that is right can be.
var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (h *house) tryClock(ctx context.Context) error {
	now := time.Now()
	if now.Before(built) {
		return fmt.Errorf("this machine believes it is %s: set its clock, or codes and sessions expire at the wrong time", now.Format(time.DateOnly))
	}
	theirs, err := h.db.ServerTime(ctx)
	if err != nil {
		return err
	}
	if d := theirs.Sub(now).Abs(); d > 5*time.Second {
		return fmt.Errorf("the database's clock differs from this machine's by %s: run a time service on both", d.Round(time.Second))
	}
	return nil
}

// tryMail greets the mail server. The local mailbox needs no greeting.
func (h *house) tryMail(ctx context.Context) error {
	if h.cfg.LocalMailbox() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	if err := h.outbox.Check(ctx); err != nil {
		return fmt.Errorf("%w (look at email.host, port, tls, username and password)", err)
	}
	return nil
}

func (h *house) trySend(e *env, text string) error {
	found, refusal := h.discovery.Resolve(text, "")
	if refusal != "" {
		return fmt.Errorf("%q: %s", text, h.words.Get("en").T("problem.id."+string(refusal)))
	}
	ctx, cancel := context.WithTimeout(e.ctx, checkFor)
	defer cancel()
	if h.mailbox != nil {
		go func() { _ = h.mailbox.Run(ctx) }()
	}
	_, err := h.outbox.Now(ctx, delivery.Message{
		Channel: accounts.Email, To: found.Address.Deliverable(), Kind: "test", Lang: "en",
		Text: delivery.Text{Site: h.cfg.Brand.Name, Host: h.cfg.PublicHost()},
	})
	return err
}
