package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
	"github.com/djauthy/djauthy/internal/outbox"
)

var worded = delivery.Worded{
	ID: "abc.1", To: "ann@example.net", Subject: "123456 is your code", Text: "123456\n\nhello\n", HTML: "<p>123456</p>",
	Date: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
}

// send hands a message over.
func send(ctx context.Context, s delivery.Sender, w delivery.Worded) error {
	_, err := s.Send(ctx, w)
	return err
}

// refusal is what a failed Send says.
func refusal(t *testing.T, err error) outbox.Error {
	t.Helper()
	var se *outbox.Error
	if !errors.As(err, &se) {
		t.Fatalf("Send says %v", err)
	}
	if strings.Contains(se.Reason, "ann@") || strings.Contains(se.Reason, "123456") || strings.ContainsAny(se.Reason, "\r\n") {
		t.Errorf("the reason tells too much: %q", se.Reason)
	}
	return *se
}

func TestBrokenServersAreToldApart(t *testing.T) {
	for _, c := range []struct {
		step, answer    string
		permanent, down bool
	}{
		{"dial", "554 5.3.2 not today", false, true},
		{"dial", "421 4.3.2 too busy", false, true},
		{"dial", hangUp, false, true},
		{"MAIL", "451 4.3.0 try later", false, false},
		{"MAIL", "550 5.7.1 not you", false, true}, // the sender is refused, whoever it is for
		{"MAIL", "421 4.7.0 too many", false, false},
		{"MAIL", hangUp, false, false},
		{"RCPT", "450 4.2.1 greylisted", false, false},
		{"RCPT", "452 4.2.2 mailbox full", false, false},
		{"RCPT", "550 5.1.1 no such user", true, false},
		{"RCPT", "421 4.7.0 too many", false, false},
		{"RCPT", hangUp, false, false},
		{"DATA", "451 4.3.0 try later", false, false},
		{"DATA", "554 5.5.1 no", true, false},
		{"DATA", hangUp, false, false},
		{"sent", "451 4.3.0 try later", false, false},
		{"sent", "552 5.3.4 too big", true, false},
		{"sent", "554 5.7.1 looks like spam", true, false},
		{"sent", "421 4.3.2 going down", false, false},
		{"sent", hangUp, false, false},
	} {
		t.Run(c.step+" "+c.answer, func(t *testing.T) {
			s := serve(t, at(c.step, c.answer))
			sender := s.sender(t)
			delivery.Hurry(sender, 2*time.Second, 2*time.Second)
			for range 2 { // the second may meet a kept connection
				se := refusal(t, send(t.Context(), sender, worded))
				if se.Permanent != c.permanent || se.Down != c.down {
					t.Errorf("permanent %v, down %v: %s", se.Permanent, se.Down, se.Reason)
				}
			}
		})
	}
}

func TestAServerThatIsNotThereIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	s := &server{listener: l}
	check(t, l.Close())
	sender := s.sender(t)
	se := refusal(t, send(t.Context(), sender, worded))
	want(t, se.Down, true)
	want(t, se.Permanent, false)
	if sender.Check(t.Context()) == nil {
		t.Error("Check finds nothing wrong")
	}
}

func TestAServerThatStallsIsGivenUp(t *testing.T) {
	for _, step := range []string{"dial", "EHLO", "MAIL", "RCPT", "DATA", "sent"} {
		t.Run(step, func(t *testing.T) {
			s := serve(t, at(step, stall))
			sender := s.sender(t)
			delivery.Hurry(sender, 300*time.Millisecond, 300*time.Millisecond)
			done := make(chan error, 1)
			go func() { done <- send(t.Context(), sender, worded) }()
			se := refusal(t, deliverytest.Next(t, done))
			want(t, se.Permanent, false)
			want(t, se.Down, step == "dial" || step == "EHLO")
		})
	}
}

// The outbox claims a message for longer than any Send, or another process
// would send it once more.
func TestSendEndsWithItsContext(t *testing.T) {
	for _, step := range []string{"dial", "MAIL", "sent", "MAIL on a kept connection"} {
		t.Run(step, func(t *testing.T) {
			s := serve(t, nil)
			sender := s.sender(t)
			if verb, kept := strings.CutSuffix(step, " on a kept connection"); kept {
				check(t, send(t.Context(), sender, worded))
				step = verb
			}
			s.answers(at(step, stall))
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- send(ctx, sender, worded) }()
			select {
			case err := <-done:
				want(t, refusal(t, err).Permanent, false)
			case <-time.After(3 * time.Second):
				t.Fatal("Send goes on after its context")
			}
		})
	}
}

func TestConnectionsAreKept(t *testing.T) {
	s := serve(t, nil)
	sender := s.sender(t)
	for range 10 {
		check(t, send(t.Context(), sender, worded))
	}
	want(t, s.dialled(), 1)
	want(t, len(s.received()), 10)
	want(t, s.said("NOOP"), 0)
}

// What a server thinks of a transaction that it refused differs from server to
// server.
func TestARefusedMessageIsFollowedByAFreshConnection(t *testing.T) {
	for _, step := range []string{"MAIL", "RCPT", "DATA", "sent"} {
		t.Run(step, func(t *testing.T) {
			s := serve(t, func(s string, connection int) string {
				if s == step && connection == 1 {
					return "450 4.0.0 later"
				}
				return ""
			})
			sender := s.sender(t)
			want(t, refusal(t, send(t.Context(), sender, worded)).Said, "450 4.0.0 later")
			check(t, send(t.Context(), sender, worded))
			want(t, len(s.received()), 1)
			want(t, s.dialled(), 2)
		})
	}
}

func TestAConnectionDroppedMeanwhileIsDialledOnceMore(t *testing.T) {
	// After the first message the server hears nothing more on that connection.
	for _, how := range []string{hangUp, "421 4.4.2 idle too long"} {
		t.Run(how, func(t *testing.T) {
			var mu sync.Mutex
			mails := map[int]int{}
			s := serve(t, func(step string, connection int) string {
				mu.Lock()
				defer mu.Unlock()
				if step == "MAIL" {
					mails[connection]++
					if connection == 1 && mails[1] == 2 {
						return how
					}
				}
				return ""
			})
			sender := s.sender(t)
			check(t, send(t.Context(), sender, worded))
			check(t, send(t.Context(), sender, worded))
			want(t, s.dialled(), 2)
			want(t, len(s.received()), 2) // none doubled
			check(t, send(t.Context(), sender, worded))
			want(t, s.dialled(), 2)
		})
	}
}

func TestAServerThatRestartsLosesAndDoublesNothing(t *testing.T) {
	s := serve(t, nil)
	sender := s.sender(t)
	check(t, send(t.Context(), sender, worded))
	s.answers(func(_ string, connection int) string {
		if connection == 1 {
			return hangUp
		}
		return ""
	})
	for range 3 {
		check(t, send(t.Context(), sender, worded))
	}
	want(t, len(s.received()), 4)
	want(t, s.dialled(), 2)
}

func TestAConnectionThatBreaksAfterTheDataIsNotSentAgainAtOnce(t *testing.T) {
	s := serve(t, func(step string, connection int) string {
		if step == "sent" && connection == 1 {
			return hangUp
		}
		return ""
	})
	sender := s.sender(t)
	refusal(t, send(t.Context(), sender, worded))
	want(t, s.dialled(), 1) // whether it arrived nobody knows; the outbox tries again in time
	want(t, len(s.received()), 1)
}

func TestManyWorkersShareTheSender(t *testing.T) {
	s := serve(t, nil)
	sender := s.sender(t)
	errs := make(chan error, 64)
	for i := range 64 {
		go func() {
			w := worded
			w.To = fmt.Sprintf("p%d@example.net", i)
			errs <- send(t.Context(), sender, w)
		}()
	}
	for range 64 {
		check(t, deliverytest.Next(t, errs))
	}
	seen := map[string]bool{}
	for _, e := range s.received() {
		want(t, len(e.to), 1)
		seen[e.to[0]] = true
	}
	want(t, len(seen), 64)
	before := s.dialled()
	for range 5 {
		check(t, send(t.Context(), sender, worded))
	}
	want(t, s.dialled(), before)
}

func TestARefusalIsToldInPlainWords(t *testing.T) {
	for _, c := range [][3]string{
		{"dial", "554 5.3.2 no service", "the greeting: the mail server refuses the connection"},
		{"dial", "421 4.3.2 busy", "the greeting: the mail server does not take the connection for now"},
		{"RCPT", "550 5.1.1 no such user", "RCPT TO: the mail server refuses the recipient"},
		{"RCPT", "450 4.2.0 greylisted", "RCPT TO: the mail server does not take the recipient for now"},
		{"sent", "554 5.7.1 spam", "the end of DATA: the mail server refuses the message"},
	} {
		s := serve(t, at(c[0], c[1]))
		se := refusal(t, send(t.Context(), s.sender(t), worded))
		want(t, se.Reason, c[2])
		want(t, se.Said, c[1])
	}
}

// It is so for every message, and so it is found without one.
func TestCheckFindsASenderThatTheServerRefuses(t *testing.T) {
	for answer, works := range map[string]bool{"": true, "550 5.7.1 not you": false, "530 5.7.0 log in first": false, "451 4.3.0 later": false} {
		s := serve(t, at("MAIL", answer))
		err := s.sender(t).Check(t.Context())
		if (err == nil) != works {
			t.Errorf("%q: %v", answer, err)
		}
		if !works {
			se := refusal(t, err)
			want(t, se.Lasting, strings.HasPrefix(answer, "5"))
		}
		want(t, s.said("RCPT"), 0)
		want(t, len(s.received()), 0)
	}
}

func TestCheckTriesTheChannelThatIsNamed(t *testing.T) {
	s, err := delivery.NewSMTP(delivery.SMTP{Host: "127.0.0.1", Port: 1, TLS: "none", From: "noreply@example.org", Helo: "login.example.org"})
	check(t, err)
	if err := deliverytest.Channels(t, s).Check(t.Context(), accounts.Email); err == nil || !strings.Contains(err.Error(), "cannot reach the mail server") {
		t.Errorf("Check says %v", err)
	}
	if err := deliverytest.Channels(t, deliverytest.NewPost()).Check(t.Context(), accounts.Email); err != nil {
		t.Error(err)
	}
	if err := deliverytest.Channels(t, s).Check(t.Context(), "fax"); err == nil {
		t.Error("a channel that is not configured works")
	}
}
