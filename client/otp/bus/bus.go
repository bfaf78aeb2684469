// Package bus is for apps of the first generation (2018) that verify tokens over
// RabbitMQ, by the RPC of nameko: a call is a message to the service's queue, its
// result a message to a queue of our own.
package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/djauthy/djauthy/client/otp"
)

// App is what an app holds to prove who it is.
type App struct {
	UUID string
	Seed string // base32
}

// Token returns the app's token of this moment.
func (a App) Token() (string, error) { return (&otp.Client{Seed: a.Seed}).NewToken() }

// Caller calls one service over one connection. Its methods may be called from
// many goroutines. When the connection is lost, calls under way fail with
// ErrClosed, and so do later ones: dial again.
type Caller struct {
	service string
	conn    *amqp.Connection
	channel *amqp.Channel
	reply   string // the routing key of answers
	queue   string

	mu      sync.Mutex
	waiting map[string]chan answer // by correlation id; nil once closed
}

// ErrClosed reports that the connection to the broker is lost.
var ErrClosed = errors.New("bus: the connection is closed")

// RemoteError is an exception of the service.
type RemoteError struct{ Type, Value string }

func (e *RemoteError) Error() string { return "bus: " + e.Type + ": " + e.Value }

// UnknownServiceError reports that nobody takes calls to a service: the broker has no
// queue for it. The name is wrong, or the service has never been connected to this
// broker and virtual host. A service that is only down for a while has its queue, and
// calls wait there.
type UnknownServiceError struct{ Service string }

func (e *UnknownServiceError) Error() string {
	return fmt.Sprintf("bus: nobody answers to %q: is it a name of the server's setting bus.services, and the broker the server's own?", e.Service)
}

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 1 << 20

var (
	errNoAnswer = errors.New("bus: the answer is none of nameko's RPC")
	errTooLong  = fmt.Errorf("bus: the answer is longer than %d bytes", maxAnswer)
)

// answer is what a call comes to.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Type  string `json:"exc_type"`
		Value string `json:"value"`
	} `json:"error"`
	err error // there is none
}

// read reads an answer.
func read(body []byte) (a answer) {
	if len(body) > maxAnswer {
		return answer{err: errTooLong}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{err: errNoAnswer}
	}
	return a
}

// Exchange is that of all calls and answers of nameko's RPC.
const Exchange = "nameko-rpc"

// Dial connects to a broker (amqp://…) to call a service, usually "ungleichotp".
func Dial(url, service string) (*Caller, error) {
	conn, err := amqp.DialConfig(url, amqp.Config{Heartbeat: 60 * time.Second, Dial: amqp.DefaultDial(10 * time.Second)})
	if err != nil {
		return nil, err
	}
	c := &Caller{service: service, conn: conn, reply: rand.Text(), waiting: map[string]chan answer{}}
	c.queue = "rpc.reply-djauthy-" + c.reply
	if err := c.open(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// open declares the queue of our answers and listens to it.
func (c *Caller) open() (err error) {
	if c.channel, err = c.conn.Channel(); err != nil {
		return err
	}
	if err := c.channel.ExchangeDeclare(Exchange, "topic", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := c.channel.QueueDeclare(c.queue, false, true, true, false, nil); err != nil {
		return err
	}
	if err := c.channel.QueueBind(c.queue, c.reply, Exchange, false, nil); err != nil {
		return err
	}
	answers, err := c.channel.Consume(c.queue, "", true, true, false, false, nil)
	if err != nil {
		return err
	}
	// The library waits until a return is taken; its goroutine ends with the channel.
	returns := c.channel.NotifyReturn(make(chan amqp.Return, 1))
	go c.listen(answers)
	go c.takeReturns(returns)
	return nil
}

func (c *Caller) listen(answers <-chan amqp.Delivery) {
	for d := range answers {
		c.settle(d.CorrelationId, read(d.Body))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, wait := range c.waiting {
		close(wait)
	}
	c.waiting = nil
}

// takeReturns ends calls that no queue takes. The broker returns such a message, and so
// no answer to it can come.
func (c *Caller) takeReturns(returns <-chan amqp.Return) {
	for r := range returns {
		c.settle(r.CorrelationId, answer{err: &UnknownServiceError{c.service}})
	}
}

// settle hands an answer to the call that waits for it, if it still does.
func (c *Caller) settle(id string, a answer) {
	c.mu.Lock()
	wait, ok := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if ok {
		wait <- a // which has room for the one
	}
}

// Close ends the connection.
func (c *Caller) Close() error { return c.conn.Close() }

// Verify asks, as a trusted app, whether the token is that of another app now.
func (c *Caller) Verify(ctx context.Context, by App, uuid, token string) (bool, error) {
	own, err := by.Token()
	if err != nil {
		return false, err
	}
	raw, err := c.Call(ctx, "verify", []any{by.UUID, own, uuid, token}, nil)
	if err != nil {
		return false, err
	}
	var out struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return false, fmt.Errorf("bus: the result is not what verify returns: %w", err)
	}
	return out.Status == "OK", nil
}

// Call calls a method of the service and returns its result as JSON, or a
// *RemoteError; *UnknownServiceError at once if nobody takes calls to the service.
func (c *Caller) Call(ctx context.Context, method string, args []any, kwargs map[string]any) (json.RawMessage, error) {
	if args == nil {
		args = []any{}
	}
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	body, err := json.Marshal(map[string]any{"args": args, "kwargs": kwargs})
	if err != nil {
		return nil, err
	}
	id, wait := rand.Text(), make(chan answer, 1)
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	c.waiting[id] = wait
	c.mu.Unlock()
	defer c.forget(id)
	err = c.channel.PublishWithContext(ctx, Exchange, c.service+"."+method, true, false, amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
		CorrelationId: id, ReplyTo: c.reply, Body: body,
		Headers: amqp.Table{"nameko.call_id_stack": []any{c.service + "." + method + "." + id}},
	})
	if err != nil {
		return nil, errors.Join(ErrClosed, err)
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a, ok := <-wait:
		switch {
		case !ok:
			return nil, ErrClosed
		case a.err != nil:
			return nil, a.err
		case a.Error != nil:
			return nil, &RemoteError{a.Error.Type, a.Error.Value}
		}
		return a.Result, nil
	}
}

func (c *Caller) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}
