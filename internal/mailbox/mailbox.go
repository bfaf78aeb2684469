// Package mailbox is the local mailbox: a real SMTP server on a loopback
// address that keeps the last messages in memory, for trying djauthy out and
// for developing with it. It passes nothing on.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-message"
	gosmtp "github.com/emersion/go-smtp"
)

// Limits on what is kept and on what receiving one message may cost; sizes are in bytes. A
// hundred messages are at most 7 MB.
const (
	keep           = 100
	maxText        = 64 << 10 // of the text part, decoded; the rest is cut off
	maxSubject     = 1 << 10
	maxAddress     = 320 // RFC 5321 4.5.3.1: 64 of the local part, @, 255 of the domain
	maxSize        = 1 << 20
	maxHeader      = 64 << 10
	maxRecipients  = 100 // RFC 5321 4.5.3.1.8
	maxParts       = 100
	maxDepth       = 10
	maxConnections = 50
)

// Message is one received message.
type Message struct {
	To      string
	Subject string
	Text    string // the text part, its first 64 KiB
	HTML    string // the HTML part, the same
	At      time.Time
	Number  int // counts up
}

// Code is the code that the message brings, "" for none: it stands alone in the first line.
func (m Message) Code() string {
	first, _, _ := strings.Cut(m.Text, "\n")
	if first = strings.TrimSpace(first); !code.MatchString(first) {
		return ""
	}
	return first
}

var code = regexp.MustCompile(`^[0-9A-Za-z]{5,32}$`)

// Links are the URLs in the text.
func (m Message) Links() []string { return link.FindAllString(m.Text, -1) }

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// Mailbox receives messages and keeps the last hundred, newest first.
type Mailbox struct {
	listener net.Listener
	server   *gosmtp.Server
	arrived  func(Message)

	mu       sync.Mutex
	messages []Message
	count    int
}

// Listen opens a free port on the loopback address. Each message is also
// handed to arrived.
func Listen(arrived func(Message)) (*Mailbox, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("local mailbox: %w", err)
	}
	m := &Mailbox{listener: &limitListener{Listener: l, open: make(chan struct{}, maxConnections)}, arrived: arrived}
	m.server = gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &session{box: m}, nil }))
	m.server.Domain = "localhost"
	m.server.MaxMessageBytes = maxSize
	m.server.MaxRecipients = maxRecipients
	m.server.EnableSMTPUTF8 = true
	m.server.ReadTimeout = time.Minute
	m.server.WriteTimeout = time.Minute
	return m, nil
}

// Port is where the server listens.
func (m *Mailbox) Port() int { return m.listener.Addr().(*net.TCPAddr).Port }

// Run serves until ctx ends.
func (m *Mailbox) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = m.server.Close() })
	defer stop()
	if err := m.server.Serve(m.listener); err != nil && !errors.Is(err, gosmtp.ErrServerClosed) && ctx.Err() == nil {
		return fmt.Errorf("local mailbox: %w", err)
	}
	return nil
}

// Messages returns the messages kept, newest first.
func (m *Mailbox) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

func (m *Mailbox) add(x Message) {
	m.mu.Lock()
	m.count++
	x.Number = m.count
	m.messages = append([]Message{x}, m.messages[:min(len(m.messages), keep-1)]...)
	m.mu.Unlock()
	m.arrived(x)
}

// session is one SMTP transaction.
type session struct {
	box *Mailbox
	to  []string
}

func (s *session) Mail(string, *gosmtp.MailOptions) error { return nil }
func (s *session) Reset()                                 { s.to = nil }
func (s *session) Logout() error                          { return nil }

func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if len(to) > maxAddress {
		return &gosmtp.SMTPError{Code: 553, EnhancedCode: gosmtp.EnhancedCode{5, 1, 3}, Message: "The address is too long"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	e, err := message.ReadWithOptions(r, &message.ReadOptions{MaxHeaderBytes: maxHeader})
	if err != nil && !message.IsUnknownCharset(err) {
		return err
	}
	subject, err := e.Header.Text("Subject")
	if err != nil {
		subject = ""
	}
	text, html, err := textParts(e)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // the rest may make the message too long
		return err
	}
	for _, to := range s.to {
		s.box.add(Message{To: to, Subject: cut(subject, maxSubject), Text: text, HTML: html, At: time.Now()})
	}
	return nil
}

// cut returns the first bytes of a text, without half a character at the end.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return strings.Clone(text[:most])
}

// textParts returns the first text/plain and the first text/html part, cut to maxText. It
// reads no more than maxParts parts and no deeper than maxDepth.
func textParts(e *message.Entity) (text, html string, err error) {
	found, parts := errors.New("found"), 0
	err = e.Walk(func(path []int, part *message.Entity, err error) error {
		if parts++; parts > maxParts || len(path) > maxDepth {
			return found
		}
		if err != nil && !message.IsUnknownCharset(err) {
			return err
		}
		kind, _, _ := part.Header.ContentType()
		at := map[string]*string{"text/plain": &text, "text/html": &html}[kind]
		if at == nil || *at != "" {
			return nil
		}
		b, err := io.ReadAll(io.LimitReader(part.Body, maxText+1))
		if err != nil {
			return err
		}
		*at = strings.ReplaceAll(cut(string(b), maxText), "\r\n", "\n")
		if text != "" && html != "" {
			return found
		}
		return nil
	})
	if errors.Is(err, found) {
		err = nil
	}
	return text, html, err
}
