package db

import (
	"context"
	"sync"
	"time"
)

// queue holds the Updates that wait for SQLite's writer, the oldest first. What
// waits can be taken back; what the writer has taken runs to its end.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	closed  bool
	wake    chan struct{} // holds one when the writer may have something to do
}

// request is an Update on its way through the writer.
type request struct {
	ctx    context.Context
	parts  []job
	queued time.Time
	taken  bool // the writer has it, or it was answered; guarded by queue.mu
	err    error
	done   chan struct{} // closed when err is final
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// add queues a request; false: the queue is closed.
func (q *queue) add(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, r)
	q.signal()
	return true
}

// signal wakes the writer. It is called with mu held.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close lets nothing more in. What waits is still served.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// wait returns when something waits; false: the queue is closed and empty.
func (q *queue) wait() bool {
	for {
		q.mu.Lock()
		some, closed := len(q.waiting) > 0, q.closed
		q.mu.Unlock()
		if some || closed {
			return some
		}
		<-q.wake
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// take hands up to n requests to the writer.
func (q *queue) take(n int) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.waiting))
	group := make([]*request, n)
	copy(group, q.waiting)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	for _, r := range group {
		r.taken = true
	}
	return group
}

// withdraw takes a request back; false: the writer has it already.
func (q *queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.taken {
		return false
	}
	r.taken = true
	kept := q.waiting[:0]
	for _, other := range q.waiting {
		if other != r {
			kept = append(kept, other)
		}
	}
	clear(q.waiting[len(kept):])
	q.waiting = kept
	return true
}

// refuse answers those queued at or before the given time with an error, and
// reports whether any wait on.
func (q *queue) refuse(before time.Time, err error) (more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.waiting) && !q.waiting[n].queued.After(before) {
		r := q.waiting[n]
		r.taken, r.err = true, err
		close(r.done)
		n++
	}
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return rest > 0
}
