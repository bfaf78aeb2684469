package bus_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const exchange = "nameko-rpc"

// caller speaks to the bus as a nameko caller of 2.11 to 3.0 does, written after
// the wire and not after the code under test.
type caller struct {
	t       *testing.T
	conn    *amqp.Connection
	ch      *amqp.Channel
	key     string // where answers are wanted, a routing key
	answers <-chan amqp.Delivery
	early   map[string][]amqp.Delivery // those that nobody has asked for yet
}

func dial(t *testing.T, url string) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the broker may have ended it before
	return conn
}

func channel(t *testing.T, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// newCaller listens for answers on a queue whose name is not the routing key.
func newCaller(t *testing.T) *caller {
	t.Helper()
	c := &caller{t: t, conn: dial(t, rabbit.URL(t)), key: strings.ToLower(rand.Text()), early: map[string][]amqp.Delivery{}}
	c.ch = channel(t, c.conn)
	must(t, c.ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
	queue := "rpc.reply-test-" + rand.Text()
	_, err := c.ch.QueueDeclare(queue, false, true, true, false, nil)
	must(t, err)
	must(t, c.ch.QueueBind(queue, c.key, exchange, false, nil))
	c.answers, err = c.ch.Consume(queue, "", true, true, false, false, nil)
	must(t, err)
	must(t, c.ch.Confirm(false))
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// message is a call as nameko publishes it.
func (c *caller) message(key, body string) amqp.Publishing {
	id := rand.Text()
	return amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
		CorrelationId: id, ReplyTo: c.key, Body: []byte(body),
		Headers: amqp.Table{"nameko.call_id_stack": []any{"standalone_rpc_proxy.call." + id, key + "." + id}},
	}
}

// publish hands a message to the broker and returns once it has it.
func (c *caller) publish(key string, m amqp.Publishing) {
	c.t.Helper()
	sent, err := c.ch.PublishWithDeferredConfirm(exchange, key, false, false, m)
	must(c.t, err)
	if taken, err := sent.WaitContext(c.t.Context()); err != nil || !taken {
		c.t.Fatalf("the broker did not take a message: %v", err)
	}
}

// send publishes a call and returns its correlation id.
func (c *caller) send(key, body string) string {
	c.t.Helper()
	m := c.message(key, body)
	c.publish(key, m)
	return m.CorrelationId
}

// answer waits for the answer to a call.
func (c *caller) answer(id string) amqp.Delivery {
	c.t.Helper()
	for deadline := time.After(limit); ; {
		if all := c.early[id]; len(all) > 0 {
			c.early[id] = all[1:]
			return all[0]
		}
		select {
		case d, ok := <-c.answers:
			if !ok {
				c.t.Fatal("the broker ended the connection")
			}
			c.early[d.CorrelationId] = append(c.early[d.CorrelationId], d)
		case <-deadline:
			c.t.Fatalf("no answer to %s within %s", id, limit)
		}
	}
}

// call is a call and its answer's body.
func (c *caller) call(key, body string) string {
	c.t.Helper()
	return string(c.answer(c.send(key, body)).Body)
}

// collect waits for the answers to these calls and compares their bodies.
func (c *caller) collect(want map[string]string) error {
	for deadline := time.After(limit); len(want) > 0; {
		select {
		case d := <-c.answers:
			body, ok := want[d.CorrelationId]
			if !ok || string(d.Body) != body {
				return fmt.Errorf("%q was answered with %s, want %s", d.CorrelationId, d.Body, body)
			}
			delete(want, d.CorrelationId)
		case <-deadline:
			return fmt.Errorf("%d calls have no answer within %s", len(want), limit)
		}
	}
	return nil
}

// answered is how many answers to these calls came so far.
func (c *caller) answered(ids ...string) (n int) {
	for {
		select {
		case d := <-c.answers:
			c.early[d.CorrelationId] = append(c.early[d.CorrelationId], d)
			continue
		default:
		}
		for _, id := range ids {
			n += len(c.early[id])
		}
		return n
	}
}

// positional is the body of a call with these arguments.
func positional(args ...any) string { return both(args, map[string]any{}) }

func both(args []any, kwargs map[string]any) string {
	if args == nil {
		args = []any{}
	}
	b, err := json.Marshal(map[string]any{"args": args, "kwargs": kwargs})
	if err != nil {
		panic(err) // what a test writes is JSON
	}
	return string(b)
}

// good is a call of the shop's that verifies.
func (p *place) good(t testing.TB) string {
	t.Helper()
	return positional(p.shop.UUID, p.shop.token(t), p.lab.UUID, p.lab.token(t))
}

// bad is a call of the shop's with a wrong token to verify.
func (p *place) bad(t testing.TB) string {
	t.Helper()
	return positional(p.shop.UUID, p.shop.token(t), p.lab.UUID, p.lab.wrong(t))
}

func (p *place) verify() string { return p.name + ".verify" }

const (
	resultOK   = `{"result":{"status":"OK"},"error":null}`
	resultFAIL = `{"result":{"status":"FAIL"},"error":null}`
)

// same requires that an answer says this and nothing else, in any order.
func same(t testing.TB, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Errorf("the answer %q is no JSON: %v", got, err)
	}
	must(t, json.Unmarshal([]byte(want), &b))
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the answer is %s, want %s", got, want)
	}
}

// ready is how many messages wait in the queue of the place, delivered to nobody.
func (p *place) ready(t *testing.T, c *caller) int {
	t.Helper()
	q, err := c.ch.QueueDeclarePassive("rpc-"+p.name, true, false, false, false, nil)
	must(t, err)
	return q.Messages
}
