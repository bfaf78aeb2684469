package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

const (
	// idleLimit is how long a connection is kept unused; servers cut off
	// after five minutes (RFC 5321 4.5.3.2.7), many sooner.
	idleLimit = 20 * time.Second
	// smtpTimeout bounds the dial, and the whole of one message.
	smtpTimeout = 15 * time.Second
)

// SMTP is how to reach the mail server.
type SMTP struct {
	Host     string
	Port     int
	TLS      string // "starttls", "implicit" or "none"
	Username string // empty: no authentication
	Password string
	From     string // as in RFC 5322 3.4: Name <address>
	Helo     string // what to call ourselves; never the machine's own name
}

// smtpSender keeps connections to one server, each used by one worker at a
// time.
type smtpSender struct {
	client *gomail.Client
	from   *mail.Address
	domain string
	idle   chan kept
}

type kept struct {
	conn  *smtp.Client
	since time.Time
}

// NewSMTP returns the sender of the email channel. It dials at the first
// message.
func NewSMTP(s SMTP) (Sender, error) {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("email.from: %w", err)
	}
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTimeout(smtpTimeout), gomail.WithHELO(s.Helo),
		// A server that is gone is noticed at MAIL FROM, and the end of DATA resets
		// it (RFC 5321 4.1.1.4): neither needs a command of its own.
		gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	switch s.TLS {
	case "implicit":
		options = append(options, gomail.WithSSL())
	case "starttls":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.Username), gomail.WithPassword(s.Password))
	}
	client, err := gomail.NewClient(s.Host, options...)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	return &smtpSender{client, from, domain, make(chan kept, workers)}, nil
}

// Send hands a message over within its context. The SMTP client knows no
// context after the dial, so a server that stalls is left to the client's own
// timeout, and is told as a channel that does not work.
func (s *smtpSender) Send(ctx context.Context, w Worded) (string, error) {
	done := make(chan error, 1)
	go func() { done <- s.send(ctx, w) }()
	select {
	case err := <-done:
		return "", err
	case <-ctx.Done():
		return "", &SendError{Down: true, Reason: "the mail server does not answer in time"}
	}
}

// send uses a kept connection, or a new one when that has died meanwhile.
func (s *smtpSender) send(ctx context.Context, w Worded) error {
	if conn := s.take(); conn != nil {
		err, retry := s.over(conn, w)
		if !retry || ctx.Err() != nil {
			return err
		}
	}
	conn, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return &SendError{Down: true, Reason: "cannot reach the mail server: " + plainly(err)}
	}
	err, _ = s.over(conn, w)
	return err
}

// take returns a kept connection that is young enough, or nil.
func (s *smtpSender) take() *smtp.Client {
	for {
		select {
		case k := <-s.idle:
			if time.Since(k.since) < idleLimit {
				return k.conn
			}
			_ = s.client.CloseWithSMTPClient(k.conn)
		default:
			return nil
		}
	}
}

func (s *smtpSender) keep(conn *smtp.Client) {
	select {
	case s.idle <- kept{conn, time.Now()}:
	default:
		_ = s.client.CloseWithSMTPClient(conn)
	}
}

// over sends through conn. retry means that the connection was dead before the
// server heard of this message, so that trying another doubles nothing.
func (s *smtpSender) over(conn *smtp.Client, w Worded) (err error, retry bool) {
	m := s.build(w)
	err = s.client.SendWithSMTPClient(conn, m)
	if err == nil {
		s.keep(conn)
		return nil, false
	}
	if m.IsDelivered() { // it failed to reset afterwards
		_ = s.client.CloseWithSMTPClient(conn)
		return nil, false
	}
	var se *gomail.SendError
	if !errors.As(err, &se) {
		_ = s.client.CloseWithSMTPClient(conn)
		return &SendError{Reason: plainly(err)}, false
	}
	code := se.ErrorCode()
	if code >= 400 && code != 421 { // it answered: the connection is good
		s.keep(conn)
		return &SendError{
			Permanent: code >= 500 && ofMessage(se.Reason), Down: code >= 500 && !ofMessage(se.Reason),
			Reason: fmt.Sprintf("%s: the server said %d", stage(se.Reason), code),
		}, false
	}
	_ = s.client.CloseWithSMTPClient(conn)
	early := se.Reason == gomail.ErrSMTPMailFrom || se.Reason == gomail.ErrConnCheck
	return &SendError{Reason: stage(se.Reason) + ": the connection broke"}, early
}

// ofMessage reports whether a refusal at this stage speaks of the message or
// its recipient. A refused sender is a fault of the channel.
func ofMessage(r gomail.SendErrReason) bool { return r != gomail.ErrSMTPMailFrom }

func stage(r gomail.SendErrReason) string {
	switch r {
	case gomail.ErrSMTPMailFrom:
		return "MAIL FROM"
	case gomail.ErrSMTPRcptTo:
		return "RCPT TO"
	case gomail.ErrSMTPData, gomail.ErrSMTPDataClose, gomail.ErrWriteContent:
		return "DATA"
	case gomail.ErrConnCheck:
		return "connection"
	}
	return "message"
}

// plainly is an error of the dial or of the greeting on one line. None of them
// names a recipient.
func plainly(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func (s *smtpSender) build(w Worded) *gomail.Msg {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	m.SetAddrHeaderFromMailAddress(gomail.HeaderTo, &mail.Address{Address: w.To})
	m.Subject(w.Subject)
	m.SetDateWithValue(w.Date)
	m.SetMessageIDWithValue(w.ID + "@" + s.domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	m.SetBodyString(gomail.TypeTextPlain, w.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, w.HTML)
	return m
}

// Check dials, greets, encrypts and authenticates.
func (s *smtpSender) Check(ctx context.Context) error {
	conn, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	return s.client.CloseWithSMTPClient(conn)
}
