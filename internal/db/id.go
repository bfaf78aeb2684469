package db

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"
)

// An ID names a row. It is ordered by time: the upper 42 bits are unix
// milliseconds, the lower 21 start at random in each millisecond and count up.
// Rows made together lie together, and what is older than a moment is found
// without an index. An ID is not a secret.
type ID int64

const idBits = 21

// FirstID is the lowest ID that a row made at t can have.
func FirstID(t time.Time) ID { return ID(t.UnixMilli() << idBits) }

// Time is when the row was made, to the millisecond.
func (id ID) Time() time.Time { return time.UnixMilli(int64(id) >> idBits).UTC() }

// Skew is how far the clocks of several machines, or of one before and after it was set,
// may lie apart. A stored time further in the future was written by a clock that was
// wrong.
const Skew = time.Minute

// idSource makes IDs that never fall, even when the clock does.
type idSource struct {
	mu   sync.Mutex
	last ID
}

func (s *idSource) next(now time.Time) ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Half of the range is left to count in, so that neighbours in one
	// millisecond do not run into the next.
	id := FirstID(now) + ID(rand.N(int64(1)<<(idBits-1))) //nolint:gosec // an ID is no secret
	s.last = max(s.last+1, id)
	return s.last
}

// Bytes is an ID as eight bytes, to bind a seal or a MAC to its row.
func Bytes(id ID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }
