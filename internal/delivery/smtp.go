package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/words"
)

const (
	// idleLimit is how long a connection is kept unused; servers cut off
	// after five minutes (RFC 5321 4.5.3.2.7), many sooner.
	idleLimit = 20 * time.Second
	// keptLimit is how many connections are kept.
	keptLimit = 8
	// endLimit is the least time for the reply to the end of the data
	// (RFC 5321 4.5.3.2.6).
	endLimit = 10 * time.Minute
)

// SMTP is how to reach the mail server.
type SMTP struct {
	Host     string
	Port     int
	TLS      string // "starttls", "implicit" or "none"
	Username string // empty: no authentication
	Password string
	Auth     string        // "auto", or the name of a SASL mechanism; empty: "auto"
	From     string        // as in RFC 5322 3.4: Name <address>
	Helo     string        // the name in EHLO; never the machine's own name
	Timeout  time.Duration // for each reply (RFC 5321 4.5.3.2); 0: five minutes
}

// smtpSender keeps connections to one server, each used by one message at a
// time.
type smtpSender struct {
	SMTP
	from       *mail.Address
	domain     string // of the sender, in ASCII
	letterhead words.Precompiled
	endTime    time.Duration
	idle       chan kept
	here       bool // the server is on this machine, so that a password may go in the clear
	// stuck: a connection took longer than stuckAfter to open, and none has been opened
	// since.
	stuck      atomic.Bool
	stuckAfter time.Duration
	// greeted: the server has sent an SMTP greeting to this process before.
	greeted atomic.Bool
	// alive is the number of connections, with those being opened and those kept. in is how
	// many of them are open and logged in, gone how many such have ended; ended gets an
	// event each time.
	alive, in atomic.Int32
	gone      atomic.Int64
	ended     chan struct{}
	roomLimit time.Duration
	// worked is the mechanism of the last log-in, to begin with it next time.
	worked atomic.Pointer[string]
}

type kept struct {
	session *session
	since   time.Time
}

// NewSMTP returns the sender of the email channel. It dials at the first
// message.
func NewSMTP(s SMTP) (Sender, error) {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("email.from: %w", err)
	}
	from.Address, err = encodeDomain(from.Address)
	if err != nil {
		return nil, fmt.Errorf("email.from: %w", err)
	}
	if !plainAddress(from.Address) {
		return nil, errors.New("email.from: the address has characters that mail servers do not take")
	}
	if s.Timeout == 0 {
		s.Timeout = 5 * time.Minute
	}
	if s.Helo, err = heloName(s.Helo); err != nil {
		return nil, err
	}
	domain := from.Address[strings.LastIndex(from.Address, "@")+1:]
	sender := &smtpSender{
		SMTP: s, from: from, domain: domain, endTime: max(endLimit, s.Timeout), idle: make(chan kept, keptLimit), here: local(s.Host),
		stuckAfter: stuckAfter, ended: make(chan struct{}, 1), roomLimit: roomLimit,
	}
	sender.letterhead, err = sender.newLetterhead()
	return sender, err
}

// heloName is a host in the form of EHLO: a name in ASCII, or an address literal (RFC 5321
// 4.1.3).
func heloName(host string) (string, error) {
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.Is4():
		return "[" + host + "]", nil
	case err == nil:
		return "[IPv6:" + host + "]", nil
	}
	name, err := encodeDomain("@" + host)
	return strings.TrimPrefix(name, "@"), err
}

// encodeDomain returns an address with its domain in ASCII (RFC 5890), which most servers
// require.
func encodeDomain(address string) (string, error) {
	at := strings.LastIndex(address, "@") + 1
	if ascii(address[at:]) {
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(address[at:])
	return address[:at] + domain, err
}

func ascii[T string | []byte](text T) bool {
	for _, b := range []byte(text) {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainAddress reports whether an address is safe in a command. Quoted local parts are not;
// accounts makes none.
func plainAddress(address string) bool {
	return strings.Count(address, "@") == 1 && utf8.ValidString(address) && !strings.ContainsFunc(address, func(r rune) bool {
		return r == ' ' || !unicode.IsPrint(r) || strings.ContainsRune("<>()\",;:\\", r)
	})
}

// Send sends a message. If a kept connection fails before the server knows of the message,
// or the server wants to end it, a new one is opened at once. If the server refuses a
// connection while others of this process are open, the message waits for one of these.
func (s *smtpSender) Send(ctx context.Context, w Worded) (string, error) {
	l, err := s.letter(w)
	if err != nil {
		return "", &outbox.Error{Permanent: true, Reason: err.Error()}
	}
	fresh, patience := 1, time.Now().Add(s.roomLimit)
	for conn := s.take(); ; {
		old, before := conn != nil, s.gone.Load()
		r, f := s.over(ctx, conn, l)
		if f == nil {
			return outbox.Clean(r.text(), w.To), nil
		}
		again := ctx.Err() == nil
		switch conn = nil; {
		case old:
			again = again && f.freshMayHelp()
		case f.crowded():
			conn, again = s.room(ctx, before, patience)
		default:
			again = again && !f.early() && f.reply.code == 421 && fresh > 0
			fresh--
		}
		if !again {
			return "", s.explain(f, w.To)
		}
	}
}

// freshMayHelp reports whether a new connection may succeed where this one, which was used
// before, failed: the server may have restarted, or limit messages per connection.
func (f *failure) freshMayHelp() bool {
	if f.unknown() || errors.Is(f.err, errNoUTF8) {
		return false
	}
	return f.err != nil || f.stage == atMail || f.reply.code == 421 || f.stage != atEnd && (f.reply.code < 500 || f.reply.code == 503)
}

// over sends a letter through conn, or a new connection if that is nil, and keeps the
// connection if that worked. After a refusal the connection is closed: servers differ in the
// state of the transaction that they then assume.
func (s *smtpSender) over(ctx context.Context, conn *session, l letter) (r reply, f *failure) {
	if conn == nil {
		s.alive.Add(1)
		if conn, f = s.open(ctx); f != nil {
			s.end(false)
			return r, f
		}
		s.in.Add(1)
	}
	if r, f = conn.hand(ctx, l); f != nil {
		conn.leave(f)
		s.end(true)
		return r, f
	}
	s.keep(conn)
	return r, nil
}

// leave ends a session after a failure.
func (s *session) leave(f *failure) {
	if f.err != nil || f.reply.code == 421 {
		_ = s.conn.Close()
		return
	}
	s.quit()
}

// take returns a kept connection that is young enough, or nil.
func (s *smtpSender) take() *session {
	for {
		select {
		case k := <-s.idle:
			if time.Since(k.since) < idleLimit {
				return k.session
			}
			k.session.quit()
			s.end(true)
		default:
			return nil
		}
	}
}

func (s *smtpSender) keep(conn *session) {
	select {
	case s.idle <- kept{conn, time.Now()}:
	default:
		conn.quit()
		s.end(true)
	}
}

// Check dials, greets, encrypts, logs in and names the sender, whom some servers refuse.
func (s *smtpSender) Check(ctx context.Context) error {
	conn, f := s.open(ctx)
	if f != nil {
		return s.explain(f, "")
	}
	release := conn.bound(ctx)
	defer release()
	line, err := conn.mailFrom(letter{from: s.from.Address, utf8: !ascii(s.from.Address)})
	if err != nil {
		f = &failure{stage: atMail, err: err}
	} else {
		_, f = conn.command(atMail, line, 2)
	}
	if f != nil {
		conn.leave(f)
		return s.explain(f, "")
	}
	conn.quit() // without RCPT there is no message
	return nil
}
