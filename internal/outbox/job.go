package outbox

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// Job is something to send: a message, and later a notice to an app.
type Job struct {
	// ID is that of its row, the same at every try. The outbox sets it.
	ID db.ID
	// Kind names the handler: "email".
	Kind string
	// Recipient is the recipient, masked, for operators.
	Recipient string
	// Lane is what has one receiver, such as the domain of a mail address: jobs of a slow
	// lane never take all slots.
	Lane string
	// NotAfter is the time after which it is useless.
	NotAfter time.Time
	// Payload is for the handler. It is stored as JSON, sealed.
	Payload any
}

// A Handler does the jobs of one kind.
type Handler interface {
	// Read returns the job with a stored payload, its Lane set.
	Read(payload []byte) (Job, error)
	// Do does a job and returns the receiver's reply, if any. It is called concurrently and
	// may take minutes; it ends when ctx does. Its error is an *Error where more is known
	// than "try again". Neither contains a secret of the job.
	Do(ctx context.Context, j Job) (said string, err error)
}

// A stuckHandler knows that all jobs of its kind are delayed, before a Do has ended.
type stuckHandler interface{ Stuck() bool }

// A checkedHandler can try its server short of doing a job.
type checkedHandler interface {
	Check(ctx context.Context) error
}

// Error says what a failed Do means for the job and for all jobs of its kind.
type Error struct {
	// Permanent: trying this job again is useless.
	Permanent bool
	// Down: jobs of this kind fail for all recipients.
	Down bool
	// Lasting: Down does not pass by itself, as when a password is wrong.
	Lasting bool
	// Occupied: another process of djauthy holds the only connection there may be.
	Occupied bool
	// Unknown: the receiver has the whole job and did not say whether it accepts it, so
	// that another try may deliver it twice.
	Unknown bool
	// Reason tells the operator what is wrong and what to do. It contains no whole
	// address.
	Reason string
	// Said is the receiver's reply, such as "550 5.1.1 no such user": addresses masked,
	// one line, bounded. It may be empty.
	Said string
}

func (e *Error) Error() string {
	if e.Said == "" {
		return e.Reason
	}
	return e.Reason + ": the server said: " + e.Said
}
