package fetch

import (
	"context"
	"net"
	"sync"

	"golang.org/x/net/publicsuffix"
)

// How many requests of strangers are under way at once: hosts that stall hold no more
// connections. Few of them are caused by one network or go to hosts of one domain, so that
// neither keeps the others out.
const (
	atOnce     = 64
	perNetwork = 12
	perDomain  = 12
)

type causedBy struct{}

// CausedBy says which network causes the requests that are made with the context.
func CausedBy(ctx context.Context, network string) context.Context {
	return context.WithValue(ctx, causedBy{}, network)
}

// slots are requests under way: of each network, to each domain, and altogether. The zero
// value is ready.
type slots struct {
	mu  sync.Mutex
	all map[string]*slot
}

// slot counts the requests under one key.
type slot struct {
	key   string
	taken chan struct{}
	users int // hold it or wait for it; without any it is forgotten
}

// take waits until a request to the host may be made, and returns what to call when it is
// over. The error is ErrBusy when the context ends before. What is scarce is taken last, so
// that who waits for the others does not hold it.
func (s *slots) take(ctx context.Context, host string) (give func(), err error) {
	var taken []*slot
	give = func() {
		for _, one := range taken {
			s.give(one)
		}
	}
	network, _ := ctx.Value(causedBy{}).(string)
	for _, k := range []struct {
		key  string
		most int
	}{{"network " + network, perNetwork}, {"domain " + domain(host), perDomain}, {"all", atOnce}} {
		one := s.get(k.key, k.most)
		select {
		case one.taken <- struct{}{}:
			taken = append(taken, one)
		case <-ctx.Done():
			s.leave(one)
			give()
			return nil, ErrBusy
		}
	}
	return give, nil
}

// get returns the slot of a key, which leave or give lets go.
func (s *slots) get(key string, most int) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[key]
	if one == nil {
		one = &slot{key: key, taken: make(chan struct{}, most)}
		if s.all == nil {
			s.all = map[string]*slot{}
		}
		s.all[key] = one
	}
	one.users++
	return one
}

// give is leave for who has taken the slot.
func (s *slots) give(one *slot) {
	<-one.taken
	s.leave(one)
}

func (s *slots) leave(one *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(s.all, one.key)
	}
}

// domain is what one owner has registered: subdomains cost nothing. Of a host without one,
// such as an IP address, it is the host.
func domain(host string) string {
	if registered, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil && net.ParseIP(host) == nil {
		return registered
	}
	return host
}
