package outbox

import (
	"context"
	"time"

	"github.com/djauthy/djauthy/internal/db"
)

// Job is something that must leave the house.
type Job struct {
	// ID is that of its row, the same at every try. The outbox sets it.
	ID db.ID
	// Kind names the handler: "email".
	Kind string
	// Recipient is who gets it, masked, as operators are shown it.
	Recipient string
	// Lane is what one slow receiver holds up, such as the domain of a mail address: jobs
	// of one lane never take all slots.
	Lane string
	// NotAfter is when it is of no use any more.
	NotAfter time.Time
	// Payload is for the handler. It is stored as JSON, sealed.
	Payload any
}

// A Handler does the jobs of one kind.
type Handler interface {
	// Read returns the job with a stored payload, its Lane set.
	Read(payload []byte) (Job, error)
	// Do does a job and returns what the other side said, if anything. It is called for
	// many jobs at once and may take minutes; it ends when ctx does. Its error is an
	// *Error where more is known than "try again". No secret of the job is in either.
	Do(ctx context.Context, j Job) (said string, err error)
}

// A stuckHandler knows that its kind keeps everybody waiting, before a Do has ended.
type stuckHandler interface{ Stuck() bool }

// Error says what a failed Do means for the job and for all jobs of its kind.
type Error struct {
	// Permanent: trying this job again is of no use.
	Permanent bool
	// Down: jobs of this kind fail whoever they are for.
	Down bool
	// Unknown: the other side has the whole job and did not say whether it takes it, so
	// that another try may double it.
	Unknown bool
	// Reason is for the operator, in our words: what is wrong and what to do. It holds no
	// whole address.
	Reason string
	// Said is what the other side said, such as "550 5.1.1 no such user": addresses
	// masked, one line, bounded. It may be empty.
	Said string
}

func (e *Error) Error() string {
	if e.Said == "" {
		return e.Reason
	}
	return e.Reason + ": the server said: " + e.Said
}
