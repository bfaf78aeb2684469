package bus_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// refused requires that the broker says that something is there with other
// properties. It closes the channel with that, so each takes one of its own.
func refused(t *testing.T, conn *amqp.Connection, what string, declare func(*amqp.Channel) error) {
	t.Helper()
	err := declare(channel(t, conn))
	var told *amqp.Error
	if !errors.As(err, &told) || told.Code != amqp.PreconditionFailed && told.Code != amqp.ResourceLocked {
		t.Errorf("%s: the broker says %v, want that it differs", what, err)
	}
}

func TestTheExchangeIsAsNamekoDeclaresIt(t *testing.T) {
	open(t)
	conn := dial(t, rabbit.URL(t))
	ch := channel(t, conn)
	must(t, ch.ExchangeDeclarePassive("nameko-rpc", "topic", true, false, false, false, nil))
	must(t, ch.ExchangeDeclare("nameko-rpc", "topic", true, false, false, false, nil))
	for what, declare := range map[string]func(*amqp.Channel) error{
		"of type direct": func(c *amqp.Channel) error {
			return c.ExchangeDeclare("nameko-rpc", "direct", true, false, false, false, nil)
		},
		"not durable": func(c *amqp.Channel) error {
			return c.ExchangeDeclare("nameko-rpc", "topic", false, false, false, false, nil)
		},
		"auto-delete": func(c *amqp.Channel) error {
			return c.ExchangeDeclare("nameko-rpc", "topic", true, true, false, false, nil)
		},
		"with an argument": func(c *amqp.Channel) error {
			return c.ExchangeDeclare("nameko-rpc", "topic", true, false, false, false, amqp.Table{"alternate-exchange": "x"})
		},
	} {
		refused(t, conn, what, declare)
	}
}

func TestTheQueueIsAsNamekoDeclaresIt(t *testing.T) {
	p := open(t)
	conn, queue := dial(t, rabbit.URL(t)), "rpc-"+p.name
	ch := channel(t, conn)
	_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(t, err)
	_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	must(t, err)
	for what, declare := range map[string]func(*amqp.Channel) error{
		"not durable": func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(queue, false, false, false, false, nil)
			return err
		},
		"auto-delete": func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(queue, true, true, false, false, nil)
			return err
		},
		"exclusive": func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(queue, true, false, true, false, nil)
			return err
		},
		"with an argument": func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-expires": int32(60000)})
			return err
		},
	} {
		refused(t, conn, what, declare)
	}
}

func TestTheBrokerTellsOfOneBindingByTheServiceName(t *testing.T) {
	p := open(t)
	var got []string
	for line := range strings.Lines(rabbit.Ctl(t, "list_bindings", "source_name", "destination_name", "destination_kind", "routing_key", "arguments")) {
		// The default exchange, which has no name, has every queue.
		if words := strings.Split(strings.TrimSpace(line), "\t"); strings.Contains(line, "rpc-"+p.name) && words[0] != "" && len(words) == 5 {
			got = append(got, strings.Join(words, " "))
		}
	}
	if want := "nameko-rpc rpc-" + p.name + " queue " + p.name + ".* []"; !slices.Equal(got, []string{want}) {
		t.Errorf("the bindings are %q, want %q alone", got, want)
	}
}

// The queue is bound by <service>.*: one word, any word, of this service alone.
func TestTheQueueTakesOneWordAfterTheServiceName(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	returned := c.ch.NotifyReturn(make(chan amqp.Return, 10))
	for key, routed := range map[string]bool{
		p.name + ".verify": true, p.name + ".anything": true,
		p.name: false, p.name + ".verify.more": false, "x" + p.name + ".verify": false, "verify": false,
	} {
		m := c.message(key, p.good(t))
		sent, err := c.ch.PublishWithDeferredConfirm(exchange, key, true, false, m)
		must(t, err)
		if _, err := sent.WaitContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		back := false
		select { // the broker returns before it confirms
		case <-returned:
			back = true
		default:
		}
		if back == routed {
			t.Errorf("%s: routed %t, want %t", key, !back, routed)
		}
		if routed {
			c.answer(m.CorrelationId)
		}
	}
}

func TestEveryServiceNameIsAnswered(t *testing.T) {
	p := prepare(t)
	second, third := p.name+"-2", p.name+"_3"
	p.Set("BUS_SERVICES=" + p.name + ", " + second + "," + third)
	p.Start(t)
	p.awaitReady(t, 200)
	c := newCaller(t)
	for _, name := range []string{p.name, second, third} {
		same(t, c.call(name+".verify", p.good(t)), resultOK)
		same(t, c.call(name+".other", p.good(t)), exception("MethodNotFound", "other"))
	}
}

func TestWithoutASettingTheServiceIsUngleichotp(t *testing.T) {
	p := furnish(t, "ungleichotp")
	p.Start(t)
	p.awaitReady(t, 200)
	same(t, newCaller(t).call("ungleichotp.verify", p.good(t)), resultOK)
}
