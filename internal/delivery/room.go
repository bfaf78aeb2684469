package delivery

import (
	"context"
	"time"
)

// roomLimit is how long a message that finds no room at the mail server waits for
// another to have its turn over, before it counts as a failed try.
const roomLimit = 30 * time.Second

// crowded reports whether the server turned a connection away that it might let
// in later. Most limit how many a client may have, many to fewer than are opened
// here at once (Microsoft 365: three).
func (f *failure) crowded() bool { return f.early() && f.reply.code/100 == 4 }

// room waits until another message of ours is through and returns its connection,
// or nil if a fresh one may be let in. It reports false if there is nobody to wait
// for. gone is how many connections had ended when the server was asked.
func (s *smtpSender) room(ctx context.Context, gone int64, until time.Time) (conn *session, ok bool) {
	others := s.alive.Load() > 0 // asked first: what ends is counted as gone before
	if conn = s.take(); conn != nil || s.gone.Load() != gone || !others {
		return conn, conn != nil || s.gone.Load() != gone
	}
	limit := time.NewTimer(time.Until(until))
	defer limit.Stop()
	select {
	case k := <-s.idle:
		return k.session, true
	case <-s.ended:
		return nil, true
	case <-limit.C:
	case <-ctx.Done():
	}
	return nil, false
}

// end counts a connection that has ended, and tells one of those who wait for room.
// One that was turned away leaves none; that it was the last is told all the same,
// as there is nobody left to wait for.
func (s *smtpSender) end(letIn bool) {
	if letIn {
		s.gone.Add(1)
		s.in.Add(-1)
	}
	if last := s.alive.Add(-1) == 0; !letIn && !last {
		return
	}
	select {
	case s.ended <- struct{}{}:
	default:
	}
}
