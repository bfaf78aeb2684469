package outbox_test

import (
	"errors"
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

// listed are the messages of a state, "" for all, read two at a time.
func listed(t *testing.T, d *db.DB, state string) (all []outbox.Entry) {
	t.Helper()
	o := deliverytest.NewPost().Outbox(t, d)
	for from := (outbox.Page{}); ; {
		some, next, err := o.List(t.Context(), state, from, 2)
		check(t, err)
		from = next
		all = append(all, some...)
		if len(some) < 2 {
			return all
		}
	}
}

func retry(t *testing.T, d *db.DB, number int64) (e outbox.Entry, what outbox.Retried) {
	t.Helper()
	e, what, err := deliverytest.NewPost().Outbox(t, d).Retry(t.Context(), number)
	check(t, err)
	return e, what
}

// answers is what a mail server says to some people.
func answers(w delivery.Worded) error {
	switch {
	case strings.HasPrefix(w.To, "refused"):
		return &outbox.Error{Permanent: true, Reason: "RCPT TO", Said: "550 5.1.1 <r***d@example.org>: no such user"}
	case strings.HasPrefix(w.To, "grey"):
		return &outbox.Error{Reason: "RCPT TO", Said: "451 4.7.1 greylisted"}
	case strings.HasPrefix(w.To, "down"):
		return &outbox.Error{Down: true, Reason: "cannot reach the mail server"}
	}
	return nil
}

func TestOperatorsSeeWhatBecameOfAMessage(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer, p.Said = answers, "250 2.0.0 Ok: queued as 4F"
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		deliverytest.Enqueue(t, d, o, true, deliverytest.Message("mute@example.org", "123456"))
		for _, who := range []string{"annabella", "refused", "grey", "down"} {
			o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message(who+"@example.org", "123456"))[0])
			if deliverytest.Next(t, p.Arrived); who == "annabella" {
				deliverytest.Next(t, p.Took)
			} else {
				deliverytest.Next(t, p.Permanent)
			}
		}
		stop()
		clock.Advance(9*time.Minute + 59*time.Second)
		late := p.Outbox(t, d)
		stop = deliverytest.Runs(t, late)
		deliverytest.Next(t, p.Permanent) // grey and down: the next try would come too late
		deliverytest.Next(t, p.Permanent)
		stop()
		var got []string
		for _, e := range listed(t, d, "") {
			got = append(got, fmt.Sprint(e.Recipient, " ", e.State, " ", e.Kind, " ", e.Tries, " ", e.Said, "|", e.Reason))
			want(t, e.Created.Equal(dbtest.Start), true)
		}
		want(t, strings.Join(got, "\n"), strings.Join([]string{
			"a***a@example.org sent email 1 250 2.0.0 Ok: queued as 4F|",
			"r***d@example.org bounced email 1 550 5.1.1 <r***d@example.org>: no such user|RCPT TO",
			"g***y@example.org given-up email 2 451 4.7.1 greylisted|RCPT TO",
			"d***n@example.org given-up email 2 |cannot reach the mail server",
		}, "\n"))
		for state, n := range map[string]int{"waiting": 0, "sent": 1, "bounced": 1, "given-up": 2} {
			want(t, len(listed(t, d, state)), n)
		}
		if log := p.Log.String(); !strings.Contains(log, "550 5.1.1 <r***d@example.org>") || !strings.Contains(log, fmt.Sprint(listed(t, d, "bounced")[0].Number)) {
			t.Errorf("the log does not name the message and the server's words: %s", log)
		}
	})
}

func TestANumberIsExactInJSONAndFindsItsMessage(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		o := deliverytest.NewPost().Outbox(t, d)
		var all []delivery.Message
		for i := range 50 {
			all = append(all, deliverytest.Message(fmt.Sprintf("p%dx@example.org", i), "123456"))
		}
		deliverytest.Enqueue(t, d, o, false, all...)
		deliverytest.Enqueue(t, d, o, true, deliverytest.Message("mute@example.org", "123456"))
		for i, e := range listed(t, d, "") {
			if e.Number < 0 || int64(float64(e.Number)) != e.Number {
				t.Fatalf("%d is not exact", e.Number)
			}
			found, err := o.Find(t.Context(), e.Number)
			check(t, err)
			want(t, found.Number, e.Number)
			want(t, found.Recipient, all[i].To.Masked())
		}
		mute := outbox.Number(db.ID(countID(t, d, `SELECT id FROM outbox WHERE state = 3`)))
		for _, number := range []int64{0, -1, 12345, mute} {
			_, err := o.Find(t.Context(), number)
			want(t, errors.Is(err, db.ErrNotFound), true)
		}
	})
}

func countID(t *testing.T, d *db.DB, query string) (id int64) {
	t.Helper()
	check(t, d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(query).Scan(&id) }))
	return id
}

func TestARefusedMessageIsTriedAgainWhileItsCodeLives(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer = answers
		o := p.Outbox(t, d)
		stop := deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("refused@example.org", "123456"))[0])
		deliverytest.Next(t, p.Permanent)
		first := deliverytest.Next(t, p.Arrived)
		stop()
		number := listed(t, d, "")[0].Number
		p.Answer = nil
		e, what := retry(t, d, number)
		want(t, what, outbox.RetrySoon)
		want(t, e.State, "waiting")
		stop = deliverytest.Runs(t, p.Outbox(t, d))
		deliverytest.Next(t, p.Took)
		stop()
		again := deliverytest.Next(t, p.Arrived)
		want(t, again.Text, first.Text)
		want(t, again.ID, first.ID)
		_, what = retry(t, d, number)
		want(t, what, outbox.RetrySent)

		// Useless once the code has expired; then its payload is removed.
		p.Answer = answers
		o = p.Outbox(t, d)
		stop = deliverytest.Runs(t, o)
		o.Deliver(deliverytest.Enqueue(t, d, o, false, deliverytest.Message("refused@example.org", "123456"))[0])
		deliverytest.Next(t, p.Permanent)
		stop()
		sweep := func() {
			check(t, d.Update(t.Context(), func(tx *db.Tx) error {
				n, err := outbox.Sweep(tx, tx.Now.Add(-24*time.Hour), 100)
				want(t, n, 0)
				return err
			}))
		}
		sweep()
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE length(sealed) > 0`), 1)
		clock.Advance(10*time.Minute + time.Millisecond)
		_, what = retry(t, d, listed(t, d, "bounced")[0].Number)
		want(t, what, outbox.RetryOver)
		sweep()
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE length(sealed) > 0`), 0)
	})
}

func TestAMessageThatWaitsIsTriedAtOnceAndOneThatIsSentIsLeftAlone(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := deliverytest.NewPost()
		p.Answer = answers
		o := p.Outbox(t, d)
		q := deliverytest.Enqueue(t, d, o, false, deliverytest.Message("grey@example.org", "123456"))
		number := listed(t, d, "waiting")[0].Number
		_, what := retry(t, d, number)
		want(t, what, outbox.RetrySending)
		stop := deliverytest.Runs(t, o)
		o.Deliver(q[0])
		deliverytest.Next(t, p.Permanent)
		stop()
		e, what := retry(t, d, number)
		want(t, what, outbox.RetrySoon)
		want(t, e.Due.After(clock.Now()), false)
		p.Answer = nil
		deliverytest.Runs(t, p.Outbox(t, d))
		deliverytest.Next(t, p.Took)
	})
}

// Known and unknown ids look alike to who measures what is written.
func TestAMuteMessageIsWrittenAsAnyOther(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		o := deliverytest.NewPost().Outbox(t, d)
		deliverytest.Enqueue(t, d, o, false, deliverytest.Message("ann@example.org", "123456"))
		deliverytest.Enqueue(t, d, o, true, deliverytest.Message("ann@example.org", "123456"))
		want(t, count(t, d, `SELECT count(DISTINCT recipient || ' ' || length(sealed) || ' ' || not_after || ' ' || due_at || ' ' || tries || ' ' || leased || channel || said || reason || done_at) FROM outbox`), 1)
		want(t, count(t, d, `SELECT count(*) FROM outbox WHERE recipient = 'a***n@example.org'`), 2)
	})
}
