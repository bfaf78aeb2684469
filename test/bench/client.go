package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// client is one kept HTTP/1.1 connection. It is written by hand because the
// driver has one CPU and must not be what limits the servers: a general client
// costs more than the smallest answers it would measure.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

// answer is what the bench looks at in a response.
type answer struct {
	status   int
	location string
	cookies  []string // Set-Cookie values up to the first semicolon
	body     int
	keep     bool   // wanted: text
	text     []byte // the body
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 32<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() } // nothing is lost: every answer was read

// do sends a whole request and reads its answer. a is overwritten.
func (c *client) do(request []byte, a *answer) error {
	if err := c.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	if err := c.read(a); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

func (c *client) read(a *answer) error {
	*a = answer{cookies: a.cookies[:0], keep: a.keep, text: a.text[:0]}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < len("HTTP/1.1 200") {
		return fmt.Errorf("not HTTP: %q", line)
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return err
	}
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if err := a.header(line); err != nil {
			return err
		}
	}
	if a.keep {
		a.text = slices.Grow(a.text, a.body)[:a.body]
		_, err = io.ReadFull(c.r, a.text)
		return err
	}
	_, err = c.r.Discard(a.body)
	return err
}

func (a *answer) header(line []byte) (err error) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimLeft(value, " ")
	is := func(header string) bool { return strings.EqualFold(string(name), header) }
	switch {
	case is("Content-Length"):
		a.body, err = strconv.Atoi(string(value))
	case is("Set-Cookie"):
		pair, _, _ := bytes.Cut(value, []byte(";"))
		a.cookies = append(a.cookies, string(pair))
	case is("Location"):
		a.location = string(value)
	case is("Transfer-Encoding"):
		err = errors.New("chunked answers are not understood")
	}
	return err
}

// get fetches one path over a connection of its own.
func get(addr, path string) (int, error) {
	c, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer c.close()
	var a answer
	err = c.do([]byte("GET "+path+" HTTP/1.1\r\nHost: "+addr+"\r\n\r\n"), &a)
	return a.status, err
}
