package outbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/outbox"
)

// row is the only message's row as text.
func row(t *testing.T, d *db.DB) (text string, state int) {
	t.Helper()
	var id, notAfter, due, tries, done int64
	var channel, reason string
	var sealed []byte
	check(t, d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get(`SELECT id, channel, sealed, not_after, due_at, tries, state, done_at, reason FROM outbox`).
			Scan(&id, &channel, &sealed, &notAfter, &due, &tries, &state, &done, &reason)
	}))
	return fmt.Sprint(channel, string(sealed), reason, fmt.Sprintf("%x", sealed)), state
}

func TestAMessageIsInTheTableSealedBeforeItIsSent(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := newPost()
		o := p.outbox(t, d)
		queued := enqueue(t, d, o, false, message("ann@example.org", "xyzzyplugh"))
		text, state := row(t, d)
		want(t, state, 0)
		for _, secret := range []string{"ann", "xyzzy", "/login/", "Firefox"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q can be read in the table", secret)
			}
		}
		want(t, len(p.arrived), 0)
		runs(t, o)
		o.Deliver(queued[0])
		want(t, next(t, p.arrived).To, "ann@example.org")
		next(t, p.sent)
		_, state = row(t, d)
		want(t, state, 1)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE sealed <> $1`, []byte{}), 0) // nothing of it is left
	})
}

func TestARolledBackCauseSendsNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPost()
		o := p.outbox(t, d)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			if _, err := o.Enqueue(tx, message("no@example.org", "111111").Job(tx.Now.Add(time.Hour)), false); err != nil {
				return err
			}
			return db.ErrNotFound
		})
		if err == nil {
			t.Fatal("not rolled back")
		}
		clock.Advance(outbox.Lease)
		enqueue(t, d, o, false, message("yes@example.org", "222222"))
		clock.Advance(outbox.Lease)
		runs(t, o)
		want(t, next(t, p.arrived).To, "yes@example.org")
		want(t, count(t, d, `SELECT count(*) FROM outbox`), 1)
	})
}

func TestAMessageOutlivesTheProcessThatQueuedIt(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		dead, p := newPost(), newPost()
		enqueue(t, d, dead.outbox(t, d), false, message("ann@example.org", "123456")) // kill -9 before Deliver
		o := p.outbox(t, d)
		stop := runs(t, o)
		clock.Advance(outbox.Lease - time.Millisecond)
		sentinel := enqueue(t, d, o, false, message("bob@example.org", "654321"))
		o.Deliver(sentinel[0])
		want(t, next(t, p.arrived).To, "bob@example.org") // the other's claim still holds
		next(t, p.sent)
		stop()
		clock.Advance(time.Millisecond)
		runs(t, p.outbox(t, d))
		want(t, next(t, p.arrived).To, "ann@example.org")
		next(t, p.sent)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1`), 2)
		want(t, len(dead.arrived), 0)
	})
}

func TestOneOfTwoOutboxesClaimsAMessage(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		const n = 150
		a, b := newPost(), newPost()
		var all []delivery.Message
		for i := range n {
			all = append(all, message(fmt.Sprintf("p%d@example.org", i), "123456"))
		}
		enqueue(t, d, a.outbox(t, d), false, all...)
		clock.Advance(outbox.Lease)
		runs(t, a.outbox(t, d))
		runs(t, b.outbox(t, d))
		for range n {
			select {
			case <-a.sent:
			case <-b.sent:
			case <-time.After(patience):
				t.Fatal("a message was not sent")
			}
		}
		seen := map[string]bool{}
		for len(a.arrived)+len(b.arrived) > 0 {
			select {
			case w := <-a.arrived:
				seen[w.To] = noDouble(t, seen, w)
			case w := <-b.arrived:
				seen[w.To] = noDouble(t, seen, w)
			}
		}
		want(t, len(seen), n)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1`), n)
	})
}

func noDouble(t *testing.T, seen map[string]bool, w delivery.Worded) bool {
	t.Helper()
	if seen[w.To] {
		t.Errorf("%s got it twice", w.To)
	}
	return true
}

func TestAFullBacklogLosesNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		const n = outbox.Backlog + 50
		p := newPost()
		o := p.outbox(t, d)
		var all []delivery.Message
		for i := range n {
			all = append(all, message(fmt.Sprintf("p%d@example.org", i), "123456"))
		}
		for _, q := range enqueue(t, d, o, false, all...) {
			o.Deliver(q) // never blocks
		}
		runs(t, o)
		for range outbox.Backlog {
			next(t, p.sent)
		}
		clock.Advance(outbox.Lease)
		for range 50 {
			next(t, p.sent)
		}
		seen := map[string]bool{}
		for range n {
			w := next(t, p.arrived)
			seen[w.To] = noDouble(t, seen, w)
		}
		want(t, len(seen), n)
	})
}

func TestAMuteMessageIsNeverSent(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPost()
		o := p.outbox(t, d)
		for _, q := range enqueue(t, d, o, true, message("mute@example.org", "111111")) {
			o.Deliver(q)
		}
		want(t, count(t, d, `SELECT count(*) FROM outbox`), 1) // it takes the same room
		for range 3 {
			clock.Advance(outbox.Lease)
			stop := runs(t, p.outbox(t, d))
			enqueue(t, d, o, false, message("loud@example.org", "222222"))
			clock.Advance(outbox.Lease)
			next(t, p.sent)
			stop()
		}
		for len(p.arrived) > 0 {
			want(t, (<-p.arrived).To, "loud@example.org")
		}
	})
}

func TestAMessageUnderWayIsFinishedAtShutdown(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := newPost()
		release := make(chan struct{})
		p.answer = func(delivery.Worded) error { <-release; return nil }
		o := p.outbox(t, d)
		stop := runs(t, o)
		o.Deliver(enqueue(t, d, o, false, message("ann@example.org", "123456"))[0])
		next(t, p.arrived)
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		close(release)
		next(t, stopped)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1`), 1)
	})
}

func TestSweepRemovesOldMessagesInChunks(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		o := newPost().outbox(t, d)
		enqueue(t, d, o, false, message("a@example.org", "1"), message("b@example.org", "2"), message("c@example.org", "3"))
		enqueue(t, d, o, true, message("d@example.org", "4"))
		clock.Advance(time.Hour)
		before := clock.Now()
		enqueue(t, d, o, false, message("e@example.org", "5"))
		for _, n := range []int64{3, 1, 0} {
			check(t, d.Update(t.Context(), func(tx *db.Tx) error {
				got, err := outbox.Sweep(tx, before, 3)
				want(t, got, n)
				return err
			}))
		}
		want(t, count(t, d, `SELECT count(*) FROM outbox`), 1)
	})
}
