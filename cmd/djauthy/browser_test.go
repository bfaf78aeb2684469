package main

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// browser is a person's browser: it keeps cookies, says as browsers do where a
// request comes from, and follows no redirect by itself.
type browser struct {
	t       testing.TB
	s       *site
	from    net.IP
	cookies map[string]string
	headers map[string]string // sent with every request
	client  *http.Client
}

// answer is a response as a whole.
type answer struct {
	status int
	header http.Header
	body   string
}

var addresses atomic.Uint32

// anAddress is a loopback address that no other browser of the tests has.
func anAddress() net.IP {
	n := addresses.Add(1)
	return net.IPv4(127, byte(10+n>>16), byte(n>>8), byte(n))
}

// anID is an address that nobody has signed in with.
func anID() string { return "p" + strings.ToLower(rand.Text())[:16] + "n@people.example" }

func (s *site) browser(t testing.TB) *browser { return s.browserAt(t, anAddress()) }

func (s *site) browserAt(t testing.TB, from net.IP) *browser {
	b := &browser{t: t, s: s, from: from, cookies: map[string]string{}, headers: map[string]string{
		"User-Agent":      "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept":          "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language": "en-US,en;q=0.5",
		"Sec-Fetch-Site":  "same-origin",
	}}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: b.from}}
		return d.DialContext(ctx, "tcp", s.addr)
	}}
	b.client = &http.Client{
		Transport: transport, Timeout: 40 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(transport.CloseIdleConnections)
	return b
}

// clone is another browser on the same machine with the same cookies.
func (b *browser) clone() *browser {
	c := b.s.browserAt(b.t, b.from)
	for k, v := range b.cookies {
		c.cookies[k] = v
	}
	return c
}

// try makes a request with a body of any kind. An own header wins; with an
// empty value it is not sent. Cookies are sent and not kept.
func (b *browser) try(method, path, kind string, body io.Reader, own map[string]string) (answer, []*http.Cookie, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+b.s.public.Host+path, body)
	if err != nil {
		return answer{}, nil, err
	}
	for k, v := range b.headers {
		r.Header.Set(k, v)
	}
	if method != http.MethodGet && method != http.MethodHead {
		r.Header.Set("Origin", b.s.public.Scheme+"://"+b.s.public.Host)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	var pairs []string
	for k, v := range b.cookies {
		pairs = append(pairs, k+"="+v)
	}
	if len(pairs) > 0 {
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	for k, v := range own {
		switch {
		case k == "Host":
			r.Host = v
		case v == "":
			r.Header[k] = nil
		default:
			r.Header.Set(k, v)
		}
	}
	res, err := b.client.Do(r)
	if err != nil {
		return answer{}, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}, res.Cookies(), err
}

func (b *browser) do(method, path, kind, body string, own map[string]string) answer {
	b.t.Helper()
	a, cookies, err := b.try(method, path, kind, strings.NewReader(body), own)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	for _, c := range cookies {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return a
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, "", "", nil)
}

const formKind = "application/x-www-form-urlencoded"

// post sends a form of names and values.
func (b *browser) post(path string, pairs ...string) answer {
	b.t.Helper()
	return b.do(http.MethodPost, path, formKind, form(pairs...), nil)
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// want requires a status and, if to is not empty, where the answer leads.
func (a answer) want(t testing.TB, status int, to string) answer {
	t.Helper()
	if a.status != status || to != "" && a.header.Get("Location") != to {
		t.Fatalf("answered %d to %q, want %d to %q\n%s", a.status, a.header.Get("Location"), status, to, seen(a.body))
	}
	return a
}

// seen is a page without its marks, for messages of tests.
func seen(page string) string {
	var b strings.Builder
	in := false
	for _, r := range page {
		switch {
		case r == '<':
			in = true
		case r == '>':
			in = false
			b.WriteByte(' ')
		case !in:
			b.WriteRune(r)
		}
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	return text[:min(len(text), 600)]
}

// ask asks for a code and returns the message.
func (b *browser) ask(id string) letter {
	b.t.Helper()
	b.post("/login", "id", id).want(b.t, http.StatusSeeOther, "/login/code")
	return b.s.mail.next(b.t, id)
}

func (b *browser) submit(code string) answer {
	b.t.Helper()
	return b.post("/login/code", "auth_code", code)
}

// signIn walks the whole way.
func (b *browser) signIn(id string) {
	b.t.Helper()
	l := b.ask(id)
	b.submit(l.code()).want(b.t, http.StatusSeeOther, "/account")
}

// in reports whether the browser is signed in.
func (b *browser) in() bool {
	b.t.Helper()
	a := b.get("/account")
	if a.status != http.StatusOK && a.status != http.StatusSeeOther {
		b.t.Fatalf("/account answers %d: %s", a.status, seen(a.body))
	}
	return a.status == http.StatusOK
}

// person is a browser that is signed in with a fresh id.
func (s *site) person(t testing.TB) (*browser, string) {
	t.Helper()
	b, id := s.browser(t), anID()
	b.signIn(id)
	return b, id
}

// outsideAddress is an address of this machine that is not loopback, nil if
// there is none.
func outsideAddress() net.IP {
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP
		}
	}
	return nil
}

// probe asks /forward-auth as a proxy does for a request that is no navigation.
func (b *browser) probe() answer {
	return b.do(http.MethodGet, "/forward-auth", "", "", map[string]string{"Sec-Fetch-Mode": "cors"})
}
