package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// visitor is a browser that keeps djauthy's cookies and follows nothing by
// itself. It writes its requests byte by byte.
type visitor struct {
	t       *testing.T
	f       *front
	from    string // its address
	cookies map[string]string
}

func (f *front) visitor(t *testing.T) *visitor {
	return &visitor{t: t, f: f, from: "127.9.8.7", cookies: map[string]string{}}
}

type answer struct {
	status   int
	location string
	body     string
}

// toSignIn reports whether an answer leads to sign in and back to a target: that of djauthy,
// which a proxy passes on, or the proxy's own.
func (a answer) toSignIn(v *visitor, target string) bool {
	return a.status == http.StatusFound && a.location == "http://"+v.f.host+"/login?next="+target || a.status == http.StatusSeeOther && a.location == "/login?next="+target
}

// get asks for a target with header lines of the visitor's own.
func (v *visitor) get(target string, lines ...string) answer {
	v.t.Helper()
	return v.send(http.MethodGet, target, "", lines...)
}

func (v *visitor) post(target string, fields url.Values, lines ...string) answer {
	v.t.Helper()
	body := fields.Encode()
	return v.send(http.MethodPost, target, body, append(lines, "Content-Type: application/x-www-form-urlencoded",
		fmt.Sprintf("Content-Length: %d", len(body)), "Origin: http://"+v.f.host, "Sec-Fetch-Site: same-origin")...)
}

func (v *visitor) send(method, target, body string, lines ...string) answer {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 30*time.Second)
	defer cancel()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(v.from)}}
	conn, err := dialer.DialContext(ctx, "tcp", strings.Replace(v.f.host, "localhost", "127.0.0.1", 1))
	must(v.t, err)
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	must(v.t, conn.SetDeadline(deadline))
	head := []string{method + " " + target + " HTTP/1.1", "Connection: close", "Accept: text/html"}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "Host: ") {
		head = append(head, "Host: "+v.f.host)
	}
	for name, value := range v.cookies {
		lines = append(lines, "Cookie: "+name+"="+value)
	}
	_, err = io.WriteString(conn, strings.Join(append(append(head, cookieLine(lines)...), "", body), "\r\n"))
	must(v.t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(v.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	must(v.t, err)
	for _, c := range res.Cookies() {
		v.cookies[c.Name] = c.Value
	}
	return answer{res.StatusCode, res.Header.Get("Location"), string(text)}
}

// cookieLine joins all lines with cookies into one, as browsers send them.
func cookieLine(lines []string) (all []string) {
	var cookies []string
	for _, line := range lines {
		if value, found := strings.CutPrefix(line, "Cookie: "); found {
			cookies = append(cookies, value)
		} else {
			all = append(all, line)
		}
	}
	if cookies != nil {
		all = append(all, "Cookie: "+strings.Join(cookies, "; "))
	}
	return all
}

var nextField = regexp.MustCompile(`name="next" value="([^"]*)"`)

// signIn walks from the sign-in page at an address to where it leads.
func (v *visitor) signIn(address, id string) (lead string) {
	v.t.Helper()
	page := v.get(address)
	if page.status != http.StatusOK {
		v.t.Fatalf("%.200s answers %d", address, page.status)
	}
	fields := url.Values{"id": {id}}
	if kept := nextField.FindStringSubmatch(page.body); kept != nil {
		fields.Set("next", html.UnescapeString(kept[1]))
	}
	if a := v.post("/login", fields); a.status != http.StatusSeeOther || a.location != "/login/code" {
		v.t.Fatalf("POST /login answers %d to %q", a.status, a.location)
	}
	a := v.post("/login/code", url.Values{"auth_code": {v.f.mail.Next(v.t, id).Code()}})
	if a.status != http.StatusSeeOther {
		v.t.Fatalf("POST /login/code answers %d: %s", a.status, a.body)
	}
	return a.location
}

var usernameFact = regexp.MustCompile(`name="username" value="([^"]+)"`)

// username is the visitor's, as the account page shows it.
func (v *visitor) username() string {
	v.t.Helper()
	found := usernameFact.FindStringSubmatch(v.get("/account").body)
	if found == nil {
		v.t.Fatal("the account page shows no username")
	}
	return found[1]
}
