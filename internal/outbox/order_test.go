package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/outbox"
)

// Two processes that write down what became of messages, or renew their leases, do not
// wait for each other.
func TestOutcomesAndLeasesAreWrittenInTheOrderOfTheirMessages(t *testing.T) {
	const most = outbox.BriskLimit
	const outcomes, leases = 0, 20 * time.Millisecond
	for _, renew := range []time.Duration{leases, outcomes, outcomes, outcomes} { // which answers come first is chance
		t.Run(renew.String(), func(t *testing.T) {
			d := dbtest.Fresh(t, "postgres")
			p, own := deliverytest.NewPost(), map[string]chan struct{}{}
			var all []delivery.Message
			for n := range most {
				to := fmt.Sprintf("p%d@example.org", n)
				own[to] = make(chan struct{})
				all = append(all, deliverytest.Message(to, "123456"))
			}
			p.Wait = func(ctx context.Context, w delivery.Worded) error { return held(own[w.To], "p")(ctx, w) }
			o := p.Outbox(t, d)
			outbox.Pace(o, renew, 0, 0)
			deliverytest.Runs(t, o)
			for _, q := range deliverytest.Enqueue(t, d, o, false, all...) {
				o.Deliver(q)
			}
			for range most {
				deliverytest.Next(t, p.Arrived)
			}
			answer := func() error {
				for _, n := range rand.Perm(most) {
					close(own[all[n].To.Identifier])
				}
				return nil
			}
			if renew == outcomes {
				dbtest.InOrder(t, d, "outbox", "id", answer)
			} else {
				dbtest.InOrder(t, d, "outbox", "id", func() error { return nil })
				check(t, answer())
			}
			for range most {
				deliverytest.Next(t, p.Took)
			}
		})
	}
}
