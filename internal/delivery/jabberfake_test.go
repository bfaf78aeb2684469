package delivery_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

// fake is a Jabber server that does what a test wants. It keeps what it reads.
type fake struct {
	at   string
	mu   sync.Mutex
	read strings.Builder
}

// openFake hands each connection to talk, with what was read so far.
func openFake(t *testing.T, talk func(c net.Conn, read func() string)) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	f := &fake{at: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				talk(c, func() string { return f.next(c) })
			}()
		}
	}()
	return f
}

func (f *fake) next(c net.Conn) string {
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read.Write(b[:n])
	return string(b[:n])
}

func (f *fake) all() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read.String()
}

const streamHead = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='x1' from='localhost' version='1.0'>`

var pingOf = regexp.MustCompile(`<iq[^>]* id="([^"]+)"`)

// Whoever is on the wire may leave TLS out; a code never goes in the clear.
func TestNoCodeGoesOverAJabberStreamWithoutTLS(t *testing.T) {
	const startTLS = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`
	const failure, proceed = `<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`, `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`
	mechanisms := func(names ...string) string {
		return `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>` + strings.Join(names, `</mechanism><mechanism>`) + `</mechanism></mechanisms>`
	}
	for name, c := range map[string]struct{ offers, answer string }{
		"nothing":                      {"", ""},
		"TLS, which then fails":        {startTLS, failure},
		"TLS, which never begins":      {startTLS, proceed},
		"a log-in alone":               {mechanisms("SCRAM-SHA-256"), ""},
		"a log-in in the clear":        {mechanisms("PLAIN"), ""},
		"both, and TLS fails":          {startTLS + mechanisms("SCRAM-SHA-1", "PLAIN"), failure},
		"a resource, without a log-in": {`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openFake(t, func(c2 net.Conn, read func() string) {
				_, _ = io.WriteString(c2, streamHead+`<stream:features>`+c.offers+`</stream:features>`)
				for text := read(); text != ""; text = read() {
					if strings.Contains(text, "<starttls") {
						_, _ = io.WriteString(c2, c.answer)
					}
					if m := pingOf.FindStringSubmatch(text); m != nil {
						_, _ = fmt.Fprintf(c2, `<iq xmlns='jabber:client' type='result' id='%s'/>`, m[1])
					}
				}
			})
			_, ca := deliverytest.SelfSigned(t, "localhost")
			j := delivery.Jabber{ID: "login@localhost", Secret: deliverytest.Secret, Server: f.at, CA: ca}
			done := make(chan error, 1)
			go func() { done <- send(t.Context(), newJabber(t, j), chat(1)) }()
			select {
			case err := <-done:
				want(t, refusal(t, err).Down, true)
			case <-time.After(5 * time.Second): // it waits for a server that says nothing
			}
			if all := f.all(); strings.Contains(all, "123456") || strings.Contains(all, "<message") || strings.Contains(all, deliverytest.Secret) {
				t.Errorf("in the clear:\n%s", all)
			}
		})
	}
}

// component is a server that lets a component in and hands it to talk.
func component(t *testing.T, talk func(c net.Conn, read func() string)) delivery.Jabber {
	t.Helper()
	f := openFake(t, func(c net.Conn, read func() string) {
		_ = read()
		_, _ = io.WriteString(c, `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='x1' from='login.localhost'>`)
		_ = read()
		_, _ = io.WriteString(c, `<handshake/>`)
		talk(c, read)
	})
	return delivery.Jabber{ID: "login.localhost", Secret: deliverytest.Secret, Server: f.at}
}

// A server that takes longer than a ping is waited for is slow, and no more.
func TestASlowJabberServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	j := component(t, func(c net.Conn, read func() string) {
		for text := read(); text != ""; text = read() {
			if m := pingOf.FindStringSubmatch(text); m != nil {
				go func() {
					time.Sleep(3 * time.Second)
					_, _ = fmt.Fprintf(c, `<iq type='result' from='codes@login.localhost' to='codes@login.localhost' id='%s'/>`, m[1])
				}()
			}
		}
	})
	begun := time.Now()
	check(t, send(t.Context(), newJabber(t, j), chat(1)))
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it takes %v", took)
	}
}

var stanzaOf = regexp.MustCompile(`<message[^>]* id="([^"]+)"`)

// What comes back later counts only if the recipient's own server says so.
func TestALateBounceIsTheRecipientsAlone(t *testing.T) {
	t.Parallel()
	j := component(t, func(c net.Conn, read func() string) {
		bounce := func(from, id, condition string) {
			_, _ = fmt.Fprintf(c, `<message type='error' from='%s' to='codes@login.localhost' id='%s'><error type='cancel'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`, from, id, condition)
		}
		id := ""
		for text := read(); text != ""; text = read() {
			if m := stanzaOf.FindStringSubmatch(text); m != nil {
				id = m[1]
			}
			if m := pingOf.FindStringSubmatch(text); m != nil {
				_, _ = fmt.Fprintf(c, `<iq type='result' from='codes@login.localhost' to='codes@login.localhost' id='%s'/>`, m[1])
				time.Sleep(200 * time.Millisecond) // until Send has returned
				bounce("eve@localhost", id, "service-unavailable")
				bounce("ann@localhost", "1.000000000000000000000000", "service-unavailable")
				bounce("ann@localhost", id, strings.Repeat("x", 100_000))
				bounce("ann@localhost", id, "remote-server-timeout")
			}
		}
	})
	told := make(chan string, 10)
	j.Bounced = func(id, condition string) { told <- id + " " + condition }
	check(t, send(t.Context(), newJabber(t, j), chat(1)))
	want(t, deliverytest.Next(t, told), "1 undefined-condition")
	want(t, deliverytest.Next(t, told), "1 remote-server-timeout")
	want(t, len(told), 0)
}

// A server may send as much as it likes; no more than a stanza of it is kept.
func TestAJabberServerFillsNoMemory(t *testing.T) {
	t.Parallel()
	endless := func(wrote *atomic.Int64) func(c net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, "<message a='")
			for block := bytes.Repeat([]byte("x"), 1<<16); wrote.Load() < 64<<20; {
				n, err := c.Write(block)
				wrote.Add(int64(n))
				if err != nil {
					return
				}
			}
		}
	}
	var before, after atomic.Int64
	opening := openFake(t, func(c net.Conn, _ func() string) { endless(&before)(c) })
	se := refusal(t, send(t.Context(), newJabber(t, delivery.Jabber{ID: "login@localhost", Secret: deliverytest.Secret, Server: opening.at}), chat(1)))
	want(t, se.Down, true)
	open := component(t, func(c net.Conn, _ func() string) { endless(&after)(c) })
	want(t, refusal(t, send(t.Context(), newJabber(t, open), chat(1))).Down, true)
	if before.Load() > 16<<20 || after.Load() > 16<<20 { // most of it lies in sockets
		t.Errorf("%d and %d bytes were taken", before.Load(), after.Load())
	}
}
