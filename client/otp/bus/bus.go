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

type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Type  string `json:"exc_type"`
		Value string `json:"value"`
	} `json:"error"`
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
	go c.listen(answers)
	return nil
}

func (c *Caller) listen(answers <-chan amqp.Delivery) {
	for d := range answers {
		var a answer
		if err := json.Unmarshal(d.Body, &a); err != nil {
			continue
		}
		c.mu.Lock()
		wait, ok := c.waiting[d.CorrelationId]
		delete(c.waiting, d.CorrelationId)
		c.mu.Unlock()
		if ok {
			wait <- a
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, wait := range c.waiting {
		close(wait)
	}
	c.waiting = nil
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
// *RemoteError.
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
	err = c.channel.PublishWithContext(ctx, Exchange, c.service+"."+method, false, false, amqp.Publishing{
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
