package delivery

import (
	"context"
	"sync"
	"time"
)

const (
	// briskLimit is how many messages are sent at once to servers that answer
	// promptly; more connections would only be refused.
	briskLimit = 8
	// sendLimit is how many are sent at once in all, with those that wait for a
	// slow server: each holds a connection, about 50 KB.
	sendLimit = 64
	// slowAfter is when a message counts as slow.
	slowAfter = 5 * time.Second
)

// slots bound how many messages are sent at once. One that turns out to be slow
// makes room for another, so that a few slow recipients hold up nobody else.
type slots struct{ brisk, all chan struct{} }

func newSlots() slots {
	return slots{make(chan struct{}, briskLimit), make(chan struct{}, sendLimit)}
}

// slot is the right to send one message.
type slot struct {
	of   slots
	slow func() // makes room for another
}

// take waits for a slot; it reports false when ctx ends.
func (s slots) take(ctx context.Context) (slot, bool) {
	if ctx.Err() != nil {
		return slot{}, false
	}
	select {
	case s.all <- struct{}{}:
	case <-ctx.Done():
		return slot{}, false
	}
	select {
	case s.brisk <- struct{}{}:
	case <-ctx.Done():
		<-s.all
		return slot{}, false
	}
	return slot{s, sync.OnceFunc(func() { <-s.brisk })}, true
}

func (s slot) leave() {
	s.slow()
	<-s.of.all
}
