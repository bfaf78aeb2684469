package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-message"
	gosmtp "github.com/emersion/go-smtp"
)

// inbox is a real SMTP server that keeps every message it is sent.
type inbox struct {
	listener net.Listener
	server   *gosmtp.Server

	mu      sync.Mutex
	count   int
	boxes   map[string][]letter // by recipient
	read    map[string]int      // letters of a recipient that a test has taken
	arrived chan struct{}       // closed at the next arrival
}

// letter is a message with its envelope.
type letter struct {
	to      []string
	raw     string
	header  message.Header
	subject string
	text    string
	html    string
}

func openInbox() *inbox {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	i := &inbox{listener: l, boxes: map[string][]letter{}, read: map[string]int{}, arrived: make(chan struct{})}
	i.server = gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &transaction{box: i}, nil }))
	i.server.Domain = "localhost"
	i.server.EnableSMTPUTF8 = true
	i.server.ErrorLog = quietly{}
	go func() { _ = i.server.Serve(l) }()
	return i
}

type quietly struct{}

func (quietly) Printf(string, ...any) {}
func (quietly) Println(...any)        {}

func (i *inbox) port() string {
	return i.listener.Addr().String()[strings.LastIndex(i.listener.Addr().String(), ":")+1:]
}
func (i *inbox) close() { _ = i.server.Close() }

type transaction struct {
	box *inbox
	to  []string
}

func (t *transaction) Mail(string, *gosmtp.MailOptions) error { return nil }
func (t *transaction) Reset()                                 { t.to = nil }
func (t *transaction) Logout() error                          { return nil }

func (t *transaction) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if strings.HasPrefix(to, "refused") {
		return &gosmtp.SMTPError{Code: 550, Message: "no such mailbox"}
	}
	t.to = append(t.to, to)
	return nil
}

func (t *transaction) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l := letter{to: slices.Clone(t.to), raw: string(raw)}
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	l.header = e.Header
	l.subject, _ = e.Header.Text("Subject")
	err = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, _ := part.Header.ContentType()
		if !strings.HasPrefix(kind, "text/") {
			return nil
		}
		body, err := io.ReadAll(part.Body)
		switch kind {
		case "text/plain":
			l.text = string(body)
		case "text/html":
			l.html = string(body)
		}
		return err
	})
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	t.box.count++
	for _, to := range l.to {
		t.box.boxes[to] = append(t.box.boxes[to], l)
	}
	close(t.box.arrived)
	t.box.arrived = make(chan struct{})
	return err
}

// to returns what a recipient has been sent, and a channel that is closed when
// anything more arrives.
func (i *inbox) to(address string) (all []letter, more <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.boxes[address], i.arrived
}

var errNoLetter = errors.New("no message came")

// take waits for the next message to an address that was not taken yet.
func (i *inbox) take(address string) (letter, error) {
	late := time.After(20 * time.Second)
	for {
		all, more := i.to(address)
		i.mu.Lock()
		n := i.read[address]
		if n < len(all) {
			i.read[address]++
		}
		i.mu.Unlock()
		if n < len(all) {
			return all[n], nil
		}
		select {
		case <-more:
		case <-late:
			return letter{}, errNoLetter
		}
	}
}

func (i *inbox) next(t testing.TB, address string) letter {
	t.Helper()
	l, err := i.take(address)
	if err != nil {
		t.Fatalf("%v to %s", err, address)
	}
	return l
}

// size is how many messages have come in all.
func (i *inbox) size() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count
}

// code is the message's first line.
func (l letter) code() string {
	line, _, _ := strings.Cut(l.text, "\n")
	return strings.TrimSpace(line)
}

var (
	linkLine  = regexp.MustCompile(`(?m)^\S*(/login/link/\S+?)\r?$`)
	notMeLine = regexp.MustCompile(`(?m)^\S*(/login/not-me/\S+?)\r?$`)
)

// link and notMe are the paths of the message's two links.
func (l letter) link() string  { return group(linkLine, l.text) }
func (l letter) notMe() string { return group(notMeLine, l.text) }

func group(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// wrong is a code that is not the given one.
func wrong(code string) string {
	last := code[len(code)-1]
	if last == '9' || last == 'z' {
		return code[:len(code)-1] + string(last-1)
	}
	return code[:len(code)-1] + string(last+1)
}
