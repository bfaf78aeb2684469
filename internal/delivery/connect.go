package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// dialLimit bounds the TCP connection, for which RFC 5321 names no time.
	dialLimit = 30 * time.Second
	// probeAfter is how long a server may be silent before a second connection tests
	// whether it waits for TLS.
	probeAfter = 5 * time.Second
	// stuckAfter is after how long without a completed login a server counts as not
	// working, although the attempt goes on.
	stuckAfter = 30 * time.Second
)

// Stuck reports whether the server delays connections before any message.
func (s *smtpSender) Stuck() bool { return s.stuck.Load() }

// open dials, greets, encrypts and logs in.
func (s *smtpSender) open(ctx context.Context) (*session, *failure) {
	fired := make(chan struct{})
	timer := time.AfterFunc(s.stuckAfter, func() { s.stuck.Store(true); close(fired) })
	conn, f := s.connectAndLogIn(ctx)
	if !timer.Stop() {
		<-fired
	}
	if f == nil {
		s.stuck.Store(false)
	}
	return conn, f
}

func (s *smtpSender) connectAndLogIn(ctx context.Context) (*session, *failure) {
	conn, f := s.connect(ctx)
	if f != nil || s.Username == "" {
		return conn, f
	}
	names, err := conn.offered(s.Auth, conn.secure != nil || s.here)
	if err != nil {
		conn.quit()
		return nil, &failure{stage: atAuth, err: err}
	}
	if first := s.worked.Load(); first != nil && slices.Contains(names, *first) {
		names = append([]string{*first}, slices.DeleteFunc(names, func(n string) bool { return n == *first })...)
	}
	return s.logIn(ctx, conn, names)
}

// logIn tries one mechanism after the other until one succeeds, on a new connection where
// the server closed the old one.
func (s *smtpSender) logIn(ctx context.Context, conn *session, names []string) (*session, *failure) {
	refusal := &failure{stage: atAuth}
	for _, name := range names {
		if conn == nil {
			var f *failure
			if conn, f = s.connect(ctx); f != nil {
				return nil, f
			}
		}
		release := conn.bound(ctx)
		f := conn.authenticate(credentials{name, s.Username, s.Password})
		release()
		if f == nil {
			s.worked.Store(&name)
			return conn, nil
		}
		refusal.add(name, f)
		if f.err != nil || f.reply.code == 421 {
			_ = conn.conn.Close()
			conn = nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	if conn != nil {
		conn.quit()
	}
	return nil, refusal
}

// add adds the refusal of one mechanism. A server's reply takes precedence over a failed
// connection.
func (f *failure) add(mechanism string, one *failure) {
	if one.reply.code == 0 {
		if f.reply.code == 0 {
			f.err = fmt.Errorf("%s: %s", mechanism, broke(one.err))
		}
		return
	}
	f.err = nil
	if f.reply.code != 535 {
		f.reply.code = one.reply.code
	}
	f.reply.lines = append(f.reply.lines, fmt.Sprintf("%s (%s %d)", strings.Join(one.reply.lines, " "), mechanism, one.reply.code))
}

// connect dials, greets and encrypts.
func (s *smtpSender) connect(ctx context.Context) (*session, *failure) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, &failure{stage: atConnect, err: err}
	}
	c := newSession(conn, s.Timeout, s.endTime)
	release := c.bound(ctx)
	defer release()
	if f := s.begin(ctx, c); f != nil {
		c.leave(f)
		return nil, f
	}
	return c, nil
}

func (s *smtpSender) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{Timeout: min(dialLimit, s.Timeout)}).DialContext(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
}

func (s *smtpSender) begin(ctx context.Context, c *session) *failure {
	if s.TLS == "implicit" {
		if f := c.encrypt(ctx, s.Host); f != nil {
			return f
		}
	}
	if f := s.greeting(ctx, c); f != nil {
		return f
	}
	if f := c.hello(s.Helo); f != nil || s.TLS != "starttls" {
		return f
	}
	if f := c.startTLS(ctx, s.Host); f != nil {
		return f
	}
	return c.hello(s.Helo)
}

var errTLSAtOnce = errors.New("this port speaks TLS at once")

// greeting waits for the server's greeting. A silent server that has never sent one may be
// waiting for TLS: after probeAfter that is tested on a second connection.
func (s *smtpSender) greeting(ctx context.Context, c *session) *failure {
	var tlsAtOnce atomic.Bool
	if c.secure == nil && !s.greeted.Load() {
		probe := time.AfterFunc(min(probeAfter, s.Timeout/4), func() {
			if s.speaksTLS(ctx) {
				tlsAtOnce.Store(true)
				_ = c.conn.Close()
			}
		})
		defer probe.Stop()
	}
	_, f := c.awaitReply(atGreeting, 2, c.timeout)
	if tlsAtOnce.Load() || f != nil && looksLikeTLS(f.err) {
		return &failure{stage: atGreeting, err: errTLSAtOnce}
	}
	if f == nil {
		s.greeted.Store(true)
	}
	return f
}

// looksLikeTLS reports whether a server replied with a TLS record: an alert or a handshake
// (RFC 8446 5.1).
func looksLikeTLS(err error) bool {
	var odd notSMTP
	return errors.As(err, &odd) && (strings.HasPrefix(odd.line, "\x15\x03") || strings.HasPrefix(odd.line, "\x16\x03"))
}

func (s *smtpSender) speaksTLS(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, min(probeAfter, s.Timeout))
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	err = tls.Client(conn, &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
	var cert *tls.CertificateVerificationError
	var alert *net.OpError // the form in which crypto/tls reports an alert of the peer
	return err == nil || errors.As(err, &cert) || errors.As(err, &alert) && alert.Op == "remote error"
}

// local reports whether a host is this machine.
func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
