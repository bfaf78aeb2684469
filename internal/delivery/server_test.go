package delivery_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery"
)

// What a broken server does instead of replying.
const (
	hangUp = "hang up"
	stall  = "stall"
)

// server is a mail server that answers as a test wants. answer is asked about
// every step: "dial", a verb, or "sent" after the end of the data; "" is the
// right answer.
type server struct {
	listener net.Listener
	answer   func(step string, connection int) string
	over     chan struct{}
	// offers are what EHLO lists, "8BITMIME ENHANCEDSTATUSCODES PIPELINING SMTPUTF8" if nil.
	offers   []string
	tls      *tls.Config
	implicit bool
	// login answers AUTH; ask sends a challenge and returns the answer to it.
	login func(mechanism, first string, ask func(challenge string) string) string

	mu    sync.Mutex
	lines []string // every command, in order
	mails []envelope
	dials int
	wg    sync.WaitGroup
}

type envelope struct {
	helo, from string
	to         []string
	data       string
	connection int
}

func serve(t *testing.T, answer func(step string, connection int) string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	return start(t, &server{listener: l, answer: answer})
}

// start opens a server whose ways are set.
func start(t *testing.T, s *server) *server {
	t.Helper()
	if s.listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		s.listener = l
	}
	if s.answer == nil {
		s.answer = func(string, int) string { return "" }
	}
	if s.offers == nil {
		s.offers = []string{"8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING", "SMTPUTF8"}
	}
	l := s.listener
	s.over = make(chan struct{})
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		close(s.over)
		_ = l.Close()
		s.wg.Wait()
	})
	return s
}

// at replies to one step of every connection in one way.
func at(step, answer string) func(string, int) string {
	return func(s string, _ int) string {
		if s == step {
			return answer
		}
		return ""
	}
}

// sender reaches the server; with changes its settings.
func (s *server) sender(t *testing.T, with ...func(*delivery.SMTP)) delivery.Sender {
	t.Helper()
	settings := delivery.SMTP{
		Host: "127.0.0.1", Port: s.listener.Addr().(*net.TCPAddr).Port, TLS: "none",
		From: "Example <noreply@example.org>", Helo: "login.example.org", Timeout: 5 * time.Second,
	}
	for _, change := range with {
		change(&settings)
	}
	sender, err := delivery.NewSMTP(settings)
	check(t, err)
	return sender
}

func (s *server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.dials++
		n := s.dials
		s.mu.Unlock()
		s.wg.Go(func() {
			ended := make(chan struct{})
			go func() { // whatever it waits for, it ends with the test
				select {
				case <-s.over:
				case <-ended:
				}
				_ = c.Close()
			}()
			s.talk(c, n)
			close(ended)
		})
	}
}

var errOver = errors.New("over")

func (s *server) talk(c net.Conn, n int) {
	if s.implicit {
		c = tls.Server(c, s.tls)
	}
	in := bufio.NewReader(c)
	e := envelope{connection: n}
	say := func(step, right string, kept ...func()) error {
		s.mu.Lock()
		ask := s.answer
		s.mu.Unlock()
		answer := ask(step, n)
		if answer == "" || answer == hangUp {
			for _, fn := range kept {
				fn()
			}
		}
		switch answer {
		case hangUp:
			return errOver
		case stall:
			<-s.over
			return errOver
		case "":
			_, err := c.Write([]byte(right + "\r\n"))
			return err
		default:
			if _, err := c.Write([]byte(answer + "\r\n")); err != nil || strings.HasPrefix(answer, "421") {
				return errOver
			}
			if code, _, _ := strings.Cut(answer, " "); code < "300" { // another way to say yes
				for _, fn := range kept {
					fn()
				}
				return nil
			}
			return errors.ErrUnsupported
		}
	}
	if err := say("dial", "220 mx.example.org ESMTP"); errors.Is(err, errOver) {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.lines = append(s.lines, line)
		s.mu.Unlock()
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		switch verb {
		case "EHLO", "HELO":
			e.helo = rest
			err = say(verb, "250-"+strings.Join(append([]string{"mx.example.org"}, s.offers...), "\r\n250-")+"\r\n250 OK")
		case "STARTTLS":
			if err = say(verb, "220 go on"); err == nil {
				c = tls.Server(c, s.tls)
				in = bufio.NewReader(c)
			}
		case "AUTH":
			mechanism, first, _ := strings.Cut(rest, " ")
			var lost error
			answer := s.login(strings.ToUpper(mechanism), first, func(challenge string) string {
				_, _ = c.Write([]byte("334 " + challenge + "\r\n"))
				var line string
				line, lost = in.ReadString('\n')
				return strings.TrimRight(line, "\r\n")
			})
			if answer == hangUp || lost != nil {
				return
			}
			_, err = c.Write([]byte(answer + "\r\n"))
		case "MAIL":
			e = envelope{helo: e.helo, from: rest, connection: n}
			err = say(verb, "250 2.1.0 ok")
		case "RCPT":
			if err = say(verb, "250 2.1.5 ok"); err == nil {
				e.to = append(e.to, rest)
			}
		case "DATA":
			if err = say(verb, "354 go on"); err == nil {
				err = s.data(in, &e, say)
			}
		case "QUIT":
			_ = say(verb, "221 bye")
			return
		default: // RSET, NOOP
			err = say(verb, "250 2.0.0 ok")
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return
		}
	}
}

func (s *server) data(in *bufio.Reader, e *envelope, say func(string, string, ...func()) error) error {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	e.data = b.String()
	// A server that hangs up here has the message all the same.
	return say("sent", "250 2.0.0 queued", func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mails = append(s.mails, *e)
	})
}

// answers changes how the server replies from now on.
func (s *server) answers(answer func(step string, connection int) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) received() []envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]envelope(nil), s.mails...)
}

func (s *server) dialled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

func (s *server) said(verb string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if strings.HasPrefix(strings.ToUpper(l), verb) {
			n++
		}
	}
	return n
}
