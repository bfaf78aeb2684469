package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// sink is an SMTP server that keeps nothing: it takes the code out of each
// message and hands it to the browser that waits for it. It runs in the
// driver's process, so that its work is never counted as a server's.
type sink struct {
	listener net.Listener
	mu       sync.Mutex
	waiting  map[string]chan string
	length   int // of the newest message
	conns    map[net.Conn]bool
}

// mailTimeout is how long a browser waits for its message; later is a failure.
const mailTimeout = 10 * time.Second

func openSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open SMTP sink: %w", err)
	}
	s := &sink{listener: l, waiting: map[string]chan string{}, conns: map[net.Conn]bool{}}
	go s.accept()
	return s, nil
}

func (s *sink) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *sink) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// expect says that a message to address is about to be caused.
func (s *sink) expect(address string) <-chan string {
	c := make(chan string, 1)
	s.mu.Lock()
	s.waiting[address] = c
	s.mu.Unlock()
	return c
}

func (s *sink) forget(address string) {
	s.mu.Lock()
	delete(s.waiting, address)
	s.mu.Unlock()
}

func (s *sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		go func() {
			s.serve(conn)
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		}()
	}
}

// serve speaks as much SMTP (RFC 5321) as a client with kept connections uses. Replies to
// commands that came together leave together (RFC 2920 3.2), as those of Postfix do.
func (s *sink) serve(conn net.Conn) {
	r, w := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriter(conn)
	say := func(text string) bool {
		_, err := w.WriteString(text)
		if err == nil && r.Buffered() == 0 {
			err = w.Flush()
		}
		return err == nil
	}
	if !say("220 localhost ESMTP\r\n") {
		return
	}
	var to string
	var message []byte
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		reply := "250 OK\r\n"
		switch strings.ToUpper(verb) {
		case "EHLO":
			reply = "250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
		case "RCPT":
			to = between(rest, '<', '>')
		case "DATA":
			if !say("354 go on\r\n") {
				return
			}
			if message, err = readData(r, message[:0]); err != nil {
				return
			}
			s.deliver(to, message)
		case "QUIT":
			say("221 bye\r\n")
			return
		}
		if !say(reply) {
			return
		}
	}
}

func between(s string, open, end byte) string {
	i, j := strings.IndexByte(s, open), strings.IndexByte(s, end)
	if i < 0 || j < i {
		return ""
	}
	return s[i+1 : j]
}

// readData reads up to the line that holds a dot alone.
func readData(r *bufio.Reader, message []byte) ([]byte, error) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return message, err
		}
		if len(line) == 3 && line[0] == '.' {
			return message, nil
		}
		message = append(message, line...)
	}
}

func (s *sink) deliver(to string, message []byte) {
	s.mu.Lock()
	waited := s.waiting[to] != nil
	s.length = len(message)
	s.mu.Unlock()
	if !waited {
		return
	}
	code, err := firstLine(message)
	if err != nil {
		code = ""
	}
	s.deliverCode(to, code)
}

// errNoText reports a message in which no code can be found.
var errNoText = errors.New("message without a text part")

// firstLine is the first line of a message's text part, which comes first:
// the code, alone.
func firstLine(message []byte) (string, error) {
	const blankLine = "\r\n\r\n"
	i := bytes.Index(message, []byte("text/plain"))
	if i < 0 {
		return "", errNoText
	}
	j := bytes.Index(message[i:], []byte(blankLine))
	if j < 0 {
		return "", errNoText
	}
	line, _, _ := bytes.Cut(message[i+j+len(blankLine):], []byte("\r\n"))
	// The part's headers may stand before or after its Content-Type.
	from := max(0, bytes.LastIndex(message[:i], []byte(blankLine)))
	if !bytes.Contains(message[from:i+j], []byte("base64")) {
		return string(bytes.TrimSpace(line)), nil
	}
	text, err := base64.StdEncoding.DecodeString(string(line))
	if err != nil {
		return "", fmt.Errorf("decode text part: %w", err)
	}
	line, _, _ = bytes.Cut(text, []byte("\n"))
	return string(bytes.TrimSpace(line)), nil
}
