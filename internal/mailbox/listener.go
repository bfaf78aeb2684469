package mailbox

import (
	"io"
	"net"
	"sync"
	"time"
)

// limitListener accepts at most cap(open) connections at once. It refuses further ones
// with 421 (RFC 5321 3.8).
type limitListener struct {
	net.Listener
	open chan struct{} // holds a value for each open connection
}

// Accept waits for the next connection for which there is room.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.open <- struct{}{}:
			return &limitConn{Conn: conn, release: sync.OnceFunc(func() { <-l.open })}, nil
		default:
			refuse(conn)
		}
	}
}

// refuse closes a connection with 421. Errors do not matter: the client may have closed it.
func refuse(conn net.Conn) {
	if conn.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = io.WriteString(conn, "421 4.7.0 Too many connections, try again later\r\n")
	}
	_ = conn.Close()
}

// limitConn is a connection that makes room for another when it is closed.
type limitConn struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (c *limitConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
