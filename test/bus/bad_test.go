package bus_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// unreadable are messages that are no calls, by what is wrong with them.
func unreadable(c *caller, key, good string) map[string]amqp.Publishing {
	all := map[string]amqp.Publishing{}
	for what, body := range map[string]string{
		"empty": "", "text": "verify please", "half": good[:len(good)/2], "single quotes": "{'args': [], 'kwargs': {}}",
		"a comma too much": `{"args":[],"kwargs":{},}`, "NaN": `{"args":[NaN],"kwargs":{}}`, "twice": good + good,
		"byte order mark": "\ufeff" + good, "not UTF-8": strings.Replace(good, `"args"`, "\"a\xff\":1,\"args\"", 1),
		"half a surrogate pair": strings.Replace(good, `"args"`, `"\ud800":1,"args"`, 1),
		"binary":                "\x80\x02}q\x00X\x04\x00\x00\x00args", "zeros": strings.Repeat("\x00", 100),
	} {
		all[what] = c.message(key, body)
	}
	for _, kind := range []string{"", "text/plain", "application/x-python-serialize", "application/x-yaml", "application/octet-stream", "json"} {
		m := c.message(key, good)
		m.ContentType = kind
		all["content type "+kind] = m
	}
	return all
}

func TestWhatIsNoCallIsRejectedForGoodWithoutAnAnswer(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	all := unreadable(c, p.verify(), p.good(t))
	var ids []string
	for _, m := range all {
		ids = append(ids, m.CorrelationId)
		c.publish(p.verify(), m)
		same(t, c.call(p.verify(), p.good(t)), resultOK)
	}
	p.awaitCount(t, "rejected", len(all))
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	if n := c.answered(ids...); n != 0 {
		t.Errorf("%d of them were answered", n)
	}
	// One that came back to the queue would have been rejected many times.
	if n := p.counts(t)["rejected"]; n != len(all) {
		t.Errorf("%d messages were rejected, want %d", n, len(all))
	}
	if n := p.ready(t, c); n != 0 {
		t.Errorf("%d messages are in the queue again", n)
	}
}

// It kills a real nameko.
func TestACallWithoutReplyToIsTakenAndLogged(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	var ids []string
	for _, key := range []string{p.verify(), p.name + ".nothing"} {
		m := c.message(key, p.good(t))
		m.ReplyTo = ""
		ids = append(ids, m.CorrelationId)
		c.publish(key, m)
	}
	p.awaitCount(t, "no_reply_to", 2)
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	if log := p.Errors(); strings.Count(log, "it has no reply_to") != 2 || !strings.Contains(log, `"service":"`+p.name+`"`) {
		t.Errorf("the log does not tell of it twice:\n%s", log)
	}
	if n := c.answered(ids...); n != 0 || p.ready(t, c) != 0 {
		t.Errorf("%d answers, %d messages in the queue", n, p.ready(t, c))
	}
	p.Stop(t)
	if n := p.ready(t, c); n != 0 {
		t.Errorf("%d messages were not acknowledged", n)
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	good, token := p.good(t), p.lab.token(t)
	c.call(p.verify(), good)
	c.call(p.verify(), strings.Replace(good, `"args"`, `"arg"`, 1))
	for _, m := range unreadable(c, p.verify(), good) {
		c.publish(p.verify(), m)
	}
	m := c.message(p.verify(), good)
	m.ReplyTo = ""
	c.publish(p.verify(), m)
	p.awaitCount(t, "no_reply_to", 1)
	p.awaitCount(t, "rejected", 18)
	for _, secret := range []string{p.shop.Seed, p.lab.Seed, token, p.shop.token(t), "guest:guest"} {
		if strings.Contains(p.Errors(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// One is well-formed, one is not; both are far beyond what a call has to say.
func TestAHugeMessageHarmsNobody(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	c.publish(p.verify(), c.message(p.verify(), positional(p.shop.UUID, p.shop.token(t), p.lab.UUID, strings.Repeat("1", 16<<20))))
	c.publish(p.verify(), c.message(p.verify(), strings.Repeat("[", 16<<20)))
	for range 20 {
		same(t, c.call(p.verify(), p.good(t)), resultOK)
	}
	await(t, "both are settled", func() bool {
		n := 0
		for outcome, count := range p.counts(t) {
			if outcome != "ok" {
				n += count
			}
		}
		return n == 2
	})
	if n := p.ready(t, c); n != 0 {
		t.Errorf("%d messages are in the queue again", n)
	}
}

// What is rejected is what is not JSON or of another type, not what is long: its
// caller waits for an answer.
func TestALongCallIsAnswered(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	id := c.send(p.verify(), positional(p.shop.UUID, p.shop.token(t), p.lab.UUID, strings.Repeat("1", 70<<10)))
	await(t, "it is settled", func() bool { return len(p.counts(t)) == 1 })
	same(t, c.call(p.verify(), p.good(t)), resultOK) // after any answer to the long one
	if c.answered(id) == 0 {
		t.Fatalf("no answer to a call of 70 KiB; counted %v", p.counts(t))
	}
	same(t, string(c.answer(id).Body), resultFAIL)
}

// cut is a connection that is lost in the middle of the next message.
type cut struct {
	net.Conn
	armed atomic.Bool
	keep  func(frames []byte) int // how much of it is still sent
}

func (c *cut) Write(p []byte) (int, error) {
	if !c.armed.Load() {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(p[:c.keep(p)]); err != nil {
		return 0, err
	}
	return 0, c.Close()
}

func TestAHalfSentMessageHarmsNobody(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	var ids []string
	for what, keep := range map[string]func([]byte) int{
		"without header and body": func(b []byte) int { return frame(b) },
		"without body":            func(b []byte) int { return frame(b) + frame(b[frame(b):]) },
		"half a body":             func(b []byte) int { return len(b) - 30 },
		"half a method":           func(b []byte) int { return frame(b) / 2 },
		"half a header":           func(b []byte) int { return frame(b) + 12 },
	} {
		raw, err := net.Dial("tcp", rabbit.Address(t))
		must(t, err)
		line := &cut{Conn: raw, keep: keep}
		conn, err := amqp.Open(line, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "guest"}}, Vhost: "/"})
		must(t, err)
		ch := channel(t, conn)
		line.armed.Store(true)
		m := c.message(p.verify(), p.good(t))
		ids = append(ids, m.CorrelationId)
		_ = ch.Publish(exchange, p.verify(), false, false, m) // it is lost, whatever is said of it
		_ = conn.Close()
		t.Run(what, func(t *testing.T) { same(t, c.call(p.verify(), p.good(t)), resultOK) })
	}
	if n := c.answered(ids...); n != 0 {
		t.Errorf("%d half messages were answered", n)
	}
	if counts := p.counts(t); counts["ok"] != len(ids) || len(counts) != 1 {
		t.Errorf("counted %v, want %d good ones", counts, len(ids))
	}
}

// frame is the length of the first frame (AMQP 0-9-1, 4.2.3).
func frame(b []byte) int { return 8 + int(b[3])<<24 + int(b[4])<<16 + int(b[5])<<8 + int(b[6]) }

func TestBadMessagesAmongManyGoodOnesHoldNobodyUp(t *testing.T) {
	p := open(t)
	const callers, each = 8, 40
	var all sync.WaitGroup
	for n := range callers {
		c := newCaller(t)
		good, fail := p.good(t), p.bad(t)
		all.Go(func() {
			if err := c.mix(p, each, n == 0, good, fail); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	c := newCaller(t)
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	await(t, "the queue is empty", func() bool { return p.ready(t, c) == 0 })
	p.awaitCount(t, "rejected", callers*each)
	if got := p.counts(t); got["ok"] != callers*each-each/8+1 || got["fail"] != each/8 || got["rejected"] != callers*each {
		t.Errorf("counted %v", got)
	}
}

// mix publishes good calls with bad messages before each and waits for the
// answers to the good ones.
func (c *caller) mix(p *place, n int, fails bool, good, fail string) error {
	want := map[string]string{}
	for i := range n {
		for _, m := range unreadable(c, p.verify(), good) {
			if err := c.ch.Publish(exchange, p.verify(), false, false, m); err != nil {
				return err
			}
			break // any of them
		}
		m := c.message(p.verify(), good)
		want[m.CorrelationId] = resultOK
		if fails && i%8 == 7 {
			m.Body = []byte(fail)
			want[m.CorrelationId] = resultFAIL
		}
		if err := c.ch.Publish(exchange, p.verify(), false, false, m); err != nil {
			return err
		}
	}
	return c.collect(want)
}
