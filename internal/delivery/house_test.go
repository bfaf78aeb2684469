package delivery_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

const patience = 30 * time.Second

// post is a Sender and a Stats that reports each event to the test. answer says
// what comes of a message; nil: it is sent.
type post struct {
	answer func(w delivery.Worded) error
	said   string
	wait   func(ctx context.Context, w delivery.Worded) error // before answer

	arrived chan delivery.Worded
	sent    chan time.Duration
	failed  chan bool // permanent
	log     logbook
}

func newPost() *post {
	return &post{arrived: make(chan delivery.Worded, 4096), sent: make(chan time.Duration, 4096), failed: make(chan bool, 4096)}
}

func (p *post) Send(ctx context.Context, w delivery.Worded) (string, error) {
	p.arrived <- w
	if p.wait != nil {
		if err := p.wait(ctx, w); err != nil {
			return "", err
		}
	}
	if p.answer == nil {
		return p.said, nil
	}
	return p.said, p.answer(w)
}

func (p *post) Check(context.Context) error       { return nil }
func (p *post) Sent(_ string, took time.Duration) { p.sent <- took }
func (p *post) Failed(_ string, permanent bool)   { p.failed <- permanent }

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func keys(t *testing.T) *seal.Keys {
	t.Helper()
	k, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	check(t, err)
	return k
}

// channels are email by s alone.
func channels(t *testing.T, s delivery.Sender) *delivery.Channels {
	t.Helper()
	texts, err := words.Load()
	check(t, err)
	c, err := delivery.New(templates.FS, texts, map[string]delivery.Sender{accounts.Email: s})
	check(t, err)
	return c
}

// queue is an outbox that sends by s and is not running.
func queue(t *testing.T, d *db.DB, s delivery.Sender, p *post) *outbox.Outbox {
	t.Helper()
	log := slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return outbox.New(d, keys(t), channels(t, s).Handlers(), p, log)
}

// runs runs an outbox; stop ends it and waits, and is called at the test's end
// at the latest.
func runs(t *testing.T, o *outbox.Outbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// message is a code's message as sign-in makes it.
func message(to, code string) delivery.Message {
	return delivery.Message{To: accounts.ID{Implementation: accounts.Email, Identifier: to}, Kind: "code", Lang: "en", Text: delivery.Text{
		Code: code, Site: "Example", Host: "login.example.org", Browser: "Firefox on Linux", Place: "192.0.2.0/24", At: "03:04 UTC", Minutes: 10,
		Link: "https://login.example.org/login/link/abc.def", NotMe: "https://login.example.org/login/not-me/abc.def",
	}}
}

// enqueue queues messages useful for ten minutes, in one transaction.
func enqueue(t *testing.T, d *db.DB, o *outbox.Outbox, mute bool, all ...delivery.Message) (queued []outbox.Queued) {
	t.Helper()
	check(t, d.Update(t.Context(), func(tx *db.Tx) error {
		queued = nil
		for _, m := range all {
			q, err := o.Enqueue(tx, m.Job(tx.Now.Add(10*time.Minute)), mute)
			if err != nil {
				return err
			}
			queued = append(queued, q)
		}
		return nil
	}))
	return queued
}

// next waits for the next event of a channel.
func next[T any](t *testing.T, events <-chan T) T {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}
