package mailbox_test

import (
	"context"
	"fmt"
	"net"
	"net/smtp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/djauthy/djauthy/internal/mailbox"
)

// running is a mailbox that serves until the test ends, and what arrives there.
func running(t *testing.T) (*mailbox.Mailbox, <-chan mailbox.Message) {
	t.Helper()
	arrived := make(chan mailbox.Message, 200)
	m, err := mailbox.Listen(func(x mailbox.Message) { arrived <- x })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return m, arrived
}

func addr(m *mailbox.Mailbox) string { return fmt.Sprintf("127.0.0.1:%d", m.Port()) }

// send sends a message as it is over SMTP.
func send(m *mailbox.Mailbox, text string, to ...string) error {
	return smtp.SendMail(addr(m), nil, "djauthy@example.org", to, []byte(strings.ReplaceAll(text, "\n", "\r\n")))
}

func TestAMultipartMessageShowsItsTextPart(t *testing.T) {
	m, arrived := running(t)
	const text = "Hälló Änn,\n\n123456 is your code.\nhttp://localhost:8080/login/link/abc.def\n@localhost #123456\n"
	msg := mail.NewMsg()
	if err := msg.From("djauthy <djauthy@example.org>"); err != nil {
		t.Fatal(err)
	}
	if err := msg.To("ann@example.org"); err != nil {
		t.Fatal(err)
	}
	msg.Subject("123456 ist der Code für Änn")
	msg.SetBodyString(mail.TypeTextPlain, text)
	msg.AddAlternativeString(mail.TypeTextHTML, "<p>not this</p>")
	c, err := mail.NewClient("127.0.0.1", mail.WithPort(m.Port()), mail.WithTLSPolicy(mail.NoTLS))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DialAndSendWithContext(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	got := <-arrived
	if got.To != "ann@example.org" || got.Subject != "123456 ist der Code für Änn" || strings.ReplaceAll(got.Text, "\r\n", "\n") != text {
		t.Errorf("%+v", got)
	}
	if since := time.Since(got.At); since < 0 || since > time.Minute {
		t.Errorf("it arrived %v ago", since)
	}
	if links := got.Links(); !slices.Equal(links, []string{"http://localhost:8080/login/link/abc.def"}) {
		t.Errorf("the links are %q", links)
	}
	if held := m.Messages(); len(held) != 1 || held[0] != got {
		t.Errorf("it holds %+v", held)
	}
}

func TestMessagesOfOtherFormsShowWhatTheyHave(t *testing.T) {
	m, arrived := running(t)
	for name, c := range map[string]struct{ text, subject, body string }{
		"plain":           {"Subject: a\n\nbody\n", "a", "body"},
		"no subject":      {"X: y\n\nbody\n", "", "body"},
		"base64":          {"Subject: =?utf-8?q?=C3=A4?=\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nYm9keQ==\n", "ä", "body"},
		"HTML alone":      {"Subject: a\nContent-Type: text/html\n\n<p>x</p>\n", "a", ""},
		"unknown charset": {"Subject: a\nContent-Type: text/plain; charset=x-none\n\nbody\n", "a", "body"},
		"dots":            {"Subject: a\n\n..\n.body\n", "a", "..\n.body"},
	} {
		if err := send(m, c.text, "ann@example.org"); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := <-arrived; got.Subject != c.subject || strings.TrimSpace(strings.ReplaceAll(got.Text, "\r\n", "\n")) != c.body {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheLastHundredAreKeptNewestFirst(t *testing.T) {
	m, arrived := running(t)
	c, err := smtp.Dial(addr(m))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	const all = 110
	for i := range all { // on one connection, as a mailer does
		if err := c.Mail("djauthy@example.org"); err != nil {
			t.Fatal(err)
		}
		if err := c.Rcpt("ann@example.org"); err != nil {
			t.Fatal(err)
		}
		w, err := c.Data()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(w, "Subject: %d\r\n\r\nbody\r\n", i); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := <-arrived; got.Subject != fmt.Sprint(i) {
			t.Errorf("%s arrived, want %d", got.Subject, i)
		}
	}
	held := m.Messages()
	if len(held) != 100 {
		t.Fatalf("it holds %d", len(held))
	}
	for i, x := range held {
		if x.Subject != fmt.Sprint(all-1-i) {
			t.Fatalf("at %d stands %s", i, x.Subject)
		}
	}
}

func TestEachOfSeveralReceiversGetsAMessage(t *testing.T) {
	m, arrived := running(t)
	if err := send(m, "Subject: a\n\nbody\n", "ann@example.org", "ben@example.org"); err != nil {
		t.Fatal(err)
	}
	if a, b := <-arrived, <-arrived; a.To != "ann@example.org" || b.To != "ben@example.org" || a.Text != b.Text {
		t.Errorf("%+v, %+v", a, b)
	}
}

func TestWhatMessagesReturnsIsACopy(t *testing.T) {
	m, arrived := running(t)
	if err := send(m, "Subject: a\n\nbody\n", "ann@example.org"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	m.Messages()[0].Subject = "changed"
	if got := m.Messages()[0].Subject; got != "a" {
		t.Errorf("it holds %q", got)
	}
}

func TestTooMuchIsRefusedAndHeldNowhere(t *testing.T) {
	m, _ := running(t)
	if err := send(m, "Subject: a\n\n"+strings.Repeat(strings.Repeat("x", 70)+"\n", 20000), "ann@example.org"); err == nil {
		t.Error("more than a megabyte is taken")
	}
	if held := m.Messages(); len(held) != 0 {
		t.Errorf("it holds %d", len(held))
	}
}

func TestItListensOnThisMachineAlone(t *testing.T) {
	m, _ := running(t)
	if m.Port() == 0 {
		t.Fatal("no port")
	}
	c, err := net.Dial("tcp", addr(m))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip.IP.String(), fmt.Sprint(m.Port())), time.Second); err == nil {
			_ = c.Close()
			t.Errorf("it answers on %s", ip.IP)
		}
	}
}
