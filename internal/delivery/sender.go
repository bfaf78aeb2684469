package delivery

import "context"

// A Sender reaches people on one channel. A new way to reach people is one
// Sender and its line where the outbox is made.
type Sender interface {
	// Send hands a message over and returns what the other side said to it, if
	// anything. It is called for many messages at once and may take minutes; it
	// ends when ctx does. Its error is a *SendError where more is known than
	// "try again".
	Send(ctx context.Context, w Worded) (said string, err error)
	// Check tries everything short of sending, for `djauthy check`.
	Check(ctx context.Context) error
}

// A stuckSender knows that its channel keeps everybody waiting, before a Send has
// ended.
type stuckSender interface{ Stuck() bool }

// SendError says what a failed Send means for the message and the channel.
type SendError struct {
	// Permanent: trying this message again is of no use.
	Permanent bool
	// Down: the channel itself does not work, whoever the message is for.
	Down bool
	// Unknown: the other side has the whole message and did not say whether it
	// takes it, so that another try may double it.
	Unknown bool
	// Reason is for the operator, in our words: what is wrong and what to do. It
	// holds no whole address.
	Reason string
	// Said is what the other side said, such as "550 5.1.1 no such user":
	// addresses masked, one line, bounded. It may be empty.
	Said string
}

func (e *SendError) Error() string {
	if e.Said == "" {
		return e.Reason
	}
	return e.Reason + ": the server said: " + e.Said
}
