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

	"github.com/emersion/go-message"
	gosmtp "github.com/emersion/go-smtp"
)

const (
	keep    = 100
	maxSize = 1 << 20
)

// Message is one received message.
type Message struct {
	To      string
	Subject string
	Text    string // the text part
	At      time.Time
}

// Links are the addresses in the text.
func (m Message) Links() []string { return link.FindAllString(m.Text, -1) }

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// Mailbox receives messages and holds them, newest first.
type Mailbox struct {
	listener net.Listener
	server   *gosmtp.Server
	arrived  func(Message)

	mu       sync.Mutex
	messages []Message
}

// Listen opens a free port on the loopback address. Each message is also
// handed to arrived.
func Listen(arrived func(Message)) (*Mailbox, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("local mailbox: %w", err)
	}
	m := &Mailbox{listener: l, arrived: arrived}
	m.server = gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &session{box: m}, nil }))
	m.server.Domain = "localhost"
	m.server.MaxMessageBytes = maxSize
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

// Messages returns what is held, newest first.
func (m *Mailbox) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

func (m *Mailbox) add(x Message) {
	m.mu.Lock()
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
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	e, err := message.Read(r)
	if err != nil && !message.IsUnknownCharset(err) {
		return err
	}
	subject, err := e.Header.Text("Subject")
	if err != nil {
		subject = ""
	}
	text, err := plain(e)
	if err != nil {
		return err
	}
	for _, to := range s.to {
		s.box.add(Message{to, subject, text, time.Now()})
	}
	return nil
}

// plain returns the first text/plain part.
func plain(e *message.Entity) (text string, err error) {
	found := errors.New("found")
	err = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil && !message.IsUnknownCharset(err) {
			return err
		}
		kind, _, _ := part.Header.ContentType()
		if kind != "text/plain" {
			return nil
		}
		b, err := io.ReadAll(part.Body)
		if err != nil {
			return err
		}
		text = strings.ReplaceAll(string(b), "\r\n", "\n")
		return found
	})
	if errors.Is(err, found) {
		err = nil
	}
	return text, err
}
