package mailbox

import (
	"io"
	"net"
	"sync"
	"time"
)

// few takes no more connections at once than fit into free; others are told so and
// closed (RFC 5321 3.8).
type few struct {
	net.Listener
	free chan struct{} // holds one for each that is open
}

// Accept waits for the next connection that may stay.
func (f *few) Accept() (net.Conn, error) {
	for {
		conn, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case f.free <- struct{}{}:
			return &one{Conn: conn, gone: sync.OnceFunc(func() { <-f.free })}, nil
		default:
			turnAway(conn)
		}
	}
}

// turnAway closes a connection; a client that has gone need not be told.
func turnAway(conn net.Conn) {
	if conn.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = io.WriteString(conn, "421 4.7.0 Too many connections, try again later\r\n")
	}
	_ = conn.Close()
}

// one is a connection that makes room when it is closed.
type one struct {
	net.Conn
	gone func()
}

// Close closes the connection.
func (o *one) Close() error {
	defer o.gone()
	return o.Conn.Close()
}
