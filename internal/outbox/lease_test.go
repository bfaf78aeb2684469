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

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func TestALongSendKeepsItsLease(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		release := make(chan struct{})
		p, other := newPost(), newPost()
		p.wait = held(release, "slow")
		o := p.outbox(t, d)
		outbox.Pace(o, 5*time.Millisecond, 0, 0)
		runs(t, o)
		o.Deliver(enqueue(t, d, o, false, message("slow@example.org", "123456"))[0])
		next(t, p.arrived)
		for range 8 { // four minutes
			clock.Advance(outbox.Lease - time.Second)
			until(t, "the lease is not renewed", func() bool { return leaseEnd(t, d).Equal(clock.Now().Add(outbox.Lease)) })
		}
		stop := runs(t, other.outbox(t, d)) // looks at once what is due
		q := enqueue(t, d, o, false, message("ben@example.org", "654321"))
		o.Deliver(q[0])
		next(t, p.sent)
		stop()
		want(t, len(other.arrived), 0)
		close(release)
		next(t, p.sent)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1 AND leased = 0`), 2)
	})
}

func TestALeaseThatEndsWhileItsMessageIsSentDoublesNothingHere(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		release := make(chan struct{})
		p := newPost()
		p.wait = held(release, "slow")
		o := p.outbox(t, d)
		runs(t, o)
		o.Deliver(enqueue(t, d, o, false, message("slow@example.org", "123456"))[0])
		next(t, p.arrived)
		clock.Advance(5 * time.Minute) // the clock jumps
		until(t, "nobody claims", func() bool { return count(t, d, `SELECT tries FROM outbox`) == 2 })
		close(release)
		next(t, p.sent)
		want(t, len(p.arrived), 0)
	})
}

func TestSlowRecipientsHoldUpNobodyElse(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	release := make(chan struct{})
	p := newPost()
	p.wait = held(release, "slow")
	o := p.outbox(t, d)
	outbox.Pace(o, 0, time.Millisecond, 0)
	runs(t, o)
	const slow = outbox.SendLimit - 1
	var all []delivery.Message
	for i := range slow {
		all = append(all, message(fmt.Sprintf("slow@d%d.example", i), "123456"))
	}
	for _, q := range enqueue(t, d, o, false, all...) {
		o.Deliver(q)
	}
	for range slow {
		next(t, p.arrived)
	}
	for i := range 20 {
		to := fmt.Sprintf("p%d@example.org", i)
		o.Deliver(enqueue(t, d, o, false, message(to, "123456"))[0])
		want(t, next(t, p.arrived).To, to)
		next(t, p.sent)
	}
	close(release)
	for range slow {
		next(t, p.sent)
	}
}

func TestNoMoreMessagesAreSentAtOnceThanServersLike(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	release := make(chan struct{})
	p := newPost()
	p.wait = held(release, "p")
	o := p.outbox(t, d)
	outbox.Pace(o, 0, time.Hour, 0)
	runs(t, o)
	var all []delivery.Message
	for i := range 3 * outbox.BriskLimit {
		all = append(all, message(fmt.Sprintf("p%d@example.org", i), "123456"))
	}
	for _, q := range enqueue(t, d, o, false, all...) {
		o.Deliver(q)
	}
	for range outbox.BriskLimit {
		next(t, p.arrived)
	}
	select {
	case w := <-p.arrived:
		t.Errorf("%s is sent, too", w.To)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	for range all {
		next(t, p.sent)
	}
}

func TestWhatIsNotSentAtTheEndIsReleasedAtOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		const n = outbox.BriskLimit + 30
		p, other := newPost(), newPost()
		p.wait = held(nil, "p")
		o := p.outbox(t, d)
		outbox.Pace(o, 0, 0, 10*time.Millisecond)
		var all []delivery.Message
		for i := range n {
			all = append(all, message(fmt.Sprintf("p%d@example.org", i), "123456"))
		}
		queued := enqueue(t, d, o, false, all...)
		stop := runs(t, o)
		for _, q := range queued {
			o.Deliver(q)
		}
		for range outbox.BriskLimit {
			next(t, p.arrived)
		}
		stop()
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 0 AND leased = 0 AND tries = 0`), n)
		if log := p.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
			t.Errorf("the log says: %s", log)
		}
		runs(t, other.outbox(t, d)) // another process, at the same moment
		for range n {
			next(t, other.sent)
		}
		want(t, len(p.arrived), 0)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1 AND tries = 1`), n)
	})
}

// More wait than this process holds in memory: some are claimed and in no queue.
func TestWhatIsClaimedAndFindsNoRoomIsReleasedAtTheEnd(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPost()
		p.wait = held(nil, "p")
		o := p.outbox(t, d)
		outbox.Pace(o, 0, 0, 10*time.Millisecond)
		var all []delivery.Message
		for range outbox.Backlog + 200 {
			all = append(all, message("p@example.org", "123456"))
		}
		enqueue(t, d, o, false, all...)
		clock.Advance(outbox.Lease + time.Second) // who queued them is gone
		held := func() int {
			return count(t, d, `SELECT count(*) FROM outbox WHERE due_at > $1`, clock.Now().UnixMilli())
		}
		stop := runs(t, o)
		until(t, "no more is claimed than fits", func() bool { return held() > outbox.Backlog+outbox.BriskLimit+1 })
		stop()
		want(t, held(), 0)
	})
}

// The process ended after the data and before the server's reply.
func TestWhatMayHaveArrivedIsNotSentAgainAtOnceByAnotherProcess(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPost()
		p.wait = func(ctx context.Context, _ delivery.Worded) error {
			<-ctx.Done()
			return &outbox.Error{Unknown: true, Reason: "no answer after the data"}
		}
		o := p.outbox(t, d)
		outbox.Pace(o, 0, 0, 10*time.Millisecond)
		stop := runs(t, o)
		o.Deliver(enqueue(t, d, o, false, message("ann@example.org", "123456"))[0])
		next(t, p.arrived)
		stop()
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 0 AND leased = 0 AND due_at >= $1`, clock.Now().Add(4*time.Minute).UnixMilli()), 1)
	})
}

func TestAClockThatWasAheadLeavesNoMessageStuck(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPost()
		p.answer = func(delivery.Worded) error { return &outbox.Error{Reason: "greylisted"} }
		clock.Advance(time.Hour)
		o := p.outbox(t, d)
		enqueue(t, d, o, false, message("leased@example.org", "123456"))
		stop := runs(t, o)
		o.Deliver(enqueue(t, d, o, false, message("failed@example.org", "123456"))[0])
		next(t, p.failed)
		stop()
		clock.Advance(-time.Hour)
		p.answer = nil
		want(t, next(t, p.arrived).To, "failed@example.org")
		runs(t, p.outbox(t, d))
		next(t, p.sent)
		next(t, p.sent)
		a, b := next(t, p.arrived).To, next(t, p.arrived).To
		want(t, min(a, b), "failed@example.org")
		want(t, max(a, b), "leased@example.org")
	})
}

func TestARowThatCannotBeReadHoldsBackNoOther(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPost()
		o := p.outbox(t, d)
		enqueue(t, d, o, false, message("broken@example.org", "123456"))
		check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE outbox SET sealed = $1`, []byte("scribble"))
			return err
		}))
		enqueue(t, d, o, false, message("ann@example.org", "123456"))
		clock.Advance(outbox.Lease)
		runs(t, p.outbox(t, d))
		next(t, p.sent)
		want(t, next(t, p.failed), true)
		want(t, next(t, p.arrived).To, "ann@example.org")
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 4`), 1)
	})
}

func TestAMessageThatMayHaveArrivedIsTriedThreeTimesInTenMinutes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPost()
		p.answer = func(delivery.Worded) error {
			return &outbox.Error{Unknown: true, Reason: "it did not say whether it takes it"}
		}
		o := p.outbox(t, d)
		stop := runs(t, o)
		check(t, d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := o.Enqueue(tx, message("ann@example.org", "123456").Job(tx.Now.Add(time.Hour)), false)
			return err
		}))
		stop()
		clock.Advance(outbox.Lease)
		var at []time.Time
		ids := map[string]bool{}
		for range 8 {
			stop = runs(t, p.outbox(t, d))
			ids[next(t, p.arrived).ID] = true
			at = append(at, clock.Now())
			want(t, next(t, p.failed), false)
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
