package outbox

import (
	"cmp"
	"context"
	"time"
)

// Lease is how long a claim holds.
const Lease = lease

// Backlog is how many messages wait in memory.
const Backlog = backlog

// Pace changes an outbox's times: how often leases are renewed, when a message
// counts as slow, and what messages under way have at the end. 0 leaves one as it is.
func Pace(o *Outbox, renew, slow, finish time.Duration) {
	o.renewEvery, o.slowAfter, o.FinishFor = cmp.Or(renew, o.renewEvery), cmp.Or(slow, o.slowAfter), cmp.Or(finish, o.FinishFor)
}

// What is sent at once.
const (
	BriskLimit = briskLimit
	SendLimit  = sendLimit
)

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
