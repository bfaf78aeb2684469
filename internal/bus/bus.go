// Package bus is the door for apps of the first generation (2018): nameko's RPC
// over RabbitMQ, server side, as nameko 2.11 to 3.0 speak it.
//
// It reads messages and writes answers; whether a token is good is for package
// services to say. A message that cannot be answered never takes it down, and
// a broker that goes away is waited for.
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
	exchange  = "nameko-rpc"
	prefetch  = 10 // per service name; so many are answered at once
	heartbeat = 60 * time.Second
	dialFor   = 10 * time.Second
	firstWait = 200 * time.Millisecond
	maxWait   = 15 * time.Second
	// answerFor bounds the work for one message.
	answerFor = 15 * time.Second
)

// Bus answers calls on a broker.
type Bus struct {
	Services *services.Service
	// URL is amqp://user:password@host:port/vhost, or amqps.
	URL string
	// Names are those under which the service is called.
	Names []string
	Log   *slog.Logger
	// Answered is told what became of each message, for metrics.
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

// Check connects once and declares what Run would, and says in plain words what
// is wrong.
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
			return fmt.Errorf("queue of %s: %w", name, plain(err))
		}
	}
	return nil
}

// Run answers until ctx ends, and connects again whenever the broker has gone
// away.
func (b *Bus) Run(ctx context.Context) error {
	wait, told := firstWait, false
	for ctx.Err() == nil {
		began := time.Now()
		err := b.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > maxWait { // it had been up
			wait, told = firstWait, false
		}
		if !told {
			b.Log.Error("bus: away; trying again until it is back", "broker", b.where(), "err", err)
			told = true
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

// where is the broker without its password.
func (b *Bus) where() string {
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
		Heartbeat: heartbeat, Dial: amqp.DefaultDial(dialFor), Properties: amqp.Table{"connection_name": "djauthy"},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", b.where(), plain(err))
	}
	return conn, nil
}

// plain drops what the library says around the broker's words.
func plain(err error) error {
	if told := (*amqp.Error)(nil); errors.As(err, &told) {
		return fmt.Errorf("%s (%d)", told.Reason, told.Code)
	}
	return err
}

// declare makes what nameko would: the exchange, the service's queue and their
// binding. The queue has no arguments: with any, a real nameko could not share it.
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

// serve answers over one connection until it is lost or ctx ends. What is under
// way at the end is finished; what is not answered comes again from the broker.
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
			return fmt.Errorf("queue of %s: %w", name, plain(err))
		}
		workers.Go(func() { ended <- l.run(ctx) })
	}
	b.connected.Store(true)
	defer b.connected.Store(false)
	b.Log.Info("bus: answers", "broker", b.where(), "services", b.Names)
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	case err := <-lost:
		if err == nil {
			return errors.New("the broker ended the connection")
		}
		return plain(err)
	}
}

// listener takes the calls of one service name.
type listener struct {
	*Bus
	name string
	// channel carries calls, answers and acknowledgements. The broker takes what
	// one channel sends in its order, so that an answer is there before its call is
	// acknowledged, and nobody has to wait for its confirmation.
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

// run answers calls, as many at once as were fetched, until ctx ends or the queue
// does. It takes no more then, finishes those under way, and leaves the rest to
// whoever comes next. Its workers live as long: a goroutine for each call would
// have to grow its stack each time.
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
			l.take(d)
		}
	}
}
