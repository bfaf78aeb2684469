package delivery

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"
)

// Stages of a session, as error messages name them.
const (
	atConnect  = "connecting"
	atGreeting = "the greeting"
	atTLS      = "TLS"
	atHello    = "EHLO"
	atAuth     = "AUTH"
	atMail     = "MAIL FROM"
	atRcpt     = "RCPT TO"
	atData     = "DATA"
	atEnd      = "the end of DATA"
)

// failure is why a session failed.
type failure struct {
	stage string
	reply reply // the server's refusal; its code is 0 if there was no reply
	err   error // why there was no reply
}

func (f *failure) Error() string {
	if f.err != nil {
		return f.stage + ": " + f.err.Error()
	}
	return f.stage + ": " + f.reply.text()
}

func (f *failure) Unwrap() error { return f.err }

// early reports whether the session failed before the first command about a message.
func (f *failure) early() bool {
	switch f.stage {
	case atMail, atRcpt, atData, atEnd:
		return false
	}
	return true
}

// unknown reports whether the server may have accepted the message: it has all of it and
// did not reply.
func (f *failure) unknown() bool { return f.stage == atEnd && f.reply.code == 0 }

// letter is a message as it goes over the wire.
type letter struct {
	from, to string
	data     []byte // dots doubled, with the final dot (RFC 5321 4.5.2)
	utf8     bool   // an address is beyond ASCII: SMTPUTF8 (RFC 6531) is needed
	eight    bool   // the data is beyond ASCII: 8BITMIME (RFC 6152) is needed
}

// session is a connection to a mail server. It is for one goroutine.
type session struct {
	conn    net.Conn
	in      *bufio.Reader
	timeout time.Duration // for each reply
	endTime time.Duration // for the reply to the end of the data
	ext     map[string]string
	secure  *tls.ConnectionState // nil without TLS
}

func newSession(conn net.Conn, timeout, endTime time.Duration) *session {
	return &session{conn: conn, in: bufio.NewReader(conn), timeout: timeout, endTime: endTime}
}

// bound closes the connection when ctx ends, until release is called.
func (s *session) bound(ctx context.Context) (release func() bool) {
	conn := s.conn // TLS may replace it meanwhile, and ends with it
	return context.AfterFunc(ctx, func() { _ = conn.Close() })
}

// awaitReply waits for a reply and requires its first digit, unless digit is 0.
func (s *session) awaitReply(stage string, digit int, limit time.Duration) (reply, *failure) {
	_ = s.conn.SetReadDeadline(time.Now().Add(limit))
	r, err := readReply(s.in)
	switch {
	case err != nil:
		return r, &failure{stage: stage, err: err}
	case digit != 0 && r.code/100 != digit:
		return r, &failure{stage: stage, reply: r}
	}
	return r, nil
}

func (s *session) write(stage string, data []byte) *failure {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.timeout))
	if _, err := s.conn.Write(data); err != nil {
		return &failure{stage: stage, err: err}
	}
	return nil
}

func (s *session) command(stage, line string, digit int) (reply, *failure) {
	if f := s.write(stage, []byte(line+"\r\n")); f != nil {
		return reply{}, f
	}
	return s.awaitReply(stage, digit, s.timeout)
}

// hello introduces us by EHLO, or by HELO to a server that does not know it.
func (s *session) hello(name string) *failure {
	r, f := s.command(atHello, "EHLO "+name, 2)
	if f != nil && f.reply.code >= 500 {
		s.ext = nil
		_, f = s.command(atHello, "HELO "+name, 2)
		return f
	}
	if f == nil {
		s.ext = extensions(r.lines)
	}
	return f
}

// extensions are those that a server offers, by name in capitals. AUTH may also have the
// form of servers older than RFC 2554, "AUTH=LOGIN".
func extensions(lines []string) map[string]string {
	all := map[string]string{}
	for _, line := range lines[min(1, len(lines)):] {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name = strings.ToUpper(name)
		if old, ok := strings.CutPrefix(name, "AUTH="); ok {
			name, rest = "AUTH", old+" "+rest
		}
		all[name] = strings.TrimSpace(all[name] + " " + strings.ToUpper(rest))
	}
	return all
}

var (
	errNoStartTLS = errors.New("STARTTLS is not offered")
	errInjected   = errors.New("the server spoke before TLS began")
)

// startTLS switches to TLS (RFC 3207) and discards the extensions offered before.
func (s *session) startTLS(ctx context.Context, host string) *failure {
	if _, offered := s.ext["STARTTLS"]; !offered {
		return &failure{stage: atTLS, err: errNoStartTLS}
	}
	if _, f := s.command(atTLS, "STARTTLS", 2); f != nil {
		return f
	}
	if s.in.Buffered() > 0 { // sent in the clear, it would be read as if it came through TLS
		return &failure{stage: atTLS, err: errInjected}
	}
	s.ext = nil
	return s.encrypt(ctx, host)
}

func (s *session) encrypt(ctx context.Context, host string) *failure {
	_ = s.conn.SetDeadline(time.Now().Add(s.timeout))
	conn := tls.Client(s.conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
	if err := conn.HandshakeContext(ctx); err != nil {
		return &failure{stage: atTLS, err: err}
	}
	state := conn.ConnectionState()
	s.conn, s.in, s.secure = conn, bufio.NewReader(conn), &state
	return nil
}

var errNoUTF8 = errors.New("SMTPUTF8 is not offered")

// hand sends a letter and returns the server's reply.
func (s *session) hand(ctx context.Context, l letter) (reply, *failure) {
	release := s.bound(ctx)
	defer release()
	mail, err := s.mailFrom(l)
	if err != nil {
		return reply{}, &failure{stage: atRcpt, err: err}
	}
	if f := s.envelope(mail, "RCPT TO:<"+l.to+">"); f != nil {
		return reply{}, f
	}
	// If this fails, the final dot was not sent.
	if f := s.write(atData, l.data); f != nil {
		return reply{}, f
	}
	return s.awaitReply(atEnd, 2, s.endTime)
}

// envelope sends the commands before the data. A server that offers PIPELINING gets them at
// once (RFC 2920 3.1), which saves two round trips. A server that refuses the first or the
// second may still reply 354 to DATA; the connection is then closed, and the server discards
// data without an end.
func (s *session) envelope(mail, rcpt string) *failure {
	_, pipelining := s.ext["PIPELINING"]
	if pipelining {
		if f := s.write(atMail, []byte(mail+"\r\n"+rcpt+"\r\nDATA\r\n")); f != nil {
			return f
		}
	}
	for _, c := range []struct {
		stage, line string
		digit       int
	}{{atMail, mail, 2}, {atRcpt, rcpt, 2}, {atData, "DATA", 3}} {
		if !pipelining {
			if f := s.write(c.stage, []byte(c.line+"\r\n")); f != nil {
				return f
			}
		}
		if _, f := s.awaitReply(c.stage, c.digit, s.timeout); f != nil {
			return f
		}
	}
	return nil
}

// mailFrom is the MAIL command with the parameters that this letter needs and no others:
// some servers offer SMTPUTF8 and relay to others that do not.
func (s *session) mailFrom(l letter) (string, error) {
	line := "MAIL FROM:<" + l.from + ">"
	if _, offered := s.ext["8BITMIME"]; offered && l.eight {
		line += " BODY=8BITMIME"
	}
	if l.utf8 {
		if _, offered := s.ext["SMTPUTF8"]; !offered {
			return "", errNoUTF8
		}
		line += " SMTPUTF8"
	}
	return line, nil
}

// quit sends QUIT, does not wait for the reply, and closes the connection.
func (s *session) quit() {
	_ = s.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = s.conn.Write([]byte("QUIT\r\n"))
	_ = s.conn.Close()
}
