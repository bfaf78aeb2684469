package mail_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// A whole sign-in through Debian's Postfix, twice: the second message goes over
// a kept connection.
func TestPostfixDeliversTheCode(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.Files(t, "localhost")
	p := startPostfix(t, cert, key)
	for _, how := range []string{"starttls", "implicit"} {
		t.Run(how, func(t *testing.T) {
			s := program.New(t, binary, p.settings(how)...)
			s.Env("SSL_CERT_FILE=" + a.File)
			s.Start(t)
			for _, who := range []string{"ann", "ben"} {
				v := program.NewVisitor("")
				asks(t, v, s, who+"@"+domain)
				m := p.next(t, who+"@"+domain)
				if want := m.Code() + " is your code for "; !strings.HasPrefix(m.Subject, want) {
					t.Errorf("the subject is %q, it should begin with %q", m.Subject, want)
				}
				if !strings.Contains(m.HTML, m.Code()) {
					t.Error("the HTML part does not hold the code of the text part")
				}
				enters(t, v, s, m.Code())
			}
			if text, ok := check(t, s, "--send", "cleo@"+domain); !ok {
				t.Errorf("check fails:\n%s", text)
			}
			if m := p.next(t, "cleo@"+domain); !strings.Contains(m.Text, "test message") {
				t.Errorf("the test message reads:\n%s", m.Text)
			}
		})
	}
}

// What Postfix says reaches the operator, with the addresses masked.
func TestPostfixIsQuotedToTheOperator(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.Files(t, "localhost")
	p := startPostfix(t, cert, key)
	s := program.New(t, binary, p.settings("starttls")...)
	s.Env("SSL_CERT_FILE=" + a.File)
	s.Start(t)
	asks(t, program.NewVisitor(""), s, "ann@"+domain)
	p.next(t, "ann@"+domain)
	asks(t, program.NewVisitor(""), s, "nobody.there@"+domain)
	awaitLog(t, s, "message given up")
	if log := s.Errors(); !strings.Contains(log, "550 5.1.1") || strings.Contains(log, "nobody.there") {
		t.Errorf("the log should quote Postfix and mask the address:\n%s", log)
	}
	var all []struct{ To, State, Said string }
	stdout, stderr, code := s.Run(t, "messages", "list", "--json")
	if err := json.Unmarshal([]byte(stdout), &all); code != 0 || err != nil || len(all) != 2 {
		t.Fatalf("messages list: %v\n%s%s", err, stdout, stderr)
	}
	if m := all[0]; m.State != "sent" || !strings.HasPrefix(m.Said, "250 2.0.0 Ok: queued as ") {
		t.Errorf("the message that was sent is %+v", m)
	}
	if m := all[1]; m.State != "bounced" || !strings.HasPrefix(m.Said, "550 5.1.1 <n***e@"+domain+">: Recipient address rejected: User unknown") {
		t.Errorf("the message that was refused is %+v", m)
	}
	if text, ok := check(t, s, "--send", "cleo@"+domain); !ok || !strings.Contains(text, "250 2.0.0 Ok: queued as ") {
		t.Errorf("check --send does not quote Postfix:\n%s", text)
	}
}

// A server that insists on TLS gets nothing from a site that does not use it,
// and the site says so.
func TestPostfixRefusesPlainText(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.Files(t, "localhost")
	p := startPostfix(t, cert, key)
	s := program.Start(t, binary, append(p.settings("starttls"), "EMAIL_TLS=none")...)
	asks(t, program.NewVisitor(""), s, "ann@"+domain)
	awaitLog(t, s, "message not sent yet")
	if all := p.messages(t, "ann@"+domain); len(all) > 0 {
		t.Error("Postfix took a message over plain text")
	}
}

// A server whose certificate is for somebody else, or from an authority that
// nobody knows, gets no message, and check says why.
func TestAWrongCertificateGetsNoMail(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		name, host, trust string
		implicit          bool
		says              string
	}{
		{"other name", "elsewhere.example", a.File, false, "certificate is valid for elsewhere.example, not localhost"},
		{"unknown authority", "localhost", newAuthority(t).File, false, "certificate signed by unknown authority"},
		{"other name, implicit", "elsewhere.example", a.File, true, "certificate is valid for elsewhere.example, not localhost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sink := program.OpenSink(t, program.SinkOptions{TLS: a.Config(t, c.host), Implicit: c.implicit})
			s := program.New(t, binary, sink.Settings()...)
			s.Env("SSL_CERT_FILE=" + c.trust)
			s.Start(t)
			v := program.NewVisitor("")
			asks(t, v, s, "ann@"+domain)
			awaitLog(t, s, c.says)
			if total, _ := sink.Count(); total != 0 {
				t.Errorf("%d messages went to a server with a wrong certificate", total)
			}
			if body := v.Get(t, s, "/login/code").Body; !strings.Contains(body, "We cannot send codes this way at the moment.") {
				t.Error("the code page does not say that the mail system is not reached")
			}
			text, ok := check(t, s)
			if ok || !strings.Contains(text, c.says) {
				t.Errorf("check should fail and say %q:\n%s", c.says, text)
			}
			t.Logf("check says:\n%s", text)
		})
	}
}

// With user and password, over both kinds of TLS.
func TestMailIsSentWithAPassword(t *testing.T) {
	a := newAuthority(t)
	for _, implicit := range []bool{false, true} {
		name := "starttls"
		if implicit {
			name = "implicit"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := program.OpenSink(t, program.SinkOptions{
				TLS: a.Config(t, "localhost"), Implicit: implicit, User: "djauthy", Password: "correct horse",
			})
			s := program.New(t, binary, sink.Settings()...)
			s.Env("SSL_CERT_FILE=" + a.File)
			s.Start(t)
			v := program.NewVisitor("")
			asks(t, v, s, "ann@"+domain)
			enters(t, v, s, sink.Next(t, "ann@"+domain).Code())
			if total, secure := sink.Count(); total != 1 || secure != 1 {
				t.Errorf("%d messages, %d of them over TLS, instead of one and one", total, secure)
			}
			if text, ok := check(t, s); !ok {
				t.Errorf("check fails:\n%s", text)
			}

			s.Set("EMAIL_PASSWORD=wrong")
			text, ok := check(t, s)
			if ok || !strings.Contains(text, "535") && !strings.Contains(strings.ToLower(text), "auth") {
				t.Errorf("check should fail and speak of the password:\n%s", text)
			}
			t.Logf("with a wrong password check says:\n%s", text)
		})
	}
}

// awaitLog waits until the server's log says something.
func awaitLog(t *testing.T, s *program.Site, what string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(s.Errors(), what) {
			return
		}
	}
	t.Fatalf("the log does not say %q:\n%s", what, s.Errors())
}
