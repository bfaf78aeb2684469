package delivery

import "context"

// A Sender reaches people on one channel. A new way to reach people is one
// Sender and its line where channels are made.
type Sender interface {
	// Send hands a message over and returns what the other side said to it, if
	// anything. It is called for many messages at once and may take minutes; it
	// ends when ctx does. Its error is an *outbox.Error where more is known than
	// "try again".
	Send(ctx context.Context, w Worded) (said string, err error)
	// Check tries everything short of sending, for `djauthy check`.
	Check(ctx context.Context) error
}

// A stuckSender knows that its channel keeps everybody waiting, before a Send has
// ended.
type stuckSender interface{ Stuck() bool }
