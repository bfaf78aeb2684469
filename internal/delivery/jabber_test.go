package delivery_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/delivery/deliverytest"
)

func newJabber(t *testing.T, j delivery.Jabber) delivery.Sender {
	t.Helper()
	s, err := delivery.NewJabber(j)
	check(t, err)
	return s
}

func chat(n int) delivery.Worded {
	return delivery.Worded{ID: fmt.Sprintf("%x", n), To: "ann@localhost", Subject: "123456 is your code", Text: "123456\n\nA \"line\" & <another>.\n", Code: "123456"}
}

func TestAMessageArrivesByJabberFromAClientAndAComponent(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *deliverytest.JabberHost{
		"prosody": func(t *testing.T) *deliverytest.JabberHost {
			return &deliverytest.OpenProsody(t, "login", "ann").JabberHost
		},
		"ejabberd": func(t *testing.T) *deliverytest.JabberHost { return deliverytest.OpenEjabberd(t, "login", "ann") },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			arrived := h.Listen(t)
			want(t, deliverytest.Next(t, arrived).Here, true)
			for from, j := range map[string]delivery.Jabber{"login@localhost": h.Client(), "codes@login.localhost": h.AsComponent()} {
				s := newJabber(t, j)
				for n := range 3 {
					check(t, send(t.Context(), s, chat(n+1)))
					m := deliverytest.Next(t, arrived)
					m.ID, _, _ = strings.Cut(m.ID, ".")
					m.Full = ""
					want(t, m, deliverytest.Chat{ID: fmt.Sprintf("%x", n+1), From: from, Type: "chat", Subject: chat(1).Subject, Body: chat(1).Text})
				}
				check(t, s.Check(t.Context()))
				check(t, newJabber(t, j).Check(t.Context())) // beside the running stream
				check(t, send(t.Context(), s, chat(9)))
				want(t, strings.HasPrefix(deliverytest.Next(t, arrived).ID, "9."), true)
				nobody := chat(10)
				nobody.To = "nobody@localhost"
				want(t, refusal(t, send(t.Context(), s, nobody)).Said, "service-unavailable")
				j.Secret = "wrong-wrong"
				want(t, refusal(t, send(t.Context(), newJabber(t, j), chat(11))).Lasting, true)
			}
		})
	}
}

// Several streams of a component get what comes back by turns.
func TestACheckTakesNothingThatComesBackToAComponent(t *testing.T) {
	h := deliverytest.OpenEjabberd(t, "login")
	s := newJabber(t, h.AsComponent())
	for n := range 30 {
		check(t, newJabber(t, h.AsComponent()).Check(t.Context()))
		nobody := chat(n)
		nobody.To = "nobody@localhost"
		want(t, refusal(t, send(t.Context(), s, nobody)).Said, "service-unavailable")
	}
}

func TestAMessageThatComesBackIsARefusalWithoutTheAddress(t *testing.T) {
	p := deliverytest.OpenProsody(t, "login")
	for _, j := range []delivery.Jabber{p.Client(), p.AsComponent()} {
		w := chat(1)
		w.To = "nobody@localhost"
		se := refusal(t, send(t.Context(), newJabber(t, j), w))
		want(t, se.Permanent, true)
		want(t, se.Down, false)
		want(t, se.Said, "service-unavailable")
	}
}

func TestAJabberServerThatLetsNobodyInIsTold(t *testing.T) {
	p := deliverytest.OpenProsody(t, "login")
	_, other := deliverytest.SelfSigned(t, "localhost")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	nobody := l.Addr().String()
	check(t, l.Close())
	for name, c := range map[string]struct {
		change  func(*delivery.Jabber)
		lasting bool
		says    string
	}{
		"wrong password":    {func(j *delivery.Jabber) { j.Secret = "wrong-wrong" }, true, "jabber.password"},
		"wrong user":        {func(j *delivery.Jabber) { j.ID = "stranger@localhost" }, true, "jabber.password"},
		"wrong authority":   {func(j *delivery.Jabber) { j.CA = other }, true, "jabber.ca"},
		"system's":          {func(j *delivery.Jabber) { j.CA = nil }, true, "jabber.ca"},
		"another's name":    {func(j *delivery.Jabber) { j.ID = "login@example.org" }, false, ""},
		"nobody listens":    {func(j *delivery.Jabber) { j.Server = nobody }, false, "connection refused"},
		"no such host":      {func(j *delivery.Jabber) { j.Server = "jabber.invalid:5222" }, false, "jabber.server"},
		"component's wrong": {func(j *delivery.Jabber) { *j = p.AsComponent(); j.Secret = "wrong-wrong" }, true, "jabber.password"},
	} {
		t.Run(name, func(t *testing.T) {
			j := p.Client()
			c.change(&j)
			s := newJabber(t, j)
			se := refusal(t, send(t.Context(), s, chat(1)))
			want(t, se.Down, true)
			if se.Lasting != c.lasting {
				t.Errorf("lasting %v: %s", se.Lasting, se.Reason)
			}
			if !strings.Contains(se.Reason, c.says) || strings.Contains(se.Error(), j.Secret) {
				t.Errorf("the reason is %q", se.Reason)
			}
			if s.Check(t.Context()) == nil {
				t.Error("Check finds nothing wrong")
			}
		})
	}
}

func TestAJabberServerThatStallsIsGivenUpWithTheContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	for _, id := range []string{"login@localhost", "login.localhost"} {
		s := newJabber(t, delivery.Jabber{ID: id, Secret: deliverytest.Secret, Server: l.Addr().String()})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		begun := time.Now()
		se := refusal(t, send(ctx, s, chat(1)))
		cancel()
		want(t, se.Down, true)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s takes %v", id, took)
		}
	}
}

// A restart makes messages late. What counts as sent has arrived.
func TestARestartOfTheJabberServerLosesNothing(t *testing.T) {
	for name, with := range map[string]syscall.Signal{"clean": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			p := deliverytest.OpenProsody(t, "login", "ann")
			s := newJabber(t, p.Client())
			check(t, send(t.Context(), s, chat(1)))
			p.Stop(with)
			want(t, refusal(t, send(t.Context(), s, chat(2))).Down, true)
			p.Start(t)
			deliverytest.Until(t, "no message can be sent", func() bool { return send(t.Context(), s, chat(3)) == nil })
			arrived := p.Listen(t) // kept for her while she was away
			ids := map[string]bool{}
			for !ids["1"] || !ids["3"] {
				id, _, _ := strings.Cut(deliverytest.Next(t, arrived).ID, ".")
				ids[id] = true
			}
		})
	}
}

func TestAJabberServerThatIsAwayIsNotDialledAllTheTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	dials := make(chan bool, 10_000)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dials <- true
			_ = c.Close()
		}
	}()
	s := newJabber(t, delivery.Jabber{ID: "login@localhost", Secret: deliverytest.Secret, Server: l.Addr().String()})
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		want(t, refusal(t, send(t.Context(), s, chat(1))).Down, true)
	}
	if n := len(dials); n < 2 || n > 8 {
		t.Errorf("dialled %d times in a second", n)
	}
}

// Whatever becomes of the server, a message that counts as sent has arrived.
func TestWhatCountsAsSentByJabberHasArrived(t *testing.T) {
	for name, way := range map[string]func(*deliverytest.Prosody) delivery.Jabber{
		"client":    func(p *deliverytest.Prosody) delivery.Jabber { return p.Client() },
		"component": func(p *deliverytest.Prosody) delivery.Jabber { return p.AsComponent() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const messages, restarts = 400, 4
			p := deliverytest.OpenProsody(t, "login", "ann")
			s := newJabber(t, way(p))
			var sent atomic.Int32
			done := sendAll(t, s, messages, &sent)
			for i := range restarts {
				deliverytest.Until(t, "no more messages are sent", func() bool { return int(sent.Load()) >= messages*(i+1)/(restarts+2) })
				p.Stop([]syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i%2])
				p.Start(t)
			}
			done()
			arrived := p.Listen(t) // kept for her while she was away
			for seen := map[string]bool{}; len(seen) < messages; {
				if id, _, isMessage := strings.Cut(deliverytest.Next(t, arrived).ID, "."); isMessage {
					seen[id] = true
				}
			}
		})
	}
}

// sendAll sends messages from several goroutines, each until it counts as sent, and counts
// them. done waits for the last.
func sendAll(t *testing.T, s delivery.Sender, messages int, sent *atomic.Int32) (done func()) {
	t.Helper()
	var next atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := int(next.Add(1)); n <= messages; n = int(next.Add(1)) {
				for send(t.Context(), s, chat(n)) != nil && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				sent.Add(1)
			}
		})
	}
	return wg.Wait
}

// A stranger's address that the library does not take ends no stream.
func TestAQuestionFromAnOddAddressEndsNoJabberStream(t *testing.T) {
	p := deliverytest.OpenProsody(t, "login", "ann")
	arrived := p.ListenAs(t, "ann@localhost/\u1100")
	want(t, deliverytest.Next(t, arrived).Here, true)
	s := newJabber(t, p.Client())
	check(t, send(t.Context(), s, chat(1)))
	first := deliverytest.Next(t, arrived).Full
	for n := range 5 {
		time.Sleep(50 * time.Millisecond) // until the question is there
		check(t, send(t.Context(), s, chat(n+2)))
		want(t, deliverytest.Next(t, arrived).Full, first)
	}
}
