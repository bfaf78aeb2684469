package crash_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// ask is a code that the server has promised to send.
type ask struct {
	address string
	attempt string // the cookie of the browser that waits for it
}

// promises are what the server has said to browsers and has to keep, whatever
// happens to it.
type promises struct {
	mu       sync.Mutex
	asks     []ask
	sessions map[string]string // session cookie to address
	faults   []string          // answers that no crash explains
	broken   int               // requests that a crash cut off
	goal     int               // asks at which reached is closed
	reached  chan struct{}
}

// after returns a channel that is closed when so many more asks are promised.
func (p *promises) after(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goal, p.reached = len(p.asks)+n, make(chan struct{})
	return p.reached
}

func (p *promises) asked(a ask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asks = append(p.asks, a); len(p.asks) == p.goal {
		close(p.reached)
	}
}

func (p *promises) entered(session, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[session] = address
}

func (p *promises) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

func (p *promises) cutOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken++
}

// some returns some session of those that were promised.
func (p *promises) some() (session, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for session, address = range p.sessions {
		break
	}
	return session, address
}

// answer is what a request led to.
type answer struct {
	status  int
	to      string
	cookies map[string]string
	header  http.Header
}

// visitor makes requests as a browser does. Its cookies are given with each.
type visitor struct {
	site string
	http *http.Client
}

func newVisitor(site string) *visitor {
	return &visitor{site, &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do makes a request; an error is a connection that broke.
func (v *visitor) do(ctx context.Context, method, path string, form url.Values, cookies map[string]string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, v.site+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got, err := v.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = got.Body.Close() }()
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		return answer{}, err
	}
	a := answer{got.StatusCode, got.Header.Get("Location"), map[string]string{}, got.Header}
	for _, c := range got.Cookies() {
		a.cookies[c.Name] = c.Value
	}
	return a, nil
}

// signIn walks the whole way once, as far as the server lives: until life ends.
// What was promised by then stays promised.
func (v *visitor) signIn(life context.Context, address string, mail *program.Sink, p *promises) {
	cookies := map[string]string{}
	step := func(method, path string, form url.Values) (answer, bool) {
		a, err := v.do(context.WithoutCancel(life), method, path, form, cookies)
		if err != nil {
			p.cutOff()
			return a, false
		}
		for name, value := range a.cookies {
			cookies[name] = value
		}
		return a, true
	}
	if a, ok := step("GET", "/login", nil); !ok || a.status != 200 {
		if ok {
			p.fault("GET /login: %d", a.status)
		}
		return
	}
	a, ok := step("POST", "/login", url.Values{"id": {address}})
	if !ok {
		return
	}
	if a.status != 303 || a.to != "/login/code" {
		p.fault("POST /login: %d to %q", a.status, a.to)
		return
	}
	p.asked(ask{address, cookies["djauthy_attempt"]})
	m, ok := mail.Wait(life, address)
	if !ok {
		return
	}
	a, ok = step("POST", "/login/code", url.Values{"auth_code": {m.Code()}})
	if !ok {
		return // nobody knows what became of it, so nothing was promised
	}
	if a.status != 303 || cookies["djauthy"] == "" {
		p.fault("POST /login/code with the right code: %d to %q", a.status, a.to)
		return
	}
	p.entered(cookies["djauthy"], address)
}

// load is one browser after another while the server lives: sign-ins of new
// people, and session checks of those who are in.
func load(life context.Context, site string, mail *program.Sink, p *promises) {
	v := newVisitor(site)
	defer v.http.CloseIdleConnections()
	for life.Err() == nil {
		// Random, as the addresses of people are.
		v.signIn(life, fmt.Sprintf("p%x@people.example", rand.Uint64()), mail, p)
		session, address := p.some()
		if session == "" {
			continue
		}
		a, err := v.do(context.WithoutCancel(life), "GET", "/forward-auth", nil, map[string]string{"djauthy": session})
		switch {
		case err != nil:
			p.cutOff()
		case a.status != 200 || a.header.Get("Remote-Email") != address:
			p.fault("a session of %s: %d for %q", address, a.status, a.header.Get("Remote-Email"))
		}
	}
}
