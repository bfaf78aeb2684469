package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// browser signs people in over one kept connection. Every sign-in starts with
// no cookies, as in a browser that was never here.
type browser struct {
	c       *client
	sink    *sink
	host    string
	cookies map[string]string
	pages   map[string]int // lengths of the pages seen, by path
	buf     []byte
	answer  answer
}

func newBrowser(addr string, s *sink) (*browser, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	return &browser{c: c, sink: s, host: strings.TrimPrefix(originAt(addr), "http://"), cookies: map[string]string{}, pages: map[string]int{}}, nil
}

// originAt is that of the pages of a server, by its name: WebAuthn knows no addresses.
func originAt(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return "http://localhost:" + port
}

func (b *browser) close() { b.c.close() }

// freshAddress is an address that was never seen. Its name is random, so that
// it falls anywhere in an index of addresses.
func freshAddress() string {
	return "p" + strconv.FormatUint(rand.Uint64(), 36) + "@people.example"
}

// signIn signs in by mail.
func (b *browser) signIn(address string) (string, error) { return b.signInBy(address, address) }

// signInBy walks the whole way: the page, the id, the message to an address, the code.
// It returns the session cookie as "name=value".
func (b *browser) signInBy(id, address string) (string, error) {
	clear(b.cookies)
	if err := b.want(200, "", "GET", "/login", ""); err != nil {
		return "", err
	}
	mail := b.sink.expect(address)
	if err := b.want(303, "/login/code", "POST", "/login", "id="+url.QueryEscape(id)); err != nil {
		b.sink.forget(address)
		return "", err
	}
	if err := b.want(200, "", "GET", "/login/code", ""); err != nil {
		b.sink.forget(address)
		return "", err
	}
	code, err := b.receive(mail, address)
	if err != nil {
		return "", err
	}
	if err := b.want(303, "", "POST", "/login/code", "auth_code="+code); err != nil {
		return "", err
	}
	session := b.cookies["djauthy"]
	if session == "" {
		return "", errors.New("signed in, but no session cookie")
	}
	return "djauthy=" + session, nil
}

func (b *browser) receive(mail <-chan string, address string) (string, error) {
	late := time.NewTimer(mailTimeout)
	defer late.Stop()
	select {
	case code := <-mail:
		if code == "" {
			return "", errNoText
		}
		return code, nil
	case <-late.C:
		b.sink.forget(address)
		return "", errors.New("no message within " + mailTimeout.String())
	}
}

// want makes a request and requires its status and, if to is not empty, where
// it leads.
func (b *browser) want(status int, to, method, path, form string) error {
	return b.wantBy("navigate", status, to, method, path, form)
}

// read fetches a page, or what its script reads, in a mode of Fetch ("navigate", "cors"). The
// text is good until the next request.
func (b *browser) read(mode, path string) ([]byte, error) {
	b.answer.keep = true
	defer func() { b.answer.keep = false }()
	err := b.wantBy(mode, 200, "", "GET", path, "")
	return b.answer.text, err
}

func (b *browser) wantBy(mode string, status int, to, method, path, form string) error {
	b.request(mode, method, path, form)
	if err := b.c.do(b.buf, &b.answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	for _, pair := range b.answer.cookies {
		name, value, _ := strings.Cut(pair, "=")
		b.cookies[name] = value
	}
	if b.answer.status != status {
		return fmt.Errorf("%s %s: status %d instead of %d", method, path, b.answer.status, status)
	}
	if method == "GET" {
		b.pages[path] = b.answer.body
	}
	if to != "" && b.answer.location != to && !strings.HasSuffix(b.answer.location, to) {
		return fmt.Errorf("%s %s: leads to %q instead of %q", method, path, b.answer.location, to)
	}
	return nil
}

// request fills buf with what a browser sends.
func (b *browser) request(mode, method, path, form string) {
	dest := "document"
	if mode != "navigate" {
		dest = "empty"
	}
	b.buf = fmt.Appendf(b.buf[:0], "%s %s HTTP/1.1\r\nHost: %s\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"+
		"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n"+
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: %s\r\nSec-Fetch-Dest: %s\r\n", method, path, b.host, mode, dest)
	if len(b.cookies) > 0 {
		b.buf = append(b.buf, "Cookie: "...)
		sep := ""
		for name, value := range b.cookies {
			if value == "" {
				continue
			}
			b.buf = fmt.Appendf(b.buf, "%s%s=%s", sep, name, value)
			sep = "; "
		}
		b.buf = append(b.buf, "\r\n"...)
	}
	if method == "POST" {
		b.buf = fmt.Appendf(b.buf, "Origin: http://%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", b.host, len(form))
	}
	b.buf = append(append(b.buf, "\r\n"...), form...)
}
