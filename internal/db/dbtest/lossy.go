package dbtest

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Lossy passes connections on to PostgreSQL and can lose the answer to a commit, or the
// commit itself: in both cases the client's connection breaks before it hears of it.
type Lossy struct {
	URL string // of the database by this way

	mu   sync.Mutex
	lose int // 1: of the next commit; 0: none
	all  bool
}

// NewLossy returns a lossy way to the database at a postgres:// URL, until the test
// ends.
func NewLossy(t testing.TB, to string) *Lossy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	server := u.Host
	u.Host = l.Addr().String()
	x := &Lossy{URL: u.String()}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go x.pass(near, server)
		}
	}()
	return x
}

// LoseAnswer loses the answer to the n-th commit from now, counted from 1: the server
// has committed.
func (x *Lossy) LoseAnswer(n int) { x.set(n, false) }

// LoseCommit loses the n-th commit from now: the server rolls back.
func (x *Lossy) LoseCommit(n int) { x.set(n, true) }

func (x *Lossy) set(n int, all bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lose, x.all = n, all
}

func (x *Lossy) pass(near net.Conn, server string) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	var lost atomic.Bool // the client hears nothing more
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		b := make([]byte, 64<<10)
		for {
			n, err := far.Read(b)
			if err != nil || lost.Load() {
				_ = near.Close()
				return
			}
			if _, err := near.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := near.Read(b)
		if err != nil {
			return
		}
		// A simple query: Q, a length, the text, a zero byte.
		if bytes.HasPrefix(b[:n], []byte("Q\x00\x00\x00\x0bcommit\x00")) && x.counted() {
			if x.all {
				return
			}
			lost.Store(true)
		}
		if _, err := far.Write(b[:n]); err != nil {
			return
		}
		if lost.Load() {
			<-answered // the server has committed
			return
		}
	}
}

// counted counts a commit, and reports whether it is the one to be lost.
func (x *Lossy) counted() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lose == 0 {
		return false
	}
	x.lose--
	return x.lose == 0
}
