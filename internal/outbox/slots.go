package outbox

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// briskLimit bounds the jobs in flight with servers that reply promptly; more
	// connections would only be refused.
	briskLimit = 8
	// sendLimit bounds all jobs in flight, with those that wait for a slow server: each
	// holds a connection, about 50 KB.
	sendLimit = 64
	// slowAfter is when a job counts as slow.
	slowAfter = 5 * time.Second
	// briskShare is how many of the briskLimit a lane with slow jobs may take.
	briskShare = briskLimit - 2
)

// slots bound the jobs in flight. A job that turns out to be slow makes room for another, so
// that a few slow receivers do not delay the others. A lane with slow jobs may hold no more
// slots than are free: the first such lane takes at most half of all, the second half of the
// rest, and so on. Its further jobs are parked until one ends.
type slots struct {
	brisk, all chan struct{}
	freed      chan struct{} // a parked job may begin

	mu     sync.Mutex
	lanes  map[string]*usage // lanes with jobs in flight
	parked []Queued          // oldest first
}

// usage is how many slots the jobs of one lane hold.
type usage struct{ brisk, slow int }

func newSlots() *slots {
	return &slots{
		brisk: make(chan struct{}, briskLimit), all: make(chan struct{}, sendLimit), freed: make(chan struct{}, 1),
		lanes: map[string]*usage{},
	}
}

// slot is the right to do one job.
type slot struct {
	of         *slots
	lane       string
	slow, left bool // guarded by of.mu
}

// take waits for a slot; it reports false when ctx ends.
func (s *slots) take(ctx context.Context, lane string) (*slot, bool) {
	if ctx.Err() != nil {
		return nil, false
	}
	select {
	case s.all <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	select {
	case s.brisk <- struct{}{}:
	case <-ctx.Done():
		<-s.all
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes[lane] == nil {
		s.lanes[lane] = &usage{}
	}
	s.lanes[lane].brisk++
	return &slot{of: s, lane: lane}, true
}

// slowDown marks the job as slow, which makes room for another.
func (s *slot) slowDown() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.left || s.slow {
		return
	}
	u := s.of.lanes[s.lane]
	s.slow, u.brisk, u.slow = true, u.brisk-1, u.slow+1
	<-s.of.brisk
	s.of.signal()
}

func (s *slot) leave() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	u := s.of.lanes[s.lane]
	s.left = true
	if s.slow {
		u.slow--
	} else {
		u.brisk--
		<-s.of.brisk
	}
	<-s.of.all
	if *u == (usage{}) {
		delete(s.of.lanes, s.lane)
	}
	s.of.signal()
}

// signal wakes dispatch if jobs are parked.
func (s *slots) signal() {
	if len(s.parked) == 0 {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// fair reports whether another job of a lane may be begun.
func (s *slots) fair(lane string) bool {
	u := s.lanes[lane]
	return u == nil || u.slow == 0 || u.brisk < briskShare && u.brisk+u.slow < cap(s.all)-len(s.all)
}

// admit reports whether a job may be begun. Otherwise it is parked, or dropped if too many
// are.
func (s *slots) admit(q Queued) (now, parked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fair(q.job.Lane) {
		return true, false
	}
	if len(s.parked) == backlog {
		return false, false
	}
	s.parked = append(s.parked, q)
	return false, true
}

// next takes the oldest parked job that may be begun.
func (s *slots) next() (Queued, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.parked, func(q Queued) bool { return s.fair(q.job.Lane) })
	if i < 0 {
		return Queued{}, false
	}
	q := s.parked[i]
	s.parked = slices.Delete(s.parked, i, i+1)
	s.signal()
	return q, true
}

// clear takes all parked jobs.
func (s *slots) clear() (all []Queued) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, s.parked = s.parked, nil
	return all
}
