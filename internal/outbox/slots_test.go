package outbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/outbox"
)

// flood has an outbox send n messages to one slow domain, and returns when the
// domain has all the slots it may have.
func flood(t *testing.T, d *db.DB, o *outbox.Outbox, p *deliverytest.Post, n int) {
	t.Helper()
	var all []delivery.Message
	for i := range n {
		all = append(all, deliverytest.Message(fmt.Sprintf("slow%d@Slow.example", i), "123456"))
	}
	for _, q := range deliverytest.Enqueue(t, d, o, false, all...) {
		o.Deliver(q)
	}
	for range outbox.SendLimit / 2 {
		deliverytest.Next(t, p.Arrived)
	}
}

func TestASlowDomainLeavesHalfOfTheSlots(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	release := make(chan struct{})
	p := deliverytest.NewPost()
	p.Wait = held(release, "slow")
	o := p.Outbox(t, d)
	outbox.Pace(o, 0, time.Millisecond, 0)
	deliverytest.Runs(t, o)
	const slow = 2 * outbox.SendLimit
	flood(t, d, o, p, slow)
	for i := range 2 * outbox.SendLimit {
		to := fmt.Sprintf("p%d@example.org", i)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message(to, "123456"))[0])
		want(t, deliverytest.Next(t, p.Arrived).To, to)
		deliverytest.Next(t, p.Took)
	}
	close(release)
	for range slow - outbox.SendLimit/2 {
		deliverytest.Next(t, p.Arrived)
	}
	for range slow {
		deliverytest.Next(t, p.Took)
	}
	want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1 AND tries = 1`), slow+2*outbox.SendLimit)
}

func TestOneOfASlowDomainFollowsTheOther(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	release := make(chan struct{})
	p := deliverytest.NewPost()
	p.Wait = held(release, "slow")
	o := p.Outbox(t, d)
	outbox.Pace(o, 0, time.Millisecond, 0)
	deliverytest.Runs(t, o)
	flood(t, d, o, p, outbox.SendLimit)
	for range outbox.SendLimit / 2 {
		want(t, len(p.Arrived), 0)
		release <- struct{}{}
		deliverytest.Next(t, p.Took)
		deliverytest.Next(t, p.Arrived)
	}
	close(release)
	for range outbox.SendLimit / 2 {
		deliverytest.Next(t, p.Took)
	}
}

func TestAMessageThatWaitsForItsDomainKeepsItsLease(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		release := make(chan struct{})
		p, other := deliverytest.NewPost(), deliverytest.NewPost()
		p.Wait = held(release, "slow")
		o := p.Outbox(t, d)
		outbox.Pace(o, 5*time.Millisecond, time.Millisecond, 0)
		deliverytest.Runs(t, o)
		flood(t, d, o, p, outbox.SendLimit)
		for range 8 { // four minutes
			clock.Advance(outbox.Lease - time.Second)
			deliverytest.Until(t, "the leases are not renewed", func() bool {
				return count(t, d, `SELECT count(*) FROM outbox WHERE state = 0 AND leased = 1 AND due_at = $1`, clock.Now().Add(outbox.Lease).UnixMilli()) == outbox.SendLimit
			})
		}
		stop := deliverytest.Runs(t, other.Outbox(t, d)) // looks at once what is due
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ben@example.org", "654321"))[0])
		deliverytest.Next(t, p.Took)
		stop()
		want(t, len(other.Arrived), 0)
		close(release)
		for range outbox.SendLimit {
			deliverytest.Next(t, p.Took)
		}
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 1 AND tries = 1`), outbox.SendLimit+1)
	})
}

func TestAMessageThatWaitsForItsDomainIsReleasedAtTheEnd(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p, other := deliverytest.NewPost(), deliverytest.NewPost()
		p.Wait = held(nil, "slow")
		o := p.Outbox(t, d)
		outbox.Pace(o, 0, time.Millisecond, 10*time.Millisecond)
		stop := deliverytest.Runs(t, o)
		flood(t, d, o, p, outbox.SendLimit)
		stop()
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE state = 0 AND leased = 0 AND tries = 0`), outbox.SendLimit)
		deliverytest.Runs(t, other.Outbox(t, d)) // another process, at the same moment
		for range outbox.SendLimit {
			deliverytest.Next(t, other.Took)
		}
		want(t, len(p.Arrived), 0)
	})
}

// A prompt slot is lost for as long as its message takes to count as slow.
func TestADomainWithSlowMessagesLeavesPromptSlotsToOthers(t *testing.T) {
	for slow, prompt := range map[int]int{0: outbox.BriskLimit, 1: outbox.BriskLimit - 2, outbox.SendLimit/2 - 1: 1, outbox.SendLimit / 2: 0} {
		if got := outbox.PromptBeside(slow); got != prompt {
			t.Errorf("beside %d slow messages %d prompt ones begin, not %d", slow, got, prompt)
		}
	}
}
