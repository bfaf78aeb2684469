package outbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/outbox"
)

// fail sends one message that comes to the given end.
func fail(t *testing.T, d *db.DB, o *outbox.Outbox, p *deliverytest.Post, err error) {
	t.Helper()
	p.Answer = func(delivery.Worded) error { return err }
	o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))[0])
	if err == nil {
		deliverytest.Next(t, p.Took)
	} else {
		deliverytest.Next(t, p.Permanent)
	}
}

func TestAChannelIsClosedWhenItFailsForLongOrForGood(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	clock := dbtest.NewClock()
	d.Now = clock.Now
	p := deliverytest.NewPost()
	p.Try = func(context.Context) error { return errors.New("still away") }
	o := p.Outbox(t, d)
	deliverytest.Runs(t, o)
	away, wrong := &outbox.Error{Down: true, Reason: "unreachable"}, &outbox.Error{Down: true, Lasting: true, Reason: "wrong password"}
	want(t, o.Closed("email"), false)
	fail(t, d, o, p, away)
	want(t, o.Closed("email"), false) // it may be back in a moment
	clock.Advance(29 * time.Second)
	want(t, o.Closed("email"), false)
	clock.Advance(time.Second)
	want(t, o.Closed("email"), true)
	want(t, o.Closed("jabber"), false)
	fail(t, d, o, p, nil)
	want(t, o.Closed("email"), false)
	fail(t, d, o, p, &outbox.Error{Permanent: true, Reason: "no such person"}) // one person's failure closes nothing
	want(t, o.Closed("email"), false)
	fail(t, d, o, p, wrong)
	want(t, o.Closed("email"), true)
}

// Without messages nobody else would find out.
func TestAClosedChannelOpensWhenItsServerAnswers(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	clock := dbtest.NewClock()
	d.Now = clock.Now
	p := deliverytest.NewPost()
	tried := make(chan bool, 100)
	var back atomic.Bool
	p.Try = func(context.Context) error {
		defer func() { tried <- true }()
		if !back.Load() {
			return errors.New("still away")
		}
		return nil
	}
	o := p.Outbox(t, d)
	deliverytest.Runs(t, o)
	fail(t, d, o, p, &outbox.Error{Down: true, Lasting: true, Reason: "wrong password"})
	clock.Advance(10 * time.Second)
	for range 100 { // however many ask, the server is tried once
		want(t, o.Closed("email"), true)
	}
	deliverytest.Next(t, tried)
	clock.Advance(9 * time.Second)
	want(t, o.Closed("email"), true)
	want(t, len(tried), 0)
	back.Store(true)
	clock.Advance(time.Second)
	want(t, o.Closed("email"), true)
	deliverytest.Next(t, tried)
	until(t, "the channel stays closed", func() bool { return !o.Closed("email") })
	want(t, o.Down("email"), false)
}

func TestOnlyWhatWasSentCanComeBack(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		deliverytest.Runs(t, o)
		q := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "1"), deliverytest.Message("ben@example.org", "2"))
		o.Deliver(q[0])
		deliverytest.Next(t, p.Took)
		until(t, "it is not recorded as sent", func() bool { return count(t, d, `SELECT count(*) FROM outbox WHERE state = 1`) == 1 })
		all, err := ids(t.Context(), d)
		dbtest.Check(t, err)
		o.Bounced("jabber", all[0], "another channel's")
		o.Bounced("email", all[1], "before it is recorded as sent")
		o.Bounced("email", all[0], "service-unavailable")
		until(t, "what came back is not recorded", func() bool {
			return count(t, d, `SELECT count(*) FROM outbox WHERE state = 2 AND said = 'service-unavailable'`) == 1
		})
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 2`), 1)
		o.Deliver(q[1])
		until(t, "what came back early is lost", func() bool { return count(t, d, `SELECT count(*) FROM outbox WHERE state = 2`) == 2 })
	})
}

// ids are those of all jobs, in the order in which they were made.
func ids(ctx context.Context, d *db.DB) (all []db.ID, err error) {
	err = d.View(ctx, func(tx *db.Tx) error {
		all, err = db.All(tx, db.One[db.ID], `SELECT id FROM outbox ORDER BY id`)
		return err
	})
	return all, err
}
