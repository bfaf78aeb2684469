// Package check tries everything that is configured and says what is wrong and how to mend
// it, for `djauthy check`. It owns no table and keeps nothing.
package check

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/sites"
	"github.com/djauthy/djauthy/internal/words"
)

// Finding is the outcome of one try. Its field names are printed as JSON.
type Finding struct {
	What string `json:"check"`
	OK   bool   `json:"ok"`
	Note string `json:"note"` // what was found, or what is wrong and how to mend it
}

// Found is a finding: err, or the note if that is nil.
func Found(what string, err error, note string) Finding {
	if err != nil {
		return Finding{what, false, err.Error()}
	}
	return Finding{what, true, note}
}

// House is what is tried.
type House struct {
	Config    *config.Config
	DB        *db.DB
	Channels  *delivery.Channels
	Outbox    *outbox.Outbox
	Discovery accounts.Discovery
	Words     *words.Catalogue
	Factors   multifactor.Server
	Sites     []*sites.Site
	Provider  func(ctx context.Context, name string) (note string, err error)
	Bus       func(context.Context) error // tries the bus; nil: there is none
	Mailbox   func(context.Context) error // runs the local mailbox; nil: there is none
	Waiting   func()                      // called when a test message takes its time
}

const (
	// checkFor bounds the check of the mail server; a greeting may take half of it.
	checkFor = time.Minute
	// sendFor bounds the test message.
	sendFor = 11 * time.Minute
	// patientFor is when a person who waits is told what for.
	patientFor = 10 * time.Second
)

// Run tries everything. If send is not "", a test message goes to that id.
func (h House) Run(ctx context.Context, send string) (all []Finding) {
	add := func(what string, err error, note string) bool {
		all = append(all, Found(what, err, note))
		return err == nil
	}
	if h.DB.BehindPooler() {
		add("database", nil, "behind a connection pooler: statements are not prepared there, which costs time")
	}
	add("database writes", h.tryWrite(ctx), h.DB.Engine()+" takes and keeps rows")
	add("clock", h.tryClock(ctx), "plausible")
	add("sender", h.trySender(), "at "+senderDomain(h.Config.Email.From))
	works := map[string]bool{}
	for _, channel := range h.Discovery.Channels() {
		works[channel] = add(channel, h.tryChannel(ctx, channel), h.channelNote(channel))
	}
	for _, p := range h.Discovery.Providers {
		note, err := h.Provider(ctx, p.Name)
		add("provider "+p.Name, err, note)
	}
	if len(h.Sites) > 0 {
		all = append(all, h.trySites(ctx)...)
	}
	if h.Bus != nil {
		add("bus", h.Bus(ctx), "the broker answers, queues are there")
	}
	if send != "" {
		note, err := h.trySend(ctx, send, works)
		add("test message", err, note)
	}
	return all
}

// channelNote says what was tried of a channel.
func (h House) channelNote(channel string) string {
	switch {
	case channel != accounts.Email:
		return "its server answers"
	case h.Config.LocalMailbox() && len(h.Config.TrustedProxies) > 0: // anybody might read the page through the proxy
		return "no mail server is set: messages appear where the server runs, and on no page while trusted_proxies is set"
	case h.Config.LocalMailbox():
		return "no mail server is set: messages stay in the local mailbox"
	}
	return fmt.Sprintf("%s:%d answers (tls %s)", h.Config.Email.Host, h.Config.Email.Port, h.Config.Email.TLS)
}

// sendNote tells of a test message that was sent, in the receiver's words.
func (h House) sendNote(channel, said string) string {
	switch {
	case said == "":
		return "handed over"
	case channel != accounts.Email:
		return "handed over; the server said: " + said
	case h.Config.LocalMailbox():
		return "printed above; with email.host set it goes to a mail server"
	}
	return "handed over; the mail server said: " + said
}

func (h House) tryWrite(ctx context.Context) error {
	if err := h.DB.TryWrite(ctx); err != nil {
		return fmt.Errorf("%w (is the disk full, or the folder read-only?)", err)
	}
	return nil
}

// built is a day before which no clock that is right can be.
var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (h House) tryClock(ctx context.Context) error {
	now := time.Now()
	if now.Before(built) {
		return fmt.Errorf("this machine believes it is %s: set its clock, or codes and sessions expire at the wrong time", now.Format(time.DateOnly))
	}
	theirs, err := h.DB.ServerTime(ctx)
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
func (h House) trySender() error {
	if !h.Config.HTTPS() || h.Config.LocalMailbox() {
		return nil
	}
	domain := senderDomain(h.Config.Email.From)
	for _, private := range []string{"localhost", "local", "localdomain"} {
		if domain == "" || domain == private || strings.HasSuffix(domain, "."+private) {
			return fmt.Errorf("messages would come from %q, which most mail servers refuse: set email.from to an address at a domain of your own, such as noreply@%s", domain, h.Config.PublicHost())
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

// tryChannel greets the server of a channel. The local mailbox needs no greeting.
func (h House) tryChannel(ctx context.Context, channel string) error {
	if channel == accounts.Email && h.Config.LocalMailbox() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	return h.Channels.Check(ctx, channel)
}

// trySend sends a test message and says what came of it. It has the time that a mail server
// may take (RFC 5321 4.5.3.2.6).
func (h House) trySend(ctx context.Context, text string, works map[string]bool) (note string, err error) {
	all, refusal := h.Discovery.Candidates(text, "")
	if refusal != "" {
		return "", fmt.Errorf("%q: %s", text, h.Words.Get("en").T("problem.id."+string(refusal)))
	}
	at := slices.IndexFunc(all, func(c accounts.Candidate) bool { return !accounts.Redirects(c.ID.Implementation) })
	if at < 0 {
		return "", fmt.Errorf("%q leads to a provider, which takes no messages: name an address", text)
	}
	found := all[at]
	channel := found.ID.Implementation
	if !works[channel] { // it would take as long to say the same
		return "", errors.New("not sent: see " + channel)
	}
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	if h.Mailbox != nil {
		go func() { _ = h.Mailbox(ctx) }()
	}
	defer time.AfterFunc(patientFor, h.Waiting).Stop()
	m := delivery.Message{
		To: accounts.ID{Implementation: channel, Identifier: found.ID.Deliverable(found.Address)}, Kind: "test", Lang: "en",
		Text: delivery.Text{Site: h.Config.Brand.Name, Host: h.Config.PublicHost()},
	}
	said, err := h.Channels.Send(ctx, m, h.DB.Now())
	if e := (*outbox.Error)(nil); errors.As(err, &e) && e.Occupied {
		return h.leave(ctx, m)
	}
	return h.sendNote(channel, said), err
}

// lookEvery is how often leave looks what became of its message.
const lookEvery = 200 * time.Millisecond

// leave has the server send a message that holds the channel's only connection.
func (h House) leave(ctx context.Context, m delivery.Message) (note string, err error) {
	number, err := h.Outbox.Leave(ctx, m.Job(h.DB.Now().Add(sendFor)))
	if err != nil {
		return "", err
	}
	for {
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return "", fmt.Errorf("the message waits for the server that holds the connection: see djauthy messages show %d", number)
		}
		e, err := h.Outbox.Find(ctx, number)
		switch {
		case err != nil:
			return "", err
		case e.State == "sent":
			return "handed over by the server that runs", nil
		case e.State != "waiting":
			return "", fmt.Errorf("%s: %s %s", e.State, e.Reason, e.Said)
		}
	}
}
