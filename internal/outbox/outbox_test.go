package outbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
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
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		queued := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "xyzzyplugh"))
		text, state := row(t, d)
		want(t, state, 0)
		for _, secret := range []string{"ann", "xyzzy", "/login/", "Firefox"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q can be read in the table", secret)
			}
		}
		want(t, len(p.Arrived), 0)
		deliverytest.Runs(t, o)
		o.Deliver(queued[0])
		want(t, deliverytest.Next(t, p.Arrived).To, "ann@example.org")
		deliverytest.Next(t, p.Took)
		_, state = row(t, d)
		want(t, state, 1)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE sealed <> $1`, []byte{}), 0) // nothing of it is left
	})
}

func TestARolledBackCauseSendsNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			if _, err := o.Enqueue(tx, deliverytest.Message("no@example.org", "111111").Job(tx.Now.Add(time.Hour)), false); err != nil {
				return err
			}
			return db.ErrNotFound
		})
		if err == nil {
			t.Fatal("not rolled back")
		}
		clock.Advance(outbox.Lease)
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("yes@example.org", "222222"))
		clock.Advance(outbox.Lease)
		deliverytest.Runs(t, o)
		want(t, deliverytest.Next(t, p.Arrived).To, "yes@example.org")
		want(t, count(t, d, `SELECT count(*) FROM outbox`), 1)
	})
}

func TestAMessageOutlivesTheProcessThatQueuedIt(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		dead, p := deliverytest.NewPost(), deliverytest.NewPost()
		deliverytest.Enqueue(t, d, dead.Outbox(t, d), false, deliverytest.Message("ann@example.org", "123456")) // kill -9 before Deliver
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		clock.Advance(outbox.Lease - time.Millisecond)
		sentinel := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("bob@example.org", "654321"))
		o.Deliver(sentinel[0])
		want(t, deliverytest.Next(t, p.Arrived).To, "bob@example.org") // the other's claim still holds
		deliverytest.Next(t, p.Took)
		stop()
		clock.Advance(time.Millisecond)
		deliverytest.Runs(t, p.Outbox(t, d))
		want(t, deliverytest.Next(t, p.Arrived).To, "ann@example.org")
		deliverytest.Next(t, p.Took)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1`), 2)
		want(t, len(dead.Arrived), 0)
	})
}

func TestOneOfTwoOutboxesClaimsAMessage(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		const n = 150
		a, b := deliverytest.NewPost(), deliverytest.NewPost()
		var all []delivery.Message
		for i := range n {
			all = append(all, deliverytest.Message(fmt.Sprintf("p%d@example.org", i), "123456"))
		}
		deliverytest.Enqueue(t, d, a.Outbox(t, d), false, all...)
		clock.Advance(outbox.Lease)
		deliverytest.Runs(t, a.Outbox(t, d))
		deliverytest.Runs(t, b.Outbox(t, d))
		for range n {
			select {
			case <-a.Took:
			case <-b.Took:
			case <-time.After(deliverytest.Patience):
				t.Fatal("a message was not sent")
			}
		}
		seen := map[string]bool{}
		for len(a.Arrived)+len(b.Arrived) > 0 {
			select {
			case w := <-a.Arrived:
				seen[w.To] = noDouble(t, seen, w)
			case w := <-b.Arrived:
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
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		var all []delivery.Message
		for i := range n {
			all = append(all, deliverytest.Message(fmt.Sprintf("p%d@example.org", i), "123456"))
		}
		for _, q := range deliverytest.Enqueue(t, d, o, false, all...) {
			o.Deliver(q) // never blocks
		}
		deliverytest.Runs(t, o)
		for range outbox.Backlog {
			deliverytest.Next(t, p.Took)
		}
		clock.Advance(outbox.Lease)
		for range 50 {
			deliverytest.Next(t, p.Took)
		}
		seen := map[string]bool{}
		for range n {
			w := deliverytest.Next(t, p.Arrived)
			seen[w.To] = noDouble(t, seen, w)
		}
		want(t, len(seen), n)
	})
}

func TestAMuteMessageIsNeverSent(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		for _, q := range deliverytest.Enqueue(t, d, o, true, deliverytest.Message("mute@example.org", "111111")) {
			o.Deliver(q)
		}
		want(t, count(t, d, `SELECT count(*) FROM outbox`), 1) // it takes the same room
		for range 3 {
			clock.Advance(outbox.Lease)
			stop := deliverytest.Runs(t, p.Outbox(t, d))
			deliverytest.Enqueue(t, d, o, false, deliverytest.Message("loud@example.org", "222222"))
			clock.Advance(outbox.Lease)
			deliverytest.Next(t, p.Took)
			stop()
		}
		for len(p.Arrived) > 0 {
			want(t, (<-p.Arrived).To, "loud@example.org")
		}
	})
}

func TestAMessageUnderWayIsFinishedAtShutdown(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := deliverytest.NewPost()
		release := make(chan struct{})
		p.Answer = func(delivery.Worded) error { <-release; return nil }
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))[0])
		deliverytest.Next(t, p.Arrived)
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		close(release)
		deliverytest.Next(t, stopped)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1`), 1)
	})
}

func TestSweepRemovesOldMessagesInChunks(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		o := deliverytest.NewPost().Outbox(t, d)
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("a@example.org", "1"), deliverytest.Message("b@example.org", "2"), deliverytest.Message("c@example.org", "3"))
		deliverytest.Enqueue(t, d, o, true, deliverytest.Message("d@example.org", "4"))
		clock.Advance(time.Hour)
		before := clock.Now()
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("e@example.org", "5"))
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
