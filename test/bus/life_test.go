package bus_test

import (
	"database/sql"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	_ "modernc.org/sqlite" // to hold a call up

	"github.com/djauthy/djauthy/test/program"
)

// hold keeps the database from being written, as another process could, so that
// wrong tokens, which are written down, wait.
func (p *place) hold(t *testing.T) (release func()) {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+p.Database()+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	must(t, err)
	tx, err := d.BeginTx(t.Context(), nil)
	must(t, err)
	release = func() {
		_ = tx.Rollback() // a second time it is over
		_ = d.Close()
	}
	t.Cleanup(release)
	return release
}

// The queue is what a nameko of before has left: durable, with calls in it.
func TestCallsThatCameBeforeTheStartAreAnswered(t *testing.T) {
	p := prepare(t)
	c := newCaller(t)
	_, err := c.ch.QueueDeclare("rpc-"+p.name, true, false, false, false, nil)
	must(t, err)
	must(t, c.ch.QueueBind("rpc-"+p.name, p.name+".*", exchange, false, nil))
	want := map[string]string{}
	for range 30 {
		want[c.send(p.verify(), p.good(t))] = resultOK
	}
	want[c.send(p.verify(), p.bad(t))] = resultFAIL
	p.Start(t)
	must(t, c.collect(want))
	await(t, "the queue is empty", func() bool { return p.ready(t, c) == 0 })
}

// It is killed with calls fetched and not acknowledged, ten of them and no more.
func TestAKilledServersCallsAreAnsweredByTheNext(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	release := p.hold(t)
	want := map[string]string{}
	for range 25 {
		want[c.send(p.verify(), p.bad(t))] = resultFAIL
	}
	await(t, "fifteen wait in the broker", func() bool { return p.ready(t, c) == 15 })
	p.Kill(t)
	release()
	await(t, "all are back in the broker", func() bool { return p.ready(t, c) == 25 })
	p.Start(t)
	must(t, c.collect(want))
	await(t, "the queue is empty", func() bool { return p.ready(t, c) == 0 })
}

func TestACallUnderWayIsFinishedBeforeTheEnd(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	release := p.hold(t)
	waits := c.send(p.verify(), p.bad(t))
	same(t, c.call(p.verify(), p.good(t)), resultOK) // taken after the other, which so is under way
	go func() {
		// Only release once the end has begun: the door is shut.
		for {
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
			if err != nil {
				break
			}
			_ = conn.Close()
		}
		release()
	}()
	p.Stop(t)
	same(t, string(c.answer(waits).Body), resultFAIL)
	if n := p.ready(t, c); n != 0 {
		t.Errorf("%d calls came back to the queue", n)
	}
}

// What is not under way at the end stays for the next.
func TestCallsDuringARestartAreAllAnsweredOnce(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	want := map[string]string{}
	publish := func(n int) {
		for range n {
			m := c.message(p.verify(), p.good(t))
			want[m.CorrelationId] = resultOK
			must(t, c.ch.Publish(exchange, p.verify(), false, false, m))
		}
	}
	publish(200)
	p.Stop(t)
	publish(20)
	p.Start(t)
	ids := slices.Collect(maps.Keys(want))
	must(t, c.collect(want))
	await(t, "the queue is empty", func() bool { return p.ready(t, c) == 0 })
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	if n := c.answered(ids...); n != 0 {
		t.Errorf("%d calls were answered twice", n)
	}
}

func TestABrokerThatGoesAwayAndComesBackIsAnsweredAgain(t *testing.T) {
	p := open(t)
	c := newCaller(t)
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	kept := c.message(p.verify(), p.good(t))
	rabbit.Stop(t)
	p.awaitReady(t, http.StatusServiceUnavailable)
	if status, _ := p.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d", status)
	}
	if stdout, stderr, code := p.Run(t, "check"); code == 0 || !strings.Contains(stdout+stderr, "bus") {
		t.Errorf("check with the broker away: %d\n%s%s", code, stdout, stderr)
	}
	rabbit.Start(t)
	p.awaitReady(t, http.StatusOK)
	c = newCaller(t)
	kept.ReplyTo = c.key
	c.publish(p.verify(), kept)
	same(t, string(c.answer(kept.CorrelationId).Body), resultOK)
	if n := strings.Count(p.Errors(), `"msg":"djauthy answers"`); n != 1 {
		t.Errorf("it was started %d times", n)
	}
	if n := strings.Count(p.Errors(), "bus: away"); n != 1 {
		t.Errorf("the log tells %d times that the broker is away, want once", n)
	}
}

func TestAStartWithoutTheBrokerConnectsOnceItIsThere(t *testing.T) {
	p := prepare(t)
	port := program.Port(t)
	p.Set("BUS_URL=" + at(port))
	p.Start(t)
	p.awaitReady(t, http.StatusServiceUnavailable)
	openTap(t, port)
	p.awaitReady(t, http.StatusOK)
	same(t, newCaller(t).call(p.verify(), p.good(t)), resultOK)
}

// A connection that breaks without a word, before the acknowledgement is there:
// the broker gives the call out again, and its answer comes again. It breaks once the
// first answer is there: what is under way when a connection breaks may be lost as well.
func TestACallWhoseAcknowledgementIsLostIsAnsweredAgain(t *testing.T) {
	p := prepare(t)
	port := program.Port(t)
	p.Set("BUS_URL=" + at(port))
	line := openTap(t, port)
	p.Start(t)
	p.awaitReady(t, http.StatusOK)
	c := newCaller(t)
	lose := line.breakAt(basicAck)
	defer lose()
	id := c.send(p.verify(), p.good(t))
	same(t, string(c.answer(id).Body), resultOK)
	lose()
	same(t, string(c.answer(id).Body), resultOK)
	await(t, "the queue is empty", func() bool { return p.ready(t, c) == 0 })
	p.awaitReady(t, http.StatusOK)
}

func TestCheckTriesTheBroker(t *testing.T) {
	p := prepare(t)
	c := newCaller(t)
	if stdout, stderr, code := p.Run(t, "check"); code != 0 || !strings.Contains(stdout, "bus") {
		t.Errorf("check: %d\n%s%s", code, stdout, stderr)
	}
	other := p.name + "-x"
	_, err := c.ch.QueueDeclare("rpc-"+other, true, false, false, false, amqp.Table{"x-expires": int32(60000)})
	must(t, err)
	p.Set("BUS_SERVICES=" + other)
	if stdout, stderr, code := p.Run(t, "check"); code == 0 || !strings.Contains(stdout+stderr, other) {
		t.Errorf("check with a queue that another made otherwise: %d\n%s%s", code, stdout, stderr)
	}
	p.Set("BUS_URL=amqp://guest:wrong@" + rabbit.Address(t) + "/")
	if stdout, stderr, code := p.Run(t, "check"); code == 0 || strings.Contains(stdout+stderr, "guest:wrong") {
		t.Errorf("check with a wrong password: %d\n%s%s", code, stdout, stderr)
	}
}
