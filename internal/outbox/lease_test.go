package outbox_test

import (
	"context"
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

// held makes a sender wait for messages to some addresses until release is
// closed or the send is cut off.
func held(release <-chan struct{}, prefix string) func(context.Context, delivery.Worded) error {
	return func(ctx context.Context, w delivery.Worded) error {
		if !strings.HasPrefix(w.To, prefix) {
			return nil
		}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return &outbox.Error{Down: true, Reason: "stopped before it answered"}
		}
	}
}

// leaseEnd is when the lease of the only waiting message ends.
func leaseEnd(t *testing.T, d *db.DB) time.Time {
	t.Helper()
	return db.Time(int64(count(t, d, `SELECT due_at FROM outbox WHERE state = 0 AND leased = 1`)))
}

func TestALongSendKeepsItsLease(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		release := make(chan struct{})
		p, other := deliverytest.NewPost(), deliverytest.NewPost()
		p.Wait = held(release, "slow")
		o := p.Outbox(t, d)
		outbox.Pace(o, 5*time.Millisecond, 0, 0)
		deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("slow@example.org", "123456"))[0])
		deliverytest.Next(t, p.Arrived)
		for range 8 { // four minutes
			clock.Advance(outbox.Lease - time.Second)
			deliverytest.Until(t, "the lease is not renewed", func() bool { return leaseEnd(t, d).Equal(clock.Now().Add(outbox.Lease)) })
		}
		stop := deliverytest.Runs(t, other.Outbox(t, d)) // looks at once what is due
		q := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ben@example.org", "654321"))
		o.Deliver(q[0])
		deliverytest.Next(t, p.Took)
		stop()
		want(t, len(other.Arrived), 0)
		close(release)
		deliverytest.Next(t, p.Took)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1 AND leased = 0`), 2)
	})
}

func TestALeaseThatEndsWhileItsMessageIsSentDoublesNothingHere(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		release := make(chan struct{})
		p := deliverytest.NewPost()
		p.Wait = held(release, "slow")
		o := p.Outbox(t, d)
		deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("slow@example.org", "123456"))[0])
		deliverytest.Next(t, p.Arrived)
		clock.Advance(5 * time.Minute) // the clock jumps
		deliverytest.Until(t, "nobody claims", func() bool { return count(t, d, `SELECT tries FROM outbox`) == 2 })
		close(release)
		deliverytest.Next(t, p.Took)
		want(t, len(p.Arrived), 0)
	})
}

func TestSlowRecipientsHoldUpNobodyElse(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	release := make(chan struct{})
	p := deliverytest.NewPost()
	p.Wait = held(release, "slow")
	o := p.Outbox(t, d)
	outbox.Pace(o, 0, time.Millisecond, 0)
	deliverytest.Runs(t, o)
	const slow = outbox.SendLimit - 1
	var all []delivery.Message
	for i := range slow {
		all = append(all, deliverytest.Message(fmt.Sprintf("slow@d%d.example", i), "123456"))
	}
	for _, q := range deliverytest.Enqueue(t, d, o, false, all...) {
		o.Deliver(q)
	}
	for range slow {
		deliverytest.Next(t, p.Arrived)
	}
	for i := range 20 {
		to := fmt.Sprintf("p%d@example.org", i)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message(to, "123456"))[0])
		want(t, deliverytest.Next(t, p.Arrived).To, to)
		deliverytest.Next(t, p.Took)
	}
	close(release)
	for range slow {
		deliverytest.Next(t, p.Took)
	}
}

func TestNoMoreMessagesAreSentAtOnceThanServersLike(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	release := make(chan struct{})
	p := deliverytest.NewPost()
	p.Wait = held(release, "p")
	o := p.Outbox(t, d)
	outbox.Pace(o, 0, time.Hour, 0)
	deliverytest.Runs(t, o)
	var all []delivery.Message
	for i := range 3 * outbox.BriskLimit {
		all = append(all, deliverytest.Message(fmt.Sprintf("p%d@example.org", i), "123456"))
	}
	for _, q := range deliverytest.Enqueue(t, d, o, false, all...) {
		o.Deliver(q)
	}
	for range outbox.BriskLimit {
		deliverytest.Next(t, p.Arrived)
	}
	select {
	case w := <-p.Arrived:
		t.Errorf("%s is sent, too", w.To)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	for range all {
		deliverytest.Next(t, p.Took)
	}
}

func TestWhatIsNotSentAtTheEndIsReleasedAtOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		const n = outbox.BriskLimit + 30
		p, other := deliverytest.NewPost(), deliverytest.NewPost()
		p.Wait = held(nil, "p")
		o := p.Outbox(t, d)
		outbox.Pace(o, 0, 0, 10*time.Millisecond)
		var all []delivery.Message
		for i := range n {
			all = append(all, deliverytest.Message(fmt.Sprintf("p%d@example.org", i), "123456"))
		}
		queued := deliverytest.Enqueue(t, d, o, false, all...)
		stop := deliverytest.Runs(t, o)
		for _, q := range queued {
			o.Deliver(q)
		}
		for range outbox.BriskLimit {
			deliverytest.Next(t, p.Arrived)
		}
		stop()
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 0 AND leased = 0 AND tries = 0`), n)
		if log := p.Log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
			t.Errorf("the log says: %s", log)
		}
		deliverytest.Runs(t, other.Outbox(t, d)) // another process, at the same moment
		for range n {
			deliverytest.Next(t, other.Took)
		}
		want(t, len(p.Arrived), 0)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1 AND tries = 1`), n)
	})
}

// More wait than this process holds in memory: some are claimed and in no queue.
func TestWhatIsClaimedAndFindsNoRoomIsReleasedAtTheEnd(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Wait = held(nil, "p")
		o := p.Outbox(t, d)
		outbox.Pace(o, 0, 0, 10*time.Millisecond)
		var all []delivery.Message
		for range outbox.Backlog + 200 {
			all = append(all, deliverytest.Message("p@example.org", "123456"))
		}
		deliverytest.Enqueue(t, d, o, false, all...)
		clock.Advance(outbox.Lease + time.Second) // who queued them is gone
		held := func() int {
			return count(t, d, `SELECT count(*) FROM outbox WHERE due_at > $1`, clock.Now().UnixMilli())
		}
		stop := deliverytest.Runs(t, o)
		deliverytest.Until(t, "no more is claimed than fits", func() bool { return held() > outbox.Backlog+outbox.BriskLimit+1 })
		stop()
		want(t, held(), 0)
	})
}

// The process ended after the data and before the server's reply.
func TestWhatMayHaveArrivedIsNotSentAgainAtOnceByAnotherProcess(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Wait = func(ctx context.Context, _ delivery.Worded) error {
			<-ctx.Done()
			return &outbox.Error{Unknown: true, Reason: "no answer after the data"}
		}
		o := p.Outbox(t, d)
		outbox.Pace(o, 0, 0, 10*time.Millisecond)
		stop := deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))[0])
		deliverytest.Next(t, p.Arrived)
		stop()
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 0 AND leased = 0 AND due_at >= $1`, clock.Now().Add(4*time.Minute).UnixMilli()), 1)
	})
}

func TestAClockThatWasAheadLeavesNoMessageStuck(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer = func(delivery.Worded) error { return &outbox.Error{Reason: "greylisted"} }
		clock.Advance(time.Hour)
		o := p.Outbox(t, d)
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("leased@example.org", "123456"))
		stop := deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("failed@example.org", "123456"))[0])
		deliverytest.Next(t, p.Permanent)
		stop()
		clock.Advance(-time.Hour)
		p.Answer = nil
		want(t, deliverytest.Next(t, p.Arrived).To, "failed@example.org")
		deliverytest.Runs(t, p.Outbox(t, d))
		deliverytest.Next(t, p.Took)
		deliverytest.Next(t, p.Took)
		a, b := deliverytest.Next(t, p.Arrived).To, deliverytest.Next(t, p.Arrived).To
		want(t, min(a, b), "failed@example.org")
		want(t, max(a, b), "leased@example.org")
	})
}

func TestARowThatCannotBeReadHoldsBackNoOther(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		o := p.Outbox(t, d)
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("broken@example.org", "123456"))
		check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE outbox SET sealed = $1`, []byte("scribble"))
			return err
		}))
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))
		clock.Advance(outbox.Lease)
		deliverytest.Runs(t, p.Outbox(t, d))
		deliverytest.Next(t, p.Took)
		want(t, deliverytest.Next(t, p.Permanent), true)
		want(t, deliverytest.Next(t, p.Arrived).To, "ann@example.org")
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 4`), 1)
	})
}

func TestAMessageThatMayHaveArrivedIsTriedThreeTimesInTenMinutes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer = func(delivery.Worded) error {
			return &outbox.Error{Unknown: true, Reason: "it did not say whether it takes it"}
		}
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := o.Enqueue(tx, deliverytest.Message("ann@example.org", "123456").Job(tx.Now.Add(time.Hour)), false)
			return err
		}))
		stop()
		clock.Advance(outbox.Lease)
		var at []time.Time
		ids := map[string]bool{}
		for range 8 {
			stop = deliverytest.Runs(t, p.Outbox(t, d))
			ids[deliverytest.Next(t, p.Arrived).ID] = true
			at = append(at, clock.Now())
			want(t, deliverytest.Next(t, p.Permanent), false)
			stop()
			due := db.Time(int64(count(t, d, `SELECT due_at FROM outbox WHERE state = 0`)))
			clock.Advance(due.Sub(clock.Now()))
		}
		for i := 3; i < len(at); i++ {
			if span := at[i].Sub(at[i-3]); span <= 10*time.Minute {
				t.Errorf("four tries within %v", span)
			}
		}
		want(t, len(ids), 1)
	})
}
