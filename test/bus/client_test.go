package bus_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/client/otp/bus"
	"github.com/djauthy/djauthy/test/program"
)

func (a app) asCaller() bus.App { return bus.App{UUID: a.UUID, Seed: a.Seed} }

// goCaller is a caller of client/otp/bus for the place.
func (p *place) goCaller(t *testing.T, url string) *bus.Caller {
	t.Helper()
	c, err := bus.Dial(url, p.name)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() }) // tests close some themselves
	return c
}

// queueOfADeadService declares what the service leaves at the broker when it goes down.
func (p *place) queueOfADeadService(t *testing.T) {
	t.Helper()
	ch := newCaller(t).ch
	_, err := ch.QueueDeclare("rpc-"+p.name, true, false, false, false, nil)
	must(t, err)
	must(t, ch.QueueBind("rpc-"+p.name, p.name+".*", exchange, false, nil))
}

func TestTheGoCallerVerifies(t *testing.T) {
	p := open(t)
	c := p.goCaller(t, rabbit.URL(t))
	for _, x := range []struct {
		what        string
		by          app
		uuid, token string
		want        bool
	}{
		{"right", p.shop, p.lab.UUID, p.lab.token(t), true},
		{"wrong token", p.shop, p.lab.UUID, p.lab.wrong(t), false},
		{"no UUID", p.shop, "lab", p.lab.token(t), false},
		{"not trusted", p.lab, p.shop.UUID, p.shop.token(t), false},
		{"wrong seed", app{p.shop.UUID, p.door.Seed}, p.lab.UUID, p.lab.token(t), false},
	} {
		if ok, err := c.Verify(t.Context(), x.by.asCaller(), x.uuid, x.token); ok != x.want || err != nil {
			t.Errorf("%s: %t, %v, want %t", x.what, ok, err, x.want)
		}
	}
	if _, err := c.Verify(t.Context(), bus.App{UUID: p.shop.UUID, Seed: "no base32!"}, p.lab.UUID, "1"); !errors.Is(err, otp.ErrSeed) {
		t.Errorf("a seed that is none: %v", err)
	}
}

func TestTheGoCallerNamesAnExceptionOfTheService(t *testing.T) {
	p := open(t)
	c := p.goCaller(t, rabbit.URL(t))
	for _, x := range []struct {
		method string
		args   []any
		kwargs map[string]any
		want   bus.RemoteError
	}{
		{"nothing", nil, nil, bus.RemoteError{Type: "MethodNotFound", Value: "nothing"}},
		{"verify", nil, nil, bus.RemoteError{Type: "IncorrectSignature"}},
		{"verify", []any{1, 2, 3, 4}, map[string]any{"token": 1}, bus.RemoteError{Type: "IncorrectSignature"}},
	} {
		_, err := c.Call(t.Context(), x.method, x.args, x.kwargs)
		var remote *bus.RemoteError
		if !errors.As(err, &remote) || remote.Type != x.want.Type || x.want.Value != "" && remote.Value != x.want.Value {
			t.Errorf("%s%v%v: %v, want %v", x.method, x.args, x.kwargs, err, &x.want)
		}
	}
}

func TestTheGoCallerWaitsNoLongerThanItsContext(t *testing.T) {
	p := prepare(t)
	p.queueOfADeadService(t)
	silent := p.goCaller(t, rabbit.URL(t))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := silent.Verify(ctx, p.shop.asCaller(), p.lab.UUID, p.lab.token(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody answers: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := silent.Verify(ctx, p.shop.asCaller(), p.lab.UUID, p.lab.token(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
}

// A call to a name that nobody has ends at once, whatever else the connection carries.
func TestTheGoCallerSaysAtOnceThatNobodyAnswersToAName(t *testing.T) {
	p := open(t)
	c, err := bus.Dial(rabbit.URL(t), "nobody-is-called-so")
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				_, err := c.Verify(ctx, p.shop.asCaller(), p.lab.UUID, p.lab.token(t))
				cancel()
				if unknown := (*bus.UnknownServiceError)(nil); !errors.As(err, &unknown) || unknown.Service != "nobody-is-called-so" || !strings.Contains(err.Error(), "bus.services") {
					t.Errorf("%v, want that nobody answers", err)
					return
				}
			}
		})
	}
	all.Wait()
}

// What comes for a call but is no answer ends it, too.
func TestTheGoCallerNamesAnAnswerThatIsNone(t *testing.T) {
	p := prepare(t)
	p.queueOfADeadService(t)
	service := newCaller(t)
	calls, err := service.ch.Consume("rpc-"+p.name, "", true, false, false, false, nil)
	must(t, err)
	c := p.goCaller(t, rabbit.URL(t))
	for _, x := range []struct{ body, says string }{
		{"no JSON", "none of nameko's"}, {`{"result":"` + strings.Repeat("x", 1<<20) + `"}`, "longer than 1048576 bytes"}, {`{"result":{"status":"OK"},"error":null}`, ""},
	} {
		done := make(chan error, 1)
		go func() {
			_, err := c.Call(t.Context(), "verify", nil, nil)
			done <- err
		}()
		call := <-calls
		must(t, service.ch.PublishWithContext(t.Context(), exchange, call.ReplyTo, false, false, amqp.Publishing{CorrelationId: call.CorrelationId, Body: []byte(x.body)}))
		if err := <-done; (err == nil) != (x.says == "") || err != nil && !strings.Contains(err.Error(), x.says) {
			t.Errorf("%.20s: %v, want %q", x.body, err, x.says)
		}
	}
}

// An answer that comes when nobody waits for it any more is not that of the next
// call.
func TestALateAnswerIsNotTakenForAnother(t *testing.T) {
	p := open(t)
	c := p.goCaller(t, rabbit.URL(t))
	release := p.hold(t)
	ctx, cancel := context.WithCancel(t.Context())
	late := make(chan error, 1)
	go func() {
		_, err := c.Verify(ctx, p.shop.asCaller(), p.lab.UUID, p.lab.wrong(t))
		late <- err
	}()
	if ok, err := c.Verify(t.Context(), p.shop.asCaller(), p.lab.UUID, p.lab.token(t)); !ok || err != nil {
		t.Errorf("beside one that waits: %t, %v", ok, err)
	}
	cancel()
	if err := <-late; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	release()
	for range 10 {
		if ok, err := c.Verify(t.Context(), p.shop.asCaller(), p.lab.UUID, p.lab.token(t)); !ok || err != nil {
			t.Errorf("after one that came late: %t, %v", ok, err)
		}
	}
}

func TestManyMayShareAGoCaller(t *testing.T) {
	p := open(t)
	c := p.goCaller(t, rabbit.URL(t))
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			for i := range 20 {
				method := "m-" + strconv.Itoa(n) + "-" + strconv.Itoa(i)
				var remote *bus.RemoteError
				if _, err := c.Call(t.Context(), method, nil, nil); !errors.As(err, &remote) || remote.Value != method {
					t.Errorf("the answer to %s is %v", method, err)
				}
				if ok, err := c.Verify(t.Context(), p.shop.asCaller(), p.lab.UUID, p.lab.token(t)); !ok || err != nil {
					t.Errorf("%t, %v", ok, err)
				}
			}
		})
	}
	all.Wait()
}

func TestACallThatWaitsEndsWhenTheConnectionIsLost(t *testing.T) {
	p := prepare(t)
	port := program.Port(t)
	line := openTap(t, port)
	c := p.goCaller(t, at(port))
	p.queueOfADeadService(t)
	under := make(chan error, 1)
	go func() {
		_, err := c.Call(t.Context(), "verify", nil, nil)
		under <- err
	}()
	await(t, "the call is sent", func() bool { return len(line.methods(basicPublish)) == 1 })
	line.close()
	select {
	case err := <-under:
		if !errors.Is(err, bus.ErrClosed) {
			t.Errorf("a call that waits: %v", err)
		}
	case <-time.After(limit):
		t.Fatal("a call still waits though the connection is lost")
	}
	if _, err := c.Verify(t.Context(), p.shop.asCaller(), p.lab.UUID, "1"); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("a later call: %v", err)
	}
}

// At every moment of the loss the error is the one that says to dial again.
func TestWheneverTheConnectionIsLostTheGoCallerSaysSo(t *testing.T) {
	p := open(t)
	port := program.Port(t)
	line := openTap(t, port)
	for range 20 {
		c := p.goCaller(t, at(port))
		before := len(line.methods(basicPublish))
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for n := 0; ; n++ {
					_, err := c.Call(t.Context(), "nothing", nil, nil)
					if remote := (*bus.RemoteError)(nil); errors.As(err, &remote) {
						continue
					}
					if !errors.Is(err, bus.ErrClosed) {
						t.Errorf("after %d calls: %v, want ErrClosed", n, err)
					}
					return
				}
			})
		}
		await(t, "some calls are sent", func() bool { return len(line.methods(basicPublish)) > before+20 })
		line.close()
		all.Wait()
		if t.Failed() {
			return
		}
	}
}

func TestAGoCallerThatIsClosedSaysSo(t *testing.T) {
	p := open(t)
	c := p.goCaller(t, rabbit.URL(t))
	must(t, c.Close())
	if _, err := c.Call(t.Context(), "verify", nil, nil); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("a call after Close: %v", err)
	}
}

func TestACallThatWaitsEndsWithClose(t *testing.T) {
	p := open(t)
	defer p.hold(t)()
	port := program.Port(t)
	line := openTap(t, port)
	c := p.goCaller(t, at(port))
	under := make(chan error, 1)
	go func() {
		_, err := c.Verify(t.Context(), p.shop.asCaller(), p.lab.UUID, p.lab.wrong(t))
		under <- err
	}()
	await(t, "the call is sent", func() bool { return len(line.methods(basicPublish)) == 1 })
	must(t, c.Close())
	if err := <-under; !errors.Is(err, bus.ErrClosed) {
		t.Errorf("a call under way at Close: %v", err)
	}
}

func TestDialSaysThatNobodyIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	if _, err := bus.Dial(at(l.Addr().(*net.TCPAddr).Port), "ungleichotp"); err == nil {
		t.Error("no error")
	}
	if _, err := bus.Dial("amqp://guest:wrong@"+rabbit.Address(t)+"/", "ungleichotp"); err == nil {
		t.Error("no error with a wrong password")
	}
}
