package delivery

import "context"

// A Sender reaches people on one channel. A new way to reach people is one
// Sender and its line where the outbox is made.
type Sender interface {
	// Send hands a message over. It is called by many workers at once. Its
	// error is a *SendError where more is known than "try again".
	Send(ctx context.Context, w Worded) error
	// Check tries everything short of sending, for `djauthy check`.
	Check(ctx context.Context) error
}

// SendError says what a failed Send means for the message and the channel.
type SendError struct {
	// Permanent: trying this message again is of no use.
	Permanent bool
	// Down: the channel itself does not work, whoever the message is for.
	Down bool
	// Reason is for the log. It holds no address.
	Reason string
}

func (e *SendError) Error() string { return e.Reason }
