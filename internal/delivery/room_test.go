package delivery_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

// atOnce is how many messages the outbox sends at once.
const atOnce = 8

// crowd sends messages at once and returns what comes of them.
func crowd(t *testing.T, sender delivery.Sender, n int) <-chan error {
	t.Helper()
	came := make(chan error, n)
	for i := range n {
		w := worded
		w.To = fmt.Sprintf("p%d@example.org", i)
		go func() { came <- send(t.Context(), sender, w) }()
	}
	return came
}

func TestAServerThatTakesOneConnectionGetsOneMessageAfterTheOther(t *testing.T) {
	const n = atOnce
	all := make(chan struct{}, n)
	var first sync.Once
	s := serve(t, func(step string, connection int) string {
		switch {
		case step == "dial" && connection > 1:
			all <- struct{}{}
			return "421 4.7.0 Too many concurrent SMTP connections; please try again later."
		case step == "sent" && connection == 1:
			first.Do(func() {
				for range n - 1 {
					<-all
				}
			})
		}
		return ""
	})
	for came := crowd(t, s.sender(t), n); len(s.received()) < n; {
		check(t, deliverytest.Next(t, came))
	}
	for _, e := range s.received() {
		want(t, e.connection, 1)
	}
}

func TestAConnectionThatEndsMakesRoomForAnother(t *testing.T) {
	refused := make(chan struct{})
	s := serve(t, func(step string, connection int) string {
		switch {
		case step == "dial" && connection == 2:
			close(refused)
			return "421 4.7.0 too many connections"
		case step == "RCPT" && connection == 1:
			<-refused
			return "550 5.1.1 no such user"
		}
		return ""
	})
	came := crowd(t, s.sender(t), 2)
	a, b := deliverytest.Next(t, came), deliverytest.Next(t, came)
	if (a == nil) == (b == nil) {
		t.Errorf("the one should be refused and the other sent: %v, %v", a, b)
	}
	want(t, len(s.received()), 1)
}

func TestAServerThatIsFullIsNotDown(t *testing.T) {
	entered, full := make(chan struct{}), make(chan struct{})
	s := serve(t, func(step string, connection int) string {
		switch {
		case step == "dial" && connection > 1:
			return "421 4.7.0 too many connections"
		case step == "RCPT" && connection == 1:
			close(entered)
			<-full
		}
		return ""
	})
	sender := s.sender(t)
	delivery.RoomLimit(sender, 10*time.Millisecond)
	first := crowd(t, sender, 1)
	deliverytest.Next(t, entered)
	se := refusal(t, deliverytest.Next(t, crowd(t, sender, 1)))
	want(t, se.Down, false)
	want(t, se.Said, "421 4.7.0 too many connections")
	close(full)
	check(t, deliverytest.Next(t, first))
}

func TestAServerThatLetsNobodyInIsNotWaitedFor(t *testing.T) {
	s := serve(t, at("dial", "421 4.7.0 too many connections"))
	sender := s.sender(t)
	delivery.RoomLimit(sender, time.Hour)
	came := crowd(t, sender, atOnce)
	for range atOnce {
		se := refusal(t, deliverytest.Next(t, came))
		want(t, se.Down, true)
	}
	// Each tries once, and once more when the last connection has ended. Two that begin together can
	// wake each other again: no limit comes from that, but many more would be a storm.
	if n := s.dialled(); n > 3*atOnce {
		t.Errorf("%d connections for %d messages", n, atOnce)
	}
}
