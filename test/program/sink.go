package program

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailLimit is how long a message may take that nothing holds up.
const mailLimit = 15 * time.Second

// Mail is a message as its reader has it.
type Mail struct {
	To, Subject, Text, HTML string
}

// Code is the code of the message: its first line.
func (m Mail) Code() string {
	line, _, _ := strings.Cut(m.Text, "\n")
	return strings.TrimSpace(line)
}

// Link is the link that signs in.
func (m Mail) Link() string { return m.find("/login/link/") }

// NotMe is the link of "it was not me".
func (m Mail) NotMe() string { return m.find("/login/not-me/") }

// Undo is the path that undoes what the message tells of, or "".
func (m Mail) Undo() string { return m.find("/account/undo/") }

func (m Mail) find(path string) string {
	return regexp.MustCompile(`https?://\S+` + path + `\S+`).FindString(m.Text)
}

// SinkOptions say how the sink wants to be spoken to. The zero value takes
// plain text from anybody.
type SinkOptions struct {
	TLS      *tls.Config
	Implicit bool // TLS from the first byte, else by STARTTLS
	User     string
	Password string // with User: nobody sends without them
}

// Sink is a mail server that passes nothing on and hands its messages to the
// test.
type Sink struct {
	Port int

	options SinkOptions
	mu      sync.Mutex
	change  chan struct{} // closed at the next change
	mail    map[string][]Mail
	taken   map[string]int
	total   int
	secure  int // messages that came over TLS
}

// OpenSink opens a sink until the test ends.
func OpenSink(t testing.TB, o SinkOptions) *Sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Sink{Port: l.Addr().(*net.TCPAddr).Port, options: o, change: make(chan struct{}), mail: map[string][]Mail{}, taken: map[string]int{}}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{sink: s, conn: c}, nil }))
	server.Domain = "sink.example"
	server.EnableSMTPUTF8 = true
	server.TLSConfig = o.TLS
	server.ErrorLog = quiet{}
	if o.Implicit {
		l = tls.NewListener(l, o.TLS)
	}
	go func() { _ = server.Serve(l) }() // it ends with the test
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// Settings lead a site to the sink.
func (s *Sink) Settings() []string {
	how := "none"
	switch {
	case s.options.Implicit:
		how = "implicit"
	case s.options.TLS != nil:
		how = "starttls"
	}
	out := []string{
		"EMAIL_HOST=localhost", fmt.Sprintf("EMAIL_PORT=%d", s.Port), "EMAIL_TLS=" + how,
		"EMAIL_FROM=Example <noreply@site.example>",
	}
	if s.options.User != "" {
		out = append(out, "EMAIL_USERNAME="+s.options.User, "EMAIL_PASSWORD="+s.options.Password)
	}
	return out
}

// Next returns the next message to an address that Next has not returned
// before, and waits for it.
func (s *Sink) Next(t testing.TB, to string) Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), mailLimit)
	defer cancel()
	m, ok := s.Wait(ctx, to)
	if !ok {
		t.Fatalf("no message to %s within %s", to, mailLimit)
	}
	return m
}

// Wait is Next for those who can do without, and wait until ctx ends.
func (s *Sink) Wait(ctx context.Context, to string) (Mail, bool) {
	for {
		s.mu.Lock()
		if n := s.taken[to]; n < len(s.mail[to]) {
			s.taken[to]++
			m := s.mail[to][n]
			s.mu.Unlock()
			return m, true
		}
		change := s.change
		s.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
			return Mail{}, false
		}
	}
}

// All returns every message to an address so far.
func (s *Sink) All(to string) []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mail[to]...)
}

// Count is how many messages came so far, and how many of them over TLS.
func (s *Sink) Count() (total, secure int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total, s.secure
}

func (s *Sink) add(m Mail, secure bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mail[m.To] = append(s.mail[m.To], m)
	s.total++
	if secure {
		s.secure++
	}
	close(s.change)
	s.change = make(chan struct{})
}

// session is one SMTP connection to the sink.
type session struct {
	sink *Sink
	conn *smtp.Conn
	in   bool // has shown user and password
	to   []string
}

func (s *session) AuthMechanisms() []string {
	if s.sink.options.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.sink.options.User || password != s.sink.options.Password {
			return smtp.ErrAuthFailed
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if s.sink.options.User != "" && !s.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := ReadMail(r)
	if err != nil {
		return err
	}
	_, secure := s.conn.TLSConnectionState()
	for _, m.To = range s.to {
		s.sink.add(m, secure)
	}
	return nil
}

func (s *session) Reset()        { s.to = nil }
func (s *session) Logout() error { return nil }

// ReadMail reads a message as it came over the wire or lies in a mailbox.
func ReadMail(r io.Reader) (Mail, error) {
	e, err := message.Read(r)
	if err != nil {
		return Mail{}, err
	}
	var m Mail
	if m.Subject, err = e.Header.Text("Subject"); err != nil {
		return m, err
	}
	m.To = strings.Trim(e.Header.Get("To"), "<>")
	err = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, err := part.Header.ContentType()
		if err != nil || !strings.HasPrefix(kind, "text/") {
			return err
		}
		b, err := io.ReadAll(part.Body)
		text := string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
		if kind == "text/html" {
			m.HTML = text
		} else {
			m.Text = text
		}
		return err
	})
	if err == nil && (m.Text == "" || m.HTML == "") {
		err = errors.New("a message without text or without HTML")
	}
	return m, err
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
