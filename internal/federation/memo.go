package federation

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// memo keeps answers of hosts for a while, so that what many ask is asked once. It is for
// one process, and loses nothing when it ends.
type memo struct {
	flight singleflight.Group
	mu     sync.Mutex
	all    map[string]remembered
}

type remembered struct {
	issuer string // "": there is none
	until  time.Time
}

// How long it is known which issuer an id has, and that it or its host has none.
const (
	foundFor   = 5 * time.Minute
	nowhereFor = time.Minute
	hostFor    = 10 * time.Minute
)

// maxRemembered bounds the answers. At the bound all are forgotten.
const maxRemembered = 5000

func (m *memo) lookup(now time.Time, key string) (issuer string, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.all[key]
	return r.issuer, ok && now.Before(r.until) && r.until.Sub(now) <= hostFor
}

func (m *memo) remember(key, issuer string, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.all) >= maxRemembered || m.all == nil {
		m.all = map[string]remembered{}
	}
	m.all[key] = remembered{issuer, until}
}

// ask asks once for all who want to know the same at a time. It goes on when the context of
// the one who waits ends, so that the answer is there for the next.
func (m *memo) ask(ctx context.Context, key string, ask func(ctx context.Context) (string, error)) (string, error) {
	done := m.flight.DoChan(key, func() (any, error) { return ask(context.WithoutCancel(ctx)) })
	select {
	case r := <-done:
		issuer, _ := r.Val.(string)
		return issuer, r.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Reasons for ErrNowhere that hold for every id of a host.
var (
	errNoHost = errors.New("the host names no issuers")
	errLate   = errors.New("the host does not answer in time")
)
