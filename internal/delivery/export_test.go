package delivery

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"time"
)

// Hurry gives an SMTP sender other time limits, so that tests of servers that
// stall need not wait for the real ones.
func Hurry(s Sender, answer, end time.Duration) {
	s.(*smtpSender).Timeout, s.(*smtpSender).endTime = answer, end
}

// Lease is how long a claim holds.
const Lease = lease

// Backlog is how many messages wait in memory.
const Backlog = backlog

// Clean is clean.
var Clean = clean

// ErrReplyTooLong is errReplyTooLong.
var ErrReplyTooLong = errReplyTooLong

// ReadReply reads one answer and returns its text.
func ReadReply(r io.Reader) (string, error) {
	got, err := readReply(bufio.NewReader(r))
	return got.text(), err
}

// Far makes the server one beyond this machine as far as a password is concerned.
func Far(s Sender) { s.(*smtpSender).here = false }

// Limits are the time limits of an SMTP sender, for an answer and for the end of
// the data.
func Limits(s Sender) (answer, end time.Duration) {
	return s.(*smtpSender).Timeout, s.(*smtpSender).endTime
}

// Pace changes an outbox's times: how often leases are renewed, when a message
// counts as slow, and what messages under way have at the end. 0 leaves one as it is.
func Pace(o *Outbox, renew, slow, finish time.Duration) {
	o.renewEvery, o.slowAfter, o.finishFor = cmp.Or(renew, o.renewEvery), cmp.Or(slow, o.slowAfter), cmp.Or(finish, o.finishFor)
}

// What is sent at once.
const (
	BriskLimit = briskLimit
	SendLimit  = sendLimit
)

// StuckAfter changes when a server that lets nobody in counts as not working.
func StuckAfter(s Sender, d time.Duration) { s.(*smtpSender).stuckAfter = d }

// PromptBeside is how many more messages to a domain may begin beside slow ones to it.
func PromptBeside(slow int) (n int) {
	s := newSlots()
	for range slow {
		one, _ := s.take(context.Background(), "example.org")
		one.slowDown()
	}
	for n < briskLimit && s.fair("example.org") {
		_, _ = s.take(context.Background(), "example.org")
		n++
	}
	return n
}

// RoomLimit changes how long a message waits for room at the server.
func RoomLimit(s Sender, d time.Duration) { s.(*smtpSender).roomLimit = d }
