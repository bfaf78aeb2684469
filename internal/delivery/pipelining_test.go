package delivery_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
)

// envelopes serves one connection and returns how many lines of the envelope came with
// the first of them.
func envelopes(l net.Listener, offers string, answers [3]string) <-chan int {
	together := make(chan int, 1)
	go func() {
		defer close(together)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		in := bufio.NewReader(c)
		say := func(format string, args ...any) { _, _ = fmt.Fprintf(c, format+"\r\n", args...) }
		say("220 mx.example.org ESMTP")
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		say("250-mx.example.org\r\n250 %s", offers)
		for i, answer := range answers {
			if _, err := in.ReadString('\n'); err != nil {
				return
			}
			if i == 0 {
				waiting, _ := in.Peek(in.Buffered())
				together <- 1 + strings.Count(string(waiting), "\r\n")
			}
			say("%s", answer)
		}
		for line := ""; line != ".\r\n"; {
			if line, err = in.ReadString('\n'); err != nil {
				return // no end, no message
			}
		}
		say("250 queued")
	}()
	return together
}

func TestTheEnvelopeGoesAtOnceWhereTheServerOffersThat(t *testing.T) {
	right := [3]string{"250 ok", "250 ok", "354 go on"}
	for name, c := range map[string]struct {
		offers  string
		answers [3]string
		lines   int
		said    string
	}{
		"offered":                     {"PIPELINING", right, 3, "250 queued"},
		"not offered":                 {"8BITMIME", right, 1, "250 queued"},
		"hidden by a firewall":        {"XXXXXXXXXX", right, 1, "250 queued"},
		"the sender is refused":       {"PIPELINING", [3]string{"550 no sender", "503 no sender", "503 no sender"}, 3, "550 no sender"},
		"the recipient is refused":    {"PIPELINING", [3]string{"250 ok", "550 no recipient", "554 nobody left"}, 3, "550 no recipient"},
		"data is wanted all the same": {"PIPELINING", [3]string{"250 ok", "550 no recipient", "354 go on"}, 3, "550 no recipient"},
		"data is refused":             {"PIPELINING", [3]string{"250 ok", "250 ok", "554 not today"}, 3, "554 not today"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			defer func() { _ = l.Close() }()
			together := envelopes(l, c.offers, c.answers)
			s := &server{listener: l}
			said, err := s.sender(t).Send(t.Context(), worded)
			if err != nil {
				said = refusal(t, err).Said
			}
			if lines := <-together; lines != c.lines || said != c.said {
				t.Errorf("%d lines came at once and the server said %q, want %d and %q", lines, said, c.lines, c.said)
			}
			if _, more := <-together; more {
				t.Error("twice")
			}
		})
	}
}
