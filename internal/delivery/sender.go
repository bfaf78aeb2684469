package delivery

import "context"

// A Sender sends messages on one channel. A new channel is one Sender, and one line where
// channels are made.
type Sender interface {
	// Send sends a message and returns the receiver's reply, if any. It is called
	// concurrently and may take minutes; it ends when ctx does. Its error is an
	// *outbox.Error where more is known than "try again".
	Send(ctx context.Context, w Worded) (said string, err error)
	// Check tries everything short of sending, for `djauthy check`.
	Check(ctx context.Context) error
}

// A stuckSender knows that its channel delays all messages, before a Send has ended.
type stuckSender interface{ Stuck() bool }
