package delivery

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// briskLimit is how many messages are sent at once to servers that answer
	// promptly; more connections would only be refused.
	briskLimit = 8
	// sendLimit is how many are sent at once in all, with those that wait for a
	// slow server: each holds a connection, about 50 KB.
	sendLimit = 64
	// slowAfter is when a message counts as slow.
	slowAfter = 5 * time.Second
	// briskShare is how many of the briskLimit a domain with slow messages may take.
	briskShare = briskLimit - 2
)

// slots bound how many messages are sent at once. One that turns out to be slow
// makes room for another, so that a few slow recipients hold up nobody else. A
// domain with slow messages may hold as many slots as are free, so that it takes
// half of them at the most, a second such domain half of the rest, and so on; its
// further messages are parked until one ends.
type slots struct {
	brisk, all chan struct{}
	freed      chan struct{} // a parked message may have its turn now

	mu      sync.Mutex
	domains map[string]*usage // with messages being sent
	parked  []Queued          // oldest first
}

// usage is how many slots the messages to one domain hold.
type usage struct{ brisk, slow int }

func newSlots() *slots {
	return &slots{
		brisk: make(chan struct{}, briskLimit), all: make(chan struct{}, sendLimit), freed: make(chan struct{}, 1),
		domains: map[string]*usage{},
	}
}

// slot is the right to send one message.
type slot struct {
	of         *slots
	domain     string
	slow, left bool // guarded by of.mu
}

// take waits for a slot; it reports false when ctx ends.
func (s *slots) take(ctx context.Context, domain string) (*slot, bool) {
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
	if s.domains[domain] == nil {
		s.domains[domain] = &usage{}
	}
	s.domains[domain].brisk++
	return &slot{of: s, domain: domain}, true
}

// slowDown says that the message is slow, which makes room for another.
func (s *slot) slowDown() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.left || s.slow {
		return
	}
	u := s.of.domains[s.domain]
	s.slow, u.brisk, u.slow = true, u.brisk-1, u.slow+1
	<-s.of.brisk
	s.of.tell()
}

func (s *slot) leave() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	u := s.of.domains[s.domain]
	if s.left = true; s.slow {
		u.slow--
	} else {
		u.brisk--
		<-s.of.brisk
	}
	<-s.of.all
	if *u == (usage{}) {
		delete(s.of.domains, s.domain)
	}
	s.of.tell()
}

// tell has the parked messages looked at.
func (s *slots) tell() {
	if len(s.parked) == 0 {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// fair reports whether another message to a domain may be sent.
func (s *slots) fair(domain string) bool {
	u := s.domains[domain]
	return u == nil || u.slow == 0 || u.brisk < briskShare && u.brisk+u.slow < cap(s.all)-len(s.all)
}

// admit reports whether a message may be sent. Otherwise it is parked, or, if too
// many are, not kept.
func (s *slots) admit(q Queued) (now, parked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fair(q.domain()) {
		return true, false
	}
	if len(s.parked) == backlog {
		return false, false
	}
	s.parked = append(s.parked, q)
	return false, true
}

// next takes the oldest parked message that may be sent.
func (s *slots) next() (Queued, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.parked, func(q Queued) bool { return s.fair(q.domain()) })
	if i < 0 {
		return Queued{}, false
	}
	q := s.parked[i]
	s.parked = slices.Delete(s.parked, i, i+1)
	s.tell()
	return q, true
}

// clear takes all parked messages.
func (s *slots) clear() (all []Queued) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, s.parked = s.parked, nil
	return all
}

// domain is that of the recipient.
func (q Queued) domain() string {
	return strings.ToLower(q.message.To[strings.LastIndex(q.message.To, "@")+1:])
}
