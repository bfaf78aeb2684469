package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/djauthy/djauthy/internal/outbox"
)

// explain turns a failure into an error that says what to do about it, beside the server's
// reply. to is the recipient.
func (s *smtpSender) explain(f *failure, to string) *outbox.Error {
	e := &outbox.Error{Unknown: f.unknown()}
	if f.reply.code != 0 {
		e.Said = outbox.Clean(f.reply.text(), to, s.Password)
	}
	switch code := f.reply.code; {
	case f.crowded() && s.in.Load() > 0: // it accepts others of our connections
	case f.early(), code == 530: // RFC 4954 6: log in first; it is so for every message
		e.Down = true
	case errors.Is(f.err, errNoUTF8):
		e.Permanent, e.Down = ascii(s.from.Address), !ascii(s.from.Address)
	case code < 500, code == 503: // 503: a command out of order; a new connection begins again
	case f.stage == atMail: // the sender is refused, whatever the recipient
		e.Down = true
	case f.stage == atRcpt && code == 552 && f.reply.enhanced() == "": // RFC 5321 4.5.3.1.10
	default:
		e.Permanent = true
	}
	e.Lasting = e.Down && f.lasting()
	e.Reason = outbox.Clean(s.reason(f), to, s.Password)
	return e
}

// lasting reports whether only a change of settings, here or on the server, mends it.
func (f *failure) lasting() bool {
	var untrusted *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return f.reply.code >= 500 || f.stage == atAuth && f.reply.code == 0 && !timeout(f.err) ||
		errors.Is(f.err, errNoStartTLS) || errors.As(f.err, &untrusted) || errors.As(f.err, &record)
}

// reason says what failed, without the server's reply.
func (s *smtpSender) reason(f *failure) string {
	if f.reply.code != 0 {
		return refused(f)
	}
	switch at := net.JoinHostPort(s.Host, fmt.Sprint(s.Port)); f.stage {
	case atConnect:
		return fmt.Sprintf("cannot reach the mail server at %s: %s", at, unreached(f.err))
	case atGreeting, atHello:
		return "the mail server at " + at + " does not answer as one: " + ungreeted(f)
	case atTLS:
		return s.untrusted(f.err)
	case atAuth:
		return s.notLoggedIn(f.err)
	case atEnd:
		return "the mail server has the whole message and did not say whether it takes it: " + broke(f.err)
	}
	if errors.Is(f.err, errNoUTF8) {
		return "the mail server takes no address with characters beyond ASCII (it does not offer SMTPUTF8)"
	}
	return fmt.Sprintf("%s: %s", f.stage, broke(f.err))
}

// refused names the setting that a server's refusal is about.
func refused(f *failure) string {
	text := strings.ToLower(f.reply.text())
	switch {
	case f.stage == atAuth:
		return "the mail server refuses the log-in: check email.username and email.password, or choose another way with email.auth"
	case strings.Contains(text, "starttls"):
		return f.stage + ": the mail server wants TLS: set email.tls to starttls"
	case f.reply.code == 530 || strings.Contains(text, "authentication required") || strings.Contains(text, "not authenticated"):
		return f.stage + ": the mail server wants a log-in: set email.username and email.password"
	case f.reply.code/100 == 5 && f.stage == atMail:
		return "MAIL FROM: the mail server refuses the sender: set email.from to one that it takes"
	case f.stage == atRcpt && strings.Contains(text, "relay"):
		return "RCPT TO: the mail server passes nothing on for this machine: set email.username and email.password, or have it relay for this address"
	}
	return f.stage + ": the mail server " + refusal(f)
}

func refusal(f *failure) string {
	what := "the connection"
	switch f.stage {
	case atMail:
		what = "the sender"
	case atRcpt:
		what = "the recipient"
	case atData, atEnd:
		what = "the message"
	}
	if f.reply.code/100 == 5 {
		return "refuses " + what
	}
	return "does not take " + what + " for now"
}

func unreached(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no such host: check email.host"
	case errors.As(err, &dns):
		return "the name service does not answer: check the resolver of this machine"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused, nothing listens there: check email.host and email.port"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to it from this machine: check email.host and the network"
	case timeout(err):
		return "it does not answer: check email.host, email.port and the firewall"
	}
	return err.Error()
}

func ungreeted(f *failure) string {
	var odd notSMTP
	switch {
	case errors.Is(f.err, errTLSAtOnce):
		return "this port speaks TLS at once: set email.tls to implicit"
	case errors.As(f.err, &odd):
		return fmt.Sprintf("it says %.60q: check email.port", odd.line)
	}
	return fmt.Sprintf("%s: %s", f.stage, broke(f.err))
}

func (s *smtpSender) untrusted(err error) string {
	var record tls.RecordHeaderError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, errNoStartTLS):
		return "the mail server does not offer STARTTLS on this port: set email.tls to implicit and email.port to 465, or, within a network of your own, email.tls to none"
	case errors.As(err, &record):
		return "this port does not speak TLS at once: set email.tls to starttls (usually with email.port 587)"
	case errors.As(err, &name):
		return fmt.Sprintf("the mail server's %s: set email.host to a name that the certificate is for", strings.TrimPrefix(name.Error(), "x509: "))
	case errors.As(err, &authority):
		return "the mail server shows a certificate signed by unknown authority: install that authority's certificate on this machine, or name its file in SSL_CERT_FILE"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the mail server's certificate has expired or is not yet valid: renew it, or set the clock of this machine"
	}
	return "TLS with the mail server fails: " + broke(err)
}

func (s *smtpSender) notLoggedIn(err error) string {
	switch {
	case errors.Is(err, errNoAuth):
		if s.TLS == "none" {
			return "the mail server offers no log-in without TLS: set email.tls to starttls or implicit, or empty email.username"
		}
		return "the mail server offers no log-in: empty email.username, or use its port for submission (587 or 465)"
	case errors.Is(err, errNotPrivate):
		return "with email.tls none the password would be readable on the way to " + s.Host + ": set email.tls to starttls or implicit"
	case errors.Is(err, errNoMechanism):
		return err.Error()
	}
	return "logging in to the mail server fails: " + err.Error()
}

// broke says why there was no reply.
func broke(err error) string {
	var odd notSMTP
	switch {
	case timeout(err):
		return "it does not answer in time (email.timeout)"
	case errors.Is(err, net.ErrClosed):
		return "it had not answered when the try was ended"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke"
	case errors.As(err, &odd):
		return odd.Error()
	}
	return err.Error()
}

func timeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
