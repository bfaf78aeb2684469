// Package deliverytest is a channel for messages and an outbox that sends by it, for the
// tests of delivery and outbox.
package deliverytest

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
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

// Patience is how long a test waits for what has to happen.
const Patience = 30 * time.Second

// Post is a Sender and a Stats that reports each event to the test.
type Post struct {
	// Answer says what comes of a message; nil: it is sent.
	Answer func(w delivery.Worded) error
	// Try is what Check says; nil: all is well.
	Try func(ctx context.Context) error
	// Said are the receiver's words.
	Said string
	// Wait is called before Answer.
	Wait func(ctx context.Context, w delivery.Worded) error

	Arrived chan delivery.Worded
	// Took has how long each message took that was sent, Permanent whether each failure
	// was.
	Took      chan time.Duration
	Permanent chan bool
	// Log is what the outbox logged.
	Log logbook
}

// NewPost is a channel that sends everything.
func NewPost() *Post {
	return &Post{Arrived: make(chan delivery.Worded, 4096), Took: make(chan time.Duration, 4096), Permanent: make(chan bool, 4096)}
}

// Send hands a message to the test.
func (p *Post) Send(ctx context.Context, w delivery.Worded) (string, error) {
	p.Arrived <- w
	if p.Wait != nil {
		if err := p.Wait(ctx, w); err != nil {
			return "", err
		}
	}
	if p.Answer == nil {
		return p.Said, nil
	}
	return p.Said, p.Answer(w)
}

// Check finds nothing wrong.
func (p *Post) Check(ctx context.Context) error {
	if p.Try == nil {
		return nil
	}
	return p.Try(ctx)
}

// Sent tells the test that a message was sent.
func (p *Post) Sent(_ string, took time.Duration) { p.Took <- took }

// Failed tells the test that one was not.
func (p *Post) Failed(_ string, permanent bool) { p.Permanent <- permanent }

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the log.
func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String is the log so far.
func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func keys(t *testing.T) *seal.Keys {
	t.Helper()
	k, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	dbtest.Check(t, err)
	return k
}

// Outbox is one that sends by p and is not running.
func (p *Post) Outbox(t *testing.T, d *db.DB) *outbox.Outbox {
	t.Helper()
	return Queue(t, d, p, p)
}

// Channels are email by s alone.
func Channels(t *testing.T, s delivery.Sender) *delivery.Channels {
	t.Helper()
	texts, err := words.Load()
	dbtest.Check(t, err)
	c, err := delivery.New(templates.FS, texts, map[string]delivery.Sender{accounts.Email: s})
	dbtest.Check(t, err)
	return c
}

// Queue is an outbox that sends by s, is not running and reports to p.
func Queue(t *testing.T, d *db.DB, s delivery.Sender, p *Post) *outbox.Outbox {
	t.Helper()
	log := slog.New(slog.NewTextHandler(&p.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return outbox.New(d, keys(t), Channels(t, s).Handlers(), p, log)
}

// Runs runs an outbox; stop ends it and waits, and is called at the test's end
// at the latest.
func Runs(t *testing.T, o *outbox.Outbox) (stop func()) {
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

// Message is a code's message as sign-in makes it.
func Message(to, code string) delivery.Message {
	return delivery.Message{To: accounts.ID{Implementation: accounts.Email, Identifier: to}, Kind: "code", Lang: "en", Text: delivery.Text{
		Code: code, Site: "Example", Host: "login.example.org", Browser: "Firefox on Linux", Place: "192.0.2.0/24", At: "03:04 UTC", Minutes: 10,
		Link: "https://login.example.org/login/link/abc.def", NotMe: "https://login.example.org/login/not-me/abc.def",
	}}
}

// Enqueue queues messages useful for ten minutes, in one transaction.
func Enqueue(t *testing.T, d *db.DB, o *outbox.Outbox, mute bool, all ...delivery.Message) (queued []outbox.Queued) {
	t.Helper()
	dbtest.Check(t, d.Update(t.Context(), func(tx *db.Tx) error {
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

// Next waits for the next event of a channel.
func Next[T any](t *testing.T, events <-chan T) T {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(Patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

// Until waits until something has happened; what says that it has not.
func Until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}
