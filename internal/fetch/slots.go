package fetch

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
)

// At most atOnce requests of strangers are in flight, perNetwork of them caused by one network
// and perDomain to one registrable domain, so that no network and no stalled host blocks the
// others. One network has perBoth to one domain: it must not keep others from an issuer.
const (
	atOnce     = 64
	perNetwork = 12
	perDomain  = 12
	perBoth    = 4
	// slotWait is how long a request waits for its slot. It is short beside Timeout, so that
	// a request that begins has time left, and no lack of slots looks like a slow host.
	slotWait = time.Second
)

type networkKey struct{}

// WithNetwork names the network that causes the requests of a context. Requests without one
// share the limit of one network.
func WithNetwork(ctx context.Context, network string) context.Context {
	return context.WithValue(ctx, networkKey{}, network)
}

// slots are requests under way: of each network, to each domain, and altogether. The zero
// value is ready.
type slots struct {
	mu  sync.Mutex
	all map[string]*semaphore
}

// semaphore bounds the requests of one key.
type semaphore struct {
	key   string
	taken chan struct{}
	users int // hold it or wait for it; without any it is forgotten
}

// take waits until a request to the host may be made, and returns what to call when it is
// over. The error is ErrBusy after slotWait, or when the context ends before. The slot among all is
// taken last: a request that waits for its network or domain does not hold it.
func (s *slots) take(ctx context.Context, host string) (release func(), err error) {
	var taken []*semaphore
	release = func() {
		for _, one := range taken {
			s.release(one)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	network, _ := ctx.Value(networkKey{}).(string)
	at := domain(host)
	for _, k := range []struct {
		key  string
		most int
	}{{"both " + network + " " + at, perBoth}, {"network " + network, perNetwork}, {"domain " + at, perDomain}, {"all", atOnce}} {
		one := s.get(k.key, k.most)
		select {
		case one.taken <- struct{}{}:
			taken = append(taken, one)
		case <-ctx.Done():
			s.unref(one)
			release()
			return nil, ErrBusy
		}
	}
	return release, nil
}

// get returns the semaphore of a key, which unref or release lets go.
func (s *slots) get(key string, most int) *semaphore {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[key]
	if one == nil {
		one = &semaphore{key: key, taken: make(chan struct{}, most)}
		if s.all == nil {
			s.all = map[string]*semaphore{}
		}
		s.all[key] = one
	}
	one.users++
	return one
}

// release frees a slot that was taken.
func (s *slots) release(one *semaphore) {
	<-one.taken
	s.unref(one)
}

func (s *slots) unref(one *semaphore) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(s.all, one.key)
	}
}

// domain is the registrable domain of a host (public suffix and one label), because subdomains
// are free to create. Of an IP address or a bare suffix it is the host itself.
func domain(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if registered, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil && net.ParseIP(host) == nil {
		return registered
	}
	return host
}
