package outbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/outbox"
)

func TestATemporaryFailureIsTriedAgainLaterAndLater(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer = func(delivery.Worded) error { return errors.New("no luck") }
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "hjkmnp"))[0])
		ids := map[string]bool{}
		for _, wait := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second} {
			ids[deliverytest.Next(t, p.Arrived).ID] = true
			want(t, deliverytest.Next(t, p.Permanent), false)
			due := db.Time(int64(count(t, d, `SELECT due_at FROM outbox WHERE state = 0`)))
			if w := due.Sub(clock.Now()); w < wait || w > wait*5/4+time.Second/100 {
				t.Fatalf("the next try is after %v, want %v and up to a quarter more", w, wait)
			}
			stop()
			clock.Advance(due.Sub(clock.Now()))
			stop = deliverytest.Runs(t, p.Outbox(t, d)) // looks at once what is due
		}
		stop()
		want(t, len(ids), 1) // a mail program shows a doubled message once
		p.Answer = nil
		clock.Advance(time.Minute)
		deliverytest.Runs(t, p.Outbox(t, d))
		deliverytest.Next(t, p.Took)
		if log := p.Log.String(); !strings.Contains(log, "will try again") || strings.Contains(log, "ann@") || strings.Contains(log, "hjkmnp") {
			t.Errorf("the log says: %s", log)
		}
	})
}

func TestAPermanentFailureIsGivenUpVisibly(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer = func(delivery.Worded) error {
			return &outbox.Error{Permanent: true, Reason: "RCPT TO: the server said 550"}
		}
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "hjkmnp"))[0])
		want(t, deliverytest.Next(t, p.Permanent), true)
		stop()
		text, state := row(t, d)
		want(t, state, 2)
		if !strings.Contains(text, "said 550") {
			t.Errorf("the row does not say why: %q", text)
		}
		if log := p.Log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "given up") || strings.Contains(log, "ann@") || strings.Contains(log, "hjkmnp") {
			t.Errorf("the log says: %s", log)
		}
		// It has expired: only the next message is sent.
		p.Answer = nil
		clock.Advance(outbox.Lease)
		deliverytest.Next(t, p.Arrived)
		o = p.Outbox(t, d)
		deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("bob@example.org", "654321"))[0])
		want(t, deliverytest.Next(t, p.Arrived).To, "bob@example.org")
	})
}

func TestAMessageIsGivenUpWhenItsCodeIsOver(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		// The retry would come too late.
		p := deliverytest.NewPost()
		p.Answer = func(delivery.Worded) error { return errors.New("no luck") }
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		q := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))
		o.Deliver(q[0])
		want(t, deliverytest.Next(t, p.Permanent), false)
		stop()
		clock.Advance(10*time.Minute - time.Second)
		stop = deliverytest.Runs(t, p.Outbox(t, d))
		want(t, deliverytest.Next(t, p.Permanent), true)
		stop()
		_, state := row(t, d)
		want(t, state, 4)

		// Nobody looked at it in time: it is not sent at all.
		want(t, len(p.Arrived), 2)
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("late@example.org", "123456"))
		clock.Advance(10*time.Minute + time.Millisecond)
		deliverytest.Runs(t, p.Outbox(t, d))
		want(t, deliverytest.Next(t, p.Permanent), true)
		want(t, len(p.Arrived), 2)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 4`), 2)
	})
}

func TestAMessageNobodyCanSendIsGivenUp(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer = func(delivery.Worded) error { panic("a fault in a sender") }
		o := p.Outbox(t, d)
		deliverytest.Runs(t, o)
		odd, worse := deliverytest.Message("ann@example.org", "1"), deliverytest.Message("ann@example.org", "2")
		odd.To.Implementation, worse.Kind = "pigeon", "poem"
		for _, q := range deliverytest.Enqueue(t, d, o, false, odd, worse, deliverytest.Message("ann@example.org", "3")) {
			o.Deliver(q)
			want(t, deliverytest.Next(t, p.Permanent), true)
		}
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 4`), 3)
	})
}

func TestUsualIsTheMedianOfTheLastHour(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		deliverytest.Runs(t, o)
		for i, seconds := range []int{1, 19, 2, 3, 18} {
			want(t, o.Usual(t.Context()), 0) // too few to say
			q := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))
			clock.Advance(time.Duration(seconds) * time.Second)
			o.Deliver(q[0])
			want(t, deliverytest.Next(t, p.Took), time.Duration(seconds)*time.Second)
			if i < 4 {
				clock.Advance(31 * time.Second)
			}
		}
		clock.Advance(31 * time.Second)
		want(t, o.Usual(t.Context()), 3*time.Second)
		clock.Advance(time.Hour)
		want(t, o.Usual(t.Context()), 0)
	})
}
