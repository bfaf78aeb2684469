package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/test/program"
)

// person is a browser at several hosts: it keeps each host's cookies for itself. It writes
// its requests byte by byte.
type person struct {
	t       *testing.T
	f       *proxied
	cookies map[string]map[string]string // by the name of the host: grafana, wiki, login
}

// reply is what a request led to, and where it was made.
type reply struct {
	name, target string // of the host, and of the request
	status       int
	header       http.Header
	body         string
}

func (f *proxied) person(t *testing.T) *person {
	return &person{t, f, map[string]map[string]string{}}
}

// script are header lines with which a script asks, in place of those of a navigation.
var script = []string{"Sec-Fetch-Mode: cors", "Accept: */*"}

// get navigates to an address.
func (p *person) get(name, target string, lines ...string) reply {
	p.t.Helper()
	return p.do(http.MethodGet, name, target, "", lines...)
}

// post sends a form as a page of the same host does.
func (p *person) post(name, target string, fields url.Values, lines ...string) reply {
	p.t.Helper()
	return p.do(http.MethodPost, name, target, fields.Encode(), append([]string{"Content-Type: application/x-www-form-urlencoded", "Origin: https://" + p.f.host(name)}, lines...)...)
}

func (p *person) do(method, name, target, body string, lines ...string) reply {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	a, err := p.try(ctx, method, name, target, body, lines...)
	must(p.t, err)
	return a
}

// try makes a request. A line of the caller's replaces that of the same name.
func (p *person) try(ctx context.Context, method, name, target, body string, lines ...string) (reply, error) {
	conn, err := p.dial(ctx, name)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = conn.Close() }()
	head := []string{"Host: " + p.f.host(name), "Connection: close", "Accept: text/html", "Accept-Language: en", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: same-origin"}
	if body != "" {
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	own, lines := "", slices.Clone(lines) // which the caller's other tests may share
	for cookie, value := range p.cookies[name] {
		lines = append(lines, "Cookie: "+cookie+"="+value)
	}
	for _, line := range cookieLine(lines) {
		own += strings.ToLower(line) + "\n"
		head = append(head, line)
	}
	text := method + " " + target + " HTTP/1.1\r\n"
	for i, line := range head {
		field, _, _ := strings.Cut(line, ":")
		if i >= len(head)-strings.Count(own, "\n") || !strings.Contains("\n"+own, "\n"+strings.ToLower(field)+":") {
			text += line + "\r\n"
		}
	}
	if _, err := io.WriteString(conn, text+"\r\n"+body); err != nil {
		return reply{}, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return reply{}, err
	}
	a := reply{name: name, target: target, status: res.StatusCode, header: res.Header}
	if res.StatusCode != http.StatusSwitchingProtocols {
		defer func() { _ = res.Body.Close() }()
		read, err := io.ReadAll(res.Body)
		if err != nil {
			return reply{}, err
		}
		a.body = string(read)
	}
	p.keep(name, res.Cookies())
	for field := range res.Header { // is for the app alone
		if field = strings.ToLower(field); strings.HasPrefix(field, "remote-") || strings.HasPrefix(field, "x-djauthy") || field == "cookie" {
			p.t.Errorf("%.200s at %s: the visitor is told %s", target, name, field)
		}
	}
	return a, nil
}

func (p *person) dial(ctx context.Context, name string) (net.Conn, error) {
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.9.8.7")}},
		Config:    &tls.Config{ServerName: name + ".test", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}, // a certificate of the tests
	}
	conn, err := dialer.DialContext(ctx, "tcp", "127.0.0.1:"+p.f.port)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	return conn, err
}

// keep keeps cookies as browsers do with __Host-: of a host alone.
func (p *person) keep(name string, all []*http.Cookie) {
	if p.cookies[name] == nil {
		p.cookies[name] = map[string]string{}
	}
	for _, c := range all {
		if strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || c.Path != "/" || c.Domain != "") {
			p.t.Errorf("browsers do not take the cookie %s", c)
		}
		if c.MaxAge < 0 {
			delete(p.cookies[name], c.Name)
		} else {
			p.cookies[name][c.Name] = c.Value
		}
	}
}

// follow goes where an answer leads, up to an answer that leads nowhere.
func (p *person) follow(a reply) reply {
	p.t.Helper()
	for range 20 {
		to := a.header.Get("Location")
		if a.status < 300 || a.status > 399 || to == "" {
			return a
		}
		name := a.name
		if rest, found := strings.CutPrefix(to, "https://"); found {
			host, path, _ := strings.Cut(rest, "/")
			if name, found = strings.CutSuffix(host, ".test:"+p.f.port); !found {
				p.t.Fatalf("%.200s leads to %.200s", a.target, to)
			}
			to = "/" + path
		}
		a = p.get(name, to)
	}
	p.t.Fatalf("redirected without end, at last to %.200s", a.header.Get("Location"))
	return a
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// hidden are the hidden fields of the first form of a page that posts to an address.
func (a reply) hidden(action string) url.Values {
	fields := url.Values{}
	_, form, _ := strings.Cut(a.body, `<form method="post" action="`+action+`"`)
	form, _, _ = strings.Cut(form, "</form>")
	for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return fields
}

// signIn signs in on the sign-in page and goes on to where that leads.
func (p *person) signIn(page reply, id string) reply {
	p.t.Helper()
	if page.name != "login" || page.status != http.StatusOK || !strings.HasPrefix(page.target, "/login") {
		p.t.Fatalf("answered %d at %s%.200s, and not by the sign-in page: %s", page.status, page.name, page.target, program.Seen(page.body))
	}
	fields := page.hidden("/login")
	fields.Set("id", id)
	if a := p.post("login", "/login", fields); a.status != http.StatusSeeOther || a.header.Get("Location") != "/login/code" {
		p.t.Fatalf("POST /login answers %d", a.status)
	}
	return p.follow(p.post("login", "/login/code", url.Values{"auth_code": {p.f.mail.Next(p.t, id).Code()}}))
}

// enters opens an address of a site, signing in where that is asked for.
func (p *person) enters(name, target string) reply {
	p.t.Helper()
	a := p.follow(p.get(name, target))
	if a.name == "login" {
		a = p.signIn(a, ann)
	}
	if a.status != http.StatusOK || a.name != name || a.target != target {
		p.t.Fatalf("%.200s at %s leads to %.200s at %s, answered %d: %s", target, name, a.target, a.name, a.status, program.Seen(a.body))
	}
	return a
}
