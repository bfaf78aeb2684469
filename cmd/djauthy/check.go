package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
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

const (
	// checkFor bounds the check of the mail server; a greeting may take half of it.
	checkFor = time.Minute
	// sendFor bounds the test message.
	sendFor = 11 * time.Minute
	// patientFor is when a person who waits is told what for.
	patientFor = 10 * time.Second
)

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
			if h.db.BehindPooler() {
				all = append(all, finding{"database", true, "behind a connection pooler: statements are not prepared there, which costs time"})
			}
			add("database writes", h.tryWrite(e.ctx), h.db.Engine()+" takes and keeps rows")
			add("clock", h.tryClock(e.ctx), "plausible")
			add("sender", h.trySender(), "at "+senderDomain(h.cfg.Email.From))
			mail := add("email", h.tryMail(e.ctx), mailNote(h))
			if h.bus != nil {
				add("bus", h.bus.Check(e.ctx), "the broker answers, queues are there")
			}
			switch {
			case c.Send != "" && !mail: // it would take as long to say the same
				add("test message", errors.New("not sent: see email"), "")
			case c.Send != "":
				said, err := h.trySend(e, c.Send)
				add("test message", err, sendNote(h, said))
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

func mailNote(h *app) string {
	if h.cfg.LocalMailbox() {
		return "no mail server is set: messages stay in the local mailbox"
	}
	return fmt.Sprintf("%s:%d answers (tls %s)", h.cfg.Email.Host, h.cfg.Email.Port, h.cfg.Email.TLS)
}

// sendNote tells of a test message that was sent, in the mail server's words.
func sendNote(h *app, said string) string {
	if h.cfg.LocalMailbox() {
		return "printed above; with email.host set it goes to a mail server"
	}
	return "handed over; the mail server said: " + said
}

func (h *app) tryWrite(ctx context.Context) error {
	if err := h.db.TryWrite(ctx); err != nil {
		return fmt.Errorf("%w (is the disk full, or the folder read-only?)", err)
	}
	return nil
}

// built is a day before which no clock that is right can be.
var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (h *app) tryClock(ctx context.Context) error {
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

// trySender looks whether messages of a public site come from a place that
// exists: receivers refuse those that do not.
func (h *app) trySender() error {
	if !h.cfg.HTTPS() || h.cfg.LocalMailbox() {
		return nil
	}
	domain := senderDomain(h.cfg.Email.From)
	for _, private := range []string{"localhost", "local", "localdomain"} {
		if domain == "" || domain == private || strings.HasSuffix(domain, "."+private) {
			return fmt.Errorf("messages would come from %q, which most mail servers refuse: set email.from to an address at a domain of your own, such as noreply@%s", domain, h.cfg.PublicHost())
		}
	}
	return nil
}

// senderDomain is the domain of a sender in small letters, without a final dot.
func senderDomain(from string) string {
	a, err := mail.ParseAddress(from)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(a.Address[strings.LastIndex(a.Address, "@")+1:], "."))
}

// tryMail greets the mail server. The local mailbox needs no greeting.
func (h *app) tryMail(ctx context.Context) error {
	if h.cfg.LocalMailbox() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	return h.channels.Check(ctx)
}

// trySend sends a test message and returns what the mail server said. It has the
// time that the server may take (RFC 5321 4.5.3.2.6).
func (h *app) trySend(e *env, text string) (string, error) {
	found, refusal := h.discovery.Resolve(text, "")
	if refusal != "" {
		return "", fmt.Errorf("%q: %s", text, h.words.Get("en").T("problem.id."+string(refusal)))
	}
	ctx, cancel := context.WithTimeout(e.ctx, sendFor)
	defer cancel()
	if h.mailbox != nil {
		go func() { _ = h.mailbox.Run(ctx) }()
	}
	defer time.AfterFunc(patientFor, func() {
		fmt.Fprintln(e.stderr, "djauthy: the mail server takes its time, which large ones do; waiting for its answer")
	}).Stop()
	return h.channels.Send(ctx, delivery.Message{
		To: accounts.ID{Implementation: accounts.Email, Identifier: found.ID.Deliverable(found.Address)}, Kind: "test", Lang: "en",
		Text: delivery.Text{Site: h.cfg.Brand.Name, Host: h.cfg.PublicHost()},
	}, h.db.Now())
}
