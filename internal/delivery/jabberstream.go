package delivery

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mellium.im/xmpp"
)

// jabberStream is one connection to a Jabber server. It ends once and is not used again.
type jabberStream struct {
	*xmpp.Session
	conn    *boundedConn
	over    context.Context // done when the stream has ended; its cause says why
	closed  chan struct{}   // closed when the connection is
	mu      sync.Mutex
	waiting map[string]chan string // for messages that come back, by their id
}

// Limits on what is read of a server, in bytes: before it has let us in, and for each stanza.
// The library itself reads one without an end into memory.
const (
	openingLimit = 64 << 10
	stanzaLimit  = 1 << 20
)

var errTooMuch = errors.New("the server sends more than a stanza may have")

// boundedConn is a connection of which a limited number of bytes is read.
type boundedConn struct {
	net.Conn
	left atomic.Int64
}

func (c *boundedConn) Read(b []byte) (int, error) {
	if c.left.Load() <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(b)
	c.left.Add(-int64(n))
	return n, err
}

// lives reports whether there is a stream that has not ended.
func (s *jabberStream) lives() bool { return s != nil && s.over.Err() == nil }

// end closes the stream and waits, at most a second, until the server has closed the
// connection: until then it may route messages to this stream.
func (s *jabberStream) end() {
	_ = s.conn.SetDeadline(time.Now().Add(time.Second))
	_ = s.Close()
	<-s.closed
}

// drain reads until the server has closed the connection, which it may do only after the end
// of the stream.
func (s *jabberStream) drain() {
	defer close(s.closed)
	defer func() { _ = s.conn.Close() }()
	_ = s.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, s.conn)
}

// expect returns where tell hands what comes back for an id, until forget.
func (s *jabberStream) expect(id string) chan string {
	c := make(chan string, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[id] = c
	return c
}

func (s *jabberStream) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// tell hands a condition to the Send that waits for it; false: none does.
func (s *jabberStream) tell(id, condition string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.waiting[id] <- condition: // a nil channel takes nothing
		return true
	default:
		return false
	}
}

// within does something on the stream for as long as ctx and the stream last. What was cut
// off may be half written, so the stream ends with it.
func (s *jabberStream) within(ctx context.Context, do func(context.Context) error) error {
	both, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.over, stop)() // the library waits for an answer though the stream is over
	defer context.AfterFunc(ctx, func() { _ = s.conn.Close() })()
	err := do(both)
	if err == nil {
		return nil
	}
	_ = s.conn.Close()
	if cause := context.Cause(s.over); cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}
