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

// channel is an outbox whose server works or not.
type channel struct {
	*outbox.Outbox
	db    *db.DB
	clock *dbtest.Clock
	post  *deliverytest.Post
	fault atomic.Pointer[outbox.Error]
	tries atomic.Int32
}

func openChannel(t *testing.T) *channel {
	t.Helper()
	c := &channel{db: dbtest.Fresh(t, "sqlite"), clock: dbtest.NewClock(), post: deliverytest.NewPost()}
	c.db.Now = c.clock.Now
	c.post.Try = func(context.Context) error {
		c.tries.Add(1)
		if err := c.fault.Load(); err != nil {
			return err
		}
		return nil
	}
	c.Outbox = c.post.Outbox(t, c.db)
	c.ProbeEvery = time.Millisecond
	deliverytest.Runs(t, c.Outbox)
	return c
}

// ends sends one message that comes to the given end; a mute one is never sent.
func (c *channel) ends(t *testing.T, err error) {
	t.Helper()
	c.post.Answer = func(delivery.Worded) error { return err }
	c.Deliver(deliverytest.Enqueue(t, c.db, c.Outbox, false, deliverytest.Message("ann@example.org", "123456"))[0])
	if err == nil {
		deliverytest.Next(t, c.post.Took)
	} else {
		deliverytest.Next(t, c.post.Permanent)
	}
}

func (c *channel) mute(t *testing.T) {
	t.Helper()
	c.Deliver(deliverytest.Enqueue(t, c.db, c.Outbox, true, deliverytest.Message("nobody@example.org", "123456"))[0])
}

// tried waits until the server was tried once more.
func (c *channel) tried(t *testing.T) {
	t.Helper()
	n := c.tries.Load()
	deliverytest.Until(t, "the server is not tried", func() bool { return c.tries.Load() > n+1 }) // the last try has ended
}

var (
	away  = &outbox.Error{Down: true, Reason: "unreachable"}
	wrong = &outbox.Error{Down: true, Lasting: true, Reason: "wrong password"}
)

// What closes a channel is the same whether anything was sent, or unknown ids would be told.
func TestAChannelIsClosedWhenItsServerFailsForLongOrForGood(t *testing.T) {
	for name, ask := range map[string]func(*testing.T, *channel){
		"by a message that failed":  func(t *testing.T, c *channel) { c.ends(t, away) },
		"by one that is never sent": func(t *testing.T, c *channel) { c.mute(t) },
	} {
		t.Run(name, func(t *testing.T) {
			c := openChannel(t)
			c.fault.Store(away)
			ask(t, c)
			deliverytest.Until(t, "it is not down", func() bool { return c.Down("email") })
			want(t, c.Closed("email"), false) // it may be back in a moment
			c.clock.Advance(29 * time.Second)
			c.tried(t)
			want(t, c.Closed("email"), false)
			c.clock.Advance(time.Second)
			deliverytest.Until(t, "it stays open", func() bool { return c.Closed("email") })
			want(t, c.Closed("jabber"), false)
			c.fault.Store(nil)
			deliverytest.Until(t, "it stays closed", func() bool { return !c.Closed("email") && !c.Down("email") })

			c.clock.Advance(time.Minute)
			c.fault.Store(wrong)
			ask(t, c)
			deliverytest.Until(t, "a wrong password leaves it open", func() bool { return c.Closed("email") })
		})
	}
}

// Time alone closes nothing: a server that was not tried may work.
func TestAFaultThatWasSeenOnceClosesNothingLater(t *testing.T) {
	c := openChannel(t)
	c.ProbeEvery = time.Hour
	c.fault.Store(away)
	c.ends(t, away)
	deliverytest.Until(t, "it is not down", func() bool { return c.Down("email") })
	c.clock.Advance(time.Hour)
	want(t, c.Closed("email"), false)
}

func TestAChannelIsDownByItsServerOnly(t *testing.T) {
	c := openChannel(t)
	for _, err := range []error{nil, errors.New("no luck"), &outbox.Error{Permanent: true, Reason: "no such person"}, &outbox.Error{Reason: "greylisted"}} {
		c.ends(t, err)
	}
	want(t, c.tries.Load(), 0)
	for range 10 { // whatever becomes of messages, the server works
		c.ends(t, wrong)
	}
	deliverytest.Until(t, "it is not tried", func() bool { return c.tries.Load() == 1 })
	want(t, c.Down("email") || c.Closed("email"), false)
	for range 100 {
		c.mute(t)
	}
	want(t, c.tries.Load(), 1) // a moment ago it was tried
}

func TestOnlyWhatWasSentCanComeBack(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		deliverytest.Runs(t, o)
		q := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "1"), deliverytest.Message("ben@example.org", "2"))
		o.Deliver(q[0])
		deliverytest.Next(t, p.Took)
		deliverytest.Until(t, "it is not recorded as sent", func() bool { return count(t, d, `SELECT count(*) FROM outbox WHERE state = 1`) == 1 })
		all, err := ids(t.Context(), d)
		dbtest.Check(t, err)
		o.Bounced("jabber", all[0], "another channel's")
		o.Bounced("email", all[1], "before it is recorded as sent")
		o.Bounced("email", all[0], "service-unavailable")
		deliverytest.Until(t, "what came back is not recorded", func() bool {
			return count(t, d, `SELECT count(*) FROM outbox WHERE state = 2 AND said = 'service-unavailable'`) == 1
		})
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 2`), 1)
		o.Deliver(q[1])
		deliverytest.Until(t, "what came back early is lost", func() bool { return count(t, d, `SELECT count(*) FROM outbox WHERE state = 2`) == 2 })
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
