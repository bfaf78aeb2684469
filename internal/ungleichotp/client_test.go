package ungleichotp_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// request is what a client writes.
type request struct {
	method, path string
	headers      []string // lines
	media        string   // "": no Content-Type
	body         string
	chunked      bool
}

// ask is a request with a JSON body; without fields it has none.
func ask(method, path string, f fields) request {
	q := request{method: method, path: path}
	if f == nil {
		return q
	}
	body, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	q.media, q.body = jsonMedia, string(body)
	return q
}

func (q request) header(lines ...string) request {
	q.headers = append(slices.Clone(q.headers), lines...)
	return q
}

// from is the request as it comes from a network address by a trusted proxy.
func (q request) from(address string) request { return q.header("X-Forwarded-For: " + address) }

func (q request) inChunks() request { q.chunked = true; return q }

// text is the request as it goes over the socket.
func (q request) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: login.example.org\r\n", q.method, q.path)
	for _, line := range q.headers {
		b.WriteString(line + "\r\n")
	}
	if q.media != "" {
		b.WriteString("Content-Type: " + q.media + "\r\n")
	}
	switch {
	case q.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for some := range slices.Chunk([]byte(q.body), len(q.body)/2+1) {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(some), some)
		}
		b.WriteString("0\r\n\r\n")
	case q.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(q.body), q.body)
	default:
		b.WriteString("\r\n")
	}
	return b.String()
}

// answer is what a client reads.
type answer struct {
	to     request
	status int
	header http.Header
	body   string // all that follows the headers, also where nothing may
}

// send sends a request on a connection of its own.
func (h *house) send(t testing.TB, q request) answer {
	t.Helper()
	a, err := h.exchange(q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return a
}

// exchange is send for a goroutine, which cannot end a test.
func (h *house) exchange(q request) (answer, error) {
	return h.exchangeText(q, q.header("Connection: close").text())
}

// exchangeText sends any text on a connection of its own, as the request q.
func (h *house) exchangeText(q request, text string) (answer, error) {
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return answer{}, err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return answer{}, err
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		return answer{}, err
	}
	return q.read(bufio.NewReader(bytes.NewReader(raw)), true)
}

// read reads the answer and, if it is the last, what comes after it.
func (q request) read(r *bufio.Reader, last bool) (a answer, err error) {
	res, err := http.ReadResponse(r, &http.Request{Method: q.method})
	if err != nil {
		return a, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && last {
		var rest []byte
		rest, err = io.ReadAll(r)
		body = append(body, rest...)
	}
	return answer{q, res.StatusCode, res.Header, string(body)}, err
}

func (q request) String() string {
	return fmt.Sprintf("%s %s %v %s %.300q", q.method, q.path, q.headers, q.media, q.body)
}

// sendAll sends requests one after the other on one connection.
func (h *house) sendAll(t testing.TB, all ...request) (answers []answer) {
	t.Helper()
	conn, err := net.Dial("tcp", h.address)
	check(t, err)
	defer func() { _ = conn.Close() }()
	check(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	r := bufio.NewReader(conn)
	for _, q := range all {
		_, err := io.WriteString(conn, q.text())
		check(t, err)
		a, err := q.read(r, false)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		answers = append(answers, a)
	}
	return answers
}

// is demands a status, a whole body, and what every answer of the wire has.
func (a answer) is(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("%s\n got %d %.600s\nwant %d %.600s", a.to, a.status, a.body, status, body)
	}
	a.isOfTheWire(t)
}

// isOfTheWire checks the headers that do not depend on what was asked.
func (a answer) isOfTheWire(t testing.TB) {
	t.Helper()
	if got, want := a.header["Allow"], allowed(a.to.path); len(got) != 1 || got[0] != want {
		t.Errorf("%s: %d with Allow %q, want %q", a.to, a.status, got, want)
	}
	if got := a.header["Content-Type"]; a.status != http.StatusNoContent && !slices.Equal(got, []string{jsonMedia}) {
		t.Errorf("%s: %d with Content-Type %q, want %s", a.to, a.status, got, jsonMedia)
	}
	a.lacks(t, "Set-Cookie", "Www-Authenticate")
}

func (a answer) lacks(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if got, there := a.header[name]; there {
			t.Errorf("%s: %d with %s %q, want none", a.to, a.status, name, got)
		}
	}
}

// allowed are a path's methods.
func allowed(path string) string {
	path, _, _ = strings.Cut(path, "?")
	switch path {
	case verifyPath:
		return "POST, OPTIONS"
	case collectionPath:
		return "GET, POST, HEAD, OPTIONS"
	case rootPath:
		return "GET, HEAD, OPTIONS"
	}
	return "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
}

// bodyFor is a body as the method can have one: the answer to HEAD has none.
func bodyFor(method, body string) string {
	if method == http.MethodHead {
		return ""
	}
	return body
}

// wrongField is the answer to one wrong field.
func wrongField(key, text string) string { return `{"` + key + `":["` + text + `"]}` }

func notAllowed(method string) string {
	return `{"detail":"Method \"` + method + `\" not allowed."}`
}
