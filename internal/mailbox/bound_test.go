package mailbox_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/mailbox"
)

// fits fails if a message keeps more memory alive than it shows.
func fits(t *testing.T, x mailbox.Message) {
	t.Helper()
	if len(x.Text) > 64<<10 || len(x.Subject) > 1<<10 || len(x.To) > 320 {
		t.Errorf("it holds %d bytes of text, %d of subject, %d of address", len(x.Text), len(x.Subject), len(x.To))
	}
}

// lines breaks a text into lines as mail has them (RFC 2045 6.8).
func lines(text string) string {
	var b strings.Builder
	for ; len(text) > 76; text = text[76:] {
		b.WriteString(text[:76] + "\n")
	}
	return b.String() + text + "\n"
}

func TestOfALongMessageNoMoreIsKeptThanIsShown(t *testing.T) {
	m, arrived := running(t)
	line := strings.Repeat("ä", 400) + "\n"
	long := strings.Repeat(line, 1000) // 800 kB
	for name, text := range map[string]string{
		"plain":       "Subject: a\nContent-Type: text/plain; charset=utf-8\n\n" + long,
		"base64":      "Subject: a\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + lines(base64.StdEncoding.EncodeToString([]byte(long[:500_000]))),
		"its subject": "Subject: " + strings.Repeat(strings.Repeat("é", 300)+"\n ", 30) + "\n\nbody\n",
	} {
		if err := send(m, text, "ann@example.org"); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := <-arrived
		fits(t, got)
		if name != "its subject" && len(got.Text) < 63<<10 || strings.ContainsRune(got.Text+got.Subject, '\ufffd') {
			t.Errorf("%s: %d bytes of text, %d of subject", name, len(got.Text), len(got.Subject))
		}
	}
	for _, held := range m.Messages() {
		fits(t, held)
	}
}

func TestAMessageBeyondTheBoundsIsRefused(t *testing.T) {
	m, _ := running(t)
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("ann%d@example.org", i)
	}
	for name, err := range map[string]error{
		"101 recipients":      send(m, "Subject: a\n\nbody\n", many...),
		"an address of 400":   send(m, "Subject: a\n\nbody\n", strings.Repeat("a", 388)+"@example.org"),
		"a header of 100 KiB": send(m, "Subject: a\n"+strings.Repeat("X: "+strings.Repeat("x", 700)+"\n", 150)+"\nbody\n", "ann@example.org"),
		"a body of 2 MiB":     send(m, "Subject: a\n\n"+strings.Repeat(strings.Repeat("x", 700)+"\n", 3000), "ann@example.org"),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if held := m.Messages(); len(held) != 0 {
		t.Errorf("%d are held", len(held))
	}
	if err := send(m, "Subject: a\n\nbody\n", many[:100]...); err != nil {
		t.Errorf("100 recipients: %v", err)
	}
}

// nested is a multipart within a multipart, so many deep, whose innermost is text.
func nested(depth int) string {
	text := "Subject: a\n"
	for i := range depth {
		text += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	text += "Content-Type: text/plain\n\nthe text\n"
	for i := range depth {
		text += fmt.Sprintf("--b%d--\n", depth-1-i)
	}
	return text
}

func TestPartsWithinPartsAreLookedAtUpToABound(t *testing.T) {
	m, arrived := running(t)
	part := func(kind, text string) string { return "--b\nContent-Type: " + kind + "\n\n" + text + "\n" }
	const mixed = "Subject: a\nContent-Type: multipart/mixed; boundary=b\n\n"
	for name, x := range map[string]struct{ text, want string }{
		"two deep":     {nested(2), "the text"},
		"5,000 deep":   {nested(5000), ""},
		"after ten":    {mixed + strings.Repeat(part("text/html", "x"), 10) + part("text/plain", "the text") + "--b--\n", "the text"},
		"after 10,000": {mixed + strings.Repeat(part("text/html", "x"), 10_000) + part("text/plain", "the text") + "--b--\n", ""},
	} {
		if err := send(m, x.text, "ann@example.org"); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := <-arrived; strings.TrimSpace(got.Text) != x.want {
			t.Errorf("%s: %q", name, got.Text)
		}
	}
}

func TestOfTooManyConnectionsTheNextAreTurnedAway(t *testing.T) {
	m, arrived := running(t)
	dial := func() (net.Conn, string) {
		conn, err := net.Dial("tcp", addr(m))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the test closes one itself
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		greeting, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return conn, greeting
	}
	var last net.Conn
	for range 50 {
		conn, greeting := dial()
		last = conn
		if !strings.HasPrefix(greeting, "220 ") {
			t.Fatalf("it greets with %s", greeting)
		}
	}
	for range 5 {
		if _, greeting := dial(); !strings.HasPrefix(greeting, "421 ") {
			t.Errorf("beyond them it greets with %s", greeting)
		}
	}
	_ = last.Close()
	for deadline := time.Now().Add(30 * time.Second); send(m, "Subject: a\n\nbody\n", "ann@example.org") != nil; {
		if time.Now().After(deadline) {
			t.Fatal("there is no room after one has gone")
		}
	}
	<-arrived
}
