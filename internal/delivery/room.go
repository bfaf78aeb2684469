package delivery

import (
	"context"
	"time"
)

// roomLimit is how long a message that the mail server has no room for waits for another
// connection to become free, before it counts as a failed try.
const roomLimit = 30 * time.Second

// crowded reports whether the server refused a connection for now. Most servers limit the
// connections of a client, many to fewer than are opened here at once (Microsoft 365:
// three).
func (f *failure) crowded() bool { return f.early() && f.reply.code/100 == 4 }

// room waits until another message is sent and returns its connection, or nil if a new one
// may be accepted. It reports false if there is no connection to wait for. gone is how many
// connections had ended when the refused one was opened.
func (s *smtpSender) room(ctx context.Context, gone int64, until time.Time) (conn *session, ok bool) {
	others := s.alive.Load() > 0 // read first: an ended connection counts as gone before it leaves alive
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

// end counts a connection that has ended, and wakes one message that waits for room. A
// refused connection makes no room; the last one wakes it all the same, because there is
// none left to wait for.
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
