package bus_test

import (
	be "encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// Methods of AMQP 0-9-1 by class and method.
const (
	connectionTuneOk = 10<<16 | 31
	exchangeDeclare  = 40<<16 | 10
	queueDeclare     = 50<<16 | 10
	queueBind        = 50<<16 | 20
	basicQos         = 60<<16 | 10
	basicConsume     = 60<<16 | 20
	basicPublish     = 60<<16 | 40
	basicDeliver     = 60<<16 | 60
	basicAck         = 60<<16 | 80
)

// tap is a way to the broker that writes down which methods pass.
type tap struct {
	mu    sync.Mutex
	seen  []method
	cutAt uint32        // the connection is lost in place of this method of the client; 0: never
	cut   chan struct{} // closed when it is to be lost
	lines []net.Conn
}

// method is a frame of AMQP that is one.
type method struct {
	fromClient bool
	id         uint32
	args       []byte
}

func at(port int) string { return fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", port) }

// openTap opens a way to the broker on a port until the test ends.
func openTap(t *testing.T, port int) *tap {
	t.Helper()
	address := rabbit.Address(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	must(t, err)
	w := &tap{}
	t.Cleanup(func() {
		_ = l.Close()
		w.close()
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.join(client, address)
		}
	}()
	return w
}

// join connects a client with the broker.
func (w *tap) join(client net.Conn, address string) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		_ = client.Close()
		return
	}
	w.mu.Lock()
	w.lines = append(w.lines, client, server)
	w.mu.Unlock()
	go func() {
		_ = w.pass(client, server, false)
		_, _ = client.Close(), server.Close()
	}()
	// "AMQP" and the version
	if _, err := io.CopyN(server, client, 8); err == nil {
		_ = w.pass(server, client, true)
	}
	_, _ = client.Close(), server.Close()
}

// pass hands frames on until an end is closed.
func (w *tap) pass(to io.Writer, from io.Reader, fromClient bool) error {
	head := make([]byte, 7)
	for {
		if _, err := io.ReadFull(from, head); err != nil {
			return err
		}
		rest := make([]byte, be.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(from, rest); err != nil {
			return err
		}
		if head[0] == 1 {
			if cut := w.note(method{fromClient, be.BigEndian.Uint32(rest), rest[4 : len(rest)-1]}); cut != nil {
				<-cut
				return io.ErrClosedPipe
			}
		}
		if _, err := to.Write(append(slices.Clone(head), rest...)); err != nil {
			return err
		}
	}
}

// note writes a method down and returns nil; or, if the connection is to be lost in place of this
// method, a channel that is closed when it is time.
func (w *tap) note(m method) (cut <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.fromClient && m.id == w.cutAt {
		w.cutAt = 0
		return w.cut
	}
	w.seen = append(w.seen, m)
	return nil
}

// breakAt holds the next method of this kind back and all that the client sends after it.
// The function it returns loses the connection then.
func (w *tap) breakAt(id uint32) (lose func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutAt, w.cut = id, make(chan struct{})
	return sync.OnceFunc(func() { close(w.cut) })
}

// close loses all connections.
func (w *tap) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.lines {
		_ = line.Close()
	}
}

// methods are those of these kinds that passed, in their order.
func (w *tap) methods(ids ...uint32) (all []method) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.seen {
		if slices.Contains(ids, m.id) {
			all = append(all, m)
		}
	}
	return all
}

// words is a short string at an offset of the arguments, and where it ends.
func (m method) words(from int) (string, int) {
	end := from + 1 + int(m.args[from])
	return string(m.args[from+1 : end]), end
}

// What is not seen on either end of the broker, at the wire.
func TestOnTheWireItIsAsThatOfNameko(t *testing.T) {
	p := prepare(t)
	port := program.Port(t)
	p.Set("BUS_URL=" + at(port))
	line := openTap(t, port)
	p.Start(t)
	p.awaitReady(t, 200)
	c := newCaller(t)
	same(t, c.call(p.verify(), p.good(t)), resultOK)
	same(t, c.call(p.name+".nothing", p.good(t)), exception("MethodNotFound", "nothing"))
	await(t, "both are acknowledged", func() bool { return len(acknowledged(line)) == 2 })

	tune := line.methods(connectionTuneOk)[0].args // channels 2, frame 4, heartbeat 2 bytes
	if seconds := be.BigEndian.Uint16(tune[6:]); seconds != 60 {
		t.Errorf("heartbeat %d s, want 60", seconds)
	}
	qos := line.methods(basicQos)[0].args // size 4, count 2 bytes, global
	if count := be.BigEndian.Uint16(qos[4:]); count != 10 {
		t.Errorf("prefetch %d, want 10", count)
	}
	consume := line.methods(basicConsume)[0] // reserved 2 bytes, queue, tag, flags
	queue, end := consume.words(2)
	_, end = consume.words(end)
	if flags := consume.args[end]; queue != "rpc-"+p.name || flags&0b110 != 0 {
		t.Errorf("consumes %q with flags %03b, want neither no-ack nor exclusive", queue, flags)
	}
	for _, m := range line.methods(basicPublish) {
		if !m.fromClient {
			continue
		}
		to, end := m.words(2) // reserved 2 bytes, exchange, key, flags
		key, end := m.words(end)
		if to != exchange || key != c.key || m.args[end] != 0 {
			t.Errorf("answered to exchange %q, key %q, flags %02b, want neither mandatory nor immediate", to, key, m.args[end])
		}
	}
}

// The broker compares the arguments it knows and no others, so what passes is
// looked at.
func TestNothingIsDeclaredWithAnArgument(t *testing.T) {
	p := prepare(t)
	port := program.Port(t)
	p.Set("BUS_URL=" + at(port))
	line := openTap(t, port)
	p.Start(t)
	p.awaitReady(t, 200)
	const durable = 1 << 1 // 1<<0 is passive; auto-delete, internal or exclusive, and no-wait follow
	none := "\x00\x00\x00\x00"
	word := func(s string) string { return string(rune(len(s))) + s }
	queue := word("rpc-" + p.name)
	for id, want := range map[uint32]string{
		exchangeDeclare: "\x00\x00" + word("nameko-rpc") + word("topic") + string(rune(durable)) + none,
		queueDeclare:    "\x00\x00" + queue + string(rune(durable)) + none,
		queueBind:       "\x00\x00" + queue + word("nameko-rpc") + word(p.name+".*") + "\x00" + none,
	} {
		all := line.methods(id)
		if len(all) != 1 {
			t.Errorf("%d.%d passed %d times, want once", id>>16, id&0xffff, len(all))
			continue
		}
		if got := string(all[0].args); got != want {
			t.Errorf("%d.%d has %q, want %q", id>>16, id&0xffff, got, want)
		}
	}
}

// acknowledged are the client's acknowledgements.
func acknowledged(line *tap) (all []method) {
	for _, m := range line.methods(basicAck) {
		if m.fromClient {
			all = append(all, m)
		}
	}
	return all
}

// Between a call and its acknowledgement lies the answer, on the same channel,
// whose order the broker keeps.
func TestACallIsAcknowledgedOnceItsAnswerIsPublished(t *testing.T) {
	p := prepare(t)
	port := program.Port(t)
	p.Set("BUS_URL=" + at(port))
	line := openTap(t, port)
	p.Start(t)
	p.awaitReady(t, 200)
	c := newCaller(t)
	for n := 1; n <= 5; n++ { // one after the other, so that their order tells
		c.call(p.verify(), p.good(t))
		await(t, "it is acknowledged", func() bool { return len(acknowledged(line)) == n })
	}
	want := []method{{false, basicDeliver, nil}, {true, basicPublish, nil}, {true, basicAck, nil}}
	got := line.methods(basicDeliver, basicPublish, basicAck)
	if len(got) != 5*len(want) {
		t.Fatalf("%d methods passed, want %d", len(got), 5*len(want))
	}
	for i, m := range got {
		if w := want[i%len(want)]; m.id != w.id || m.fromClient != w.fromClient {
			t.Errorf("method %d is %d.%d, from the client %t; want %d.%d", i, m.id>>16, m.id&0xffff, m.fromClient, w.id>>16, w.id&0xffff)
		}
	}
}
