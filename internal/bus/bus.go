// Package bus serves apps of the first generation (2018) over RabbitMQ: it is the server
// side of nameko's RPC, as nameko 2.11 to 3.0 speak it.
//
// It reads messages and sends responses; package services decides whether a token is good.
// It survives messages that it cannot handle, and connects again to a broker that was
// away.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/djauthy/djauthy/internal/services"
)

const (
	exchange    = "nameko-rpc"
	prefetch    = 10 // per service name: how many calls are handled at once
	heartbeat   = 60 * time.Second
	dialTimeout = 10 * time.Second
	minWait     = 200 * time.Millisecond
	maxWait     = 15 * time.Second
	// callTimeout is how long one call may take.
	callTimeout = 15 * time.Second
)

// Bus serves calls on a broker.
type Bus struct {
	Services *services.Service
	// URL is amqp://user:password@host:port/vhost, or amqps.
	URL string
	// Names are the service names under which it is called.
	Names []string
	Log   *slog.Logger
	// Answered is called with the outcome of each message, for metrics.
	Answered func(outcome string)

	connected atomic.Bool
}

// ErrAway reports that there is no connection to the broker.
var ErrAway = errors.New("the bus is not connected")

// Ready returns ErrAway while there is no connection.
func (b *Bus) Ready() error {
	if !b.connected.Load() {
		return ErrAway
	}
	return nil
}

// Check connects once and declares what Run declares. Its error is for people.
func (b *Bus) Check(ctx context.Context) error {
	conn, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for _, name := range b.Names {
		ch, err := conn.Channel()
		if err == nil {
			err = declare(ch, name)
		}
		if err != nil {
			return fmt.Errorf("queue of %s: %w", name, brokerError(err))
		}
	}
	return nil
}

// Run serves calls until ctx ends, and connects again whenever the broker was away.
func (b *Bus) Run(ctx context.Context) error {
	wait, logged := minWait, false
	for ctx.Err() == nil {
		began := time.Now()
		err := b.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > maxWait { // it had been up
			wait, logged = minWait, false
		}
		if !logged {
			b.Log.Error("bus: away; trying again until it is back", "broker", b.shownURL(), "err", err)
			logged = true
		}
		timer := time.NewTimer(wait + rand.N(wait/4)) //nolint:gosec // jitter
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
		wait = min(wait*2, maxWait)
	}
	return nil
}

// shownURL is the URL of the broker without its password.
func (b *Bus) shownURL() string {
	u, err := url.Parse(b.URL)
	if err != nil {
		return "bus.url"
	}
	return u.Redacted()
}

func (b *Bus) dial(ctx context.Context) (*amqp.Connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := amqp.DialConfig(b.URL, amqp.Config{
		Heartbeat: heartbeat, Dial: amqp.DefaultDial(dialTimeout), Properties: amqp.Table{"connection_name": "djauthy"},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", b.shownURL(), brokerError(err))
	}
	return conn, nil
}

// brokerError is the broker's own error without the text that the library adds.
func brokerError(err error) error {
	if closed := (*amqp.Error)(nil); errors.As(err, &closed) {
		return fmt.Errorf("%s (%d)", closed.Reason, closed.Code)
	}
	return err
}

// declare declares what nameko does: the exchange, the service's queue and their binding.
// The queue has no arguments: with any, a real nameko could not share it.
func declare(ch *amqp.Channel, name string) error {
	if err := ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(queue(name), true, false, false, false, nil); err != nil {
		return err
	}
	return ch.QueueBind(queue(name), name+".*", exchange, false, nil)
}

func queue(name string) string { return "rpc-" + name }

// serve serves calls over one connection until it is lost or ctx ends. Calls in flight
// are finished then; the broker delivers those without a response again.
func (b *Bus) serve(ctx context.Context) error {
	conn, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	lost := conn.NotifyClose(make(chan *amqp.Error, 1))
	var workers sync.WaitGroup
	defer workers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(b.Names))
	for _, name := range b.Names {
		l, err := b.listen(conn, name)
		if err != nil {
			return fmt.Errorf("queue of %s: %w", name, brokerError(err))
		}
		workers.Go(func() { ended <- l.run(ctx) })
	}
	b.connected.Store(true)
	defer b.connected.Store(false)
	b.Log.Info("bus: answers", "broker", b.shownURL(), "services", b.Names)
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	case err := <-lost:
		if err == nil {
			return errors.New("the broker ended the connection")
		}
		return brokerError(err)
	}
}

// listener handles the calls of one service name.
type listener struct {
	*Bus
	name string
	// channel carries calls, responses and acknowledgements. The broker processes what
	// one channel sends in order, so a response is there before its call is acknowledged,
	// without a wait for its confirmation.
	channel *amqp.Channel
	in      <-chan amqp.Delivery
}

func (b *Bus) listen(conn *amqp.Connection, name string) (*listener, error) {
	l := &listener{Bus: b, name: name}
	var err error
	if l.channel, err = conn.Channel(); err != nil {
		return nil, err
	}
	if err := declare(l.channel, name); err != nil {
		return nil, err
	}
	if err := l.channel.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	l.in, err = l.channel.Consume(queue(name), "", false, false, false, false, nil)
	return l, err
}

// run handles calls, prefetch at once, until ctx or the queue ends. Then it finishes the
// calls in flight; the rest stay in the queue. Its workers live as long as it does: a
// goroutine for each call would have to grow its stack each time.
func (l *listener) run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range prefetch {
		workers.Go(func() { l.work(ctx) })
	}
	workers.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("the broker ended the queue of " + l.name)
}

func (l *listener) work(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case d, open := <-l.in:
			if !open {
				return
			}
			l.handle(d)
		}
	}
}
