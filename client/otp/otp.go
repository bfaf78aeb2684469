// Package otp is for micro services that authenticate each other with time-based
// tokens, through djauthy or any server that speaks the ungleichotp protocol of 2021.
//
// Each service holds a triple: its name, its realm and a seed. From the seed it
// makes a token for every request that it sends to another service, which has the
// server verify the token (Client.Verify, or Client.Require in front of a handler).
// The package authenticates only; what a service may do, the other one decides.
package otp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/djauthy/djauthy/internal/totp"
)

// Errors that the server responds with. Test for them with errors.Is.
var (
	// ErrCredentials: the server does not accept the client's own name, realm and seed. A
	// clock that is off by more than a minute and a half has the same effect.
	ErrCredentials = errors.New("otp: the server does not accept our own name, realm and seed (or this clock is off)")
	// ErrRefused: the token to verify is not valid, or the client's realm may not do this.
	ErrRefused = errors.New("otp: refused: the token is not valid now, or our realm may not do this")
	// ErrNotFound: there is no such entry.
	ErrNotFound = errors.New("otp: no such entry")
	// ErrTaken: another entry has this name in this realm.
	ErrTaken = errors.New("otp: the name is taken in this realm")
	// ErrSeed: the seed is not base32.
	ErrSeed = totp.ErrSeed
)

// StatusError is a response that none of the errors above stands for.
type StatusError struct {
	Code int    // HTTP status
	Text string // what the server said, cut short
}

func (e *StatusError) Error() string {
	hint := ""
	if e.Code == http.StatusNotFound {
		hint = " (is Server the URL of the entries, such as https://login.example.org/ungleichotp/?)"
	}
	return fmt.Sprintf("otp: HTTP %d: %s%s", e.Code, e.Text, hint)
}

// Entry is a triple as an administrator sees it.
type Entry struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Realm string `json:"realm"`
	Seed  string `json:"seed"` // base32
}

// Client is a service that sends requests to the server. Its methods are safe for
// concurrent use; set the fields before.
type Client struct {
	Name, Realm string
	Seed        string // base32
	// Token is used instead of one made from Seed. It is valid for a minute or two.
	Token string
	// Server is the URL of the entries: https://login.example.org/ungleichotp/
	Server string
	// HTTP is used for requests. nil: a shared client with keep-alive and a timeout of ten
	// seconds.
	HTTP *http.Client
	// Now is the clock. nil: that of the machine.
	Now func() time.Time
	// MaxList is the longest list that List and Find read, in bytes. 0: 512 MiB.
	MaxList int64
	// Log gets the reason when Require and Check cannot reach the server. nil: slog.Default.
	Log *slog.Logger
}

const (
	tries    = 3
	firstTry = 200 * time.Millisecond
	maxWait  = 5 * time.Second
	// maxAnswer bounds a response, maxList one with a list: a million entries fit.
	maxAnswer = 64 << 10
	maxList   = 512 << 20
)

var kept = &http.Client{
	Timeout: 10 * time.Second,
	Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 60 * time.Second, TLSHandshakeTimeout: 5 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	},
}

// NewToken returns the token of the current step: six digits, valid for half a minute and,
// by the server's window, a little before and after.
func (c *Client) NewToken() (string, error) {
	if c.Token != "" {
		return c.Token, nil
	}
	seed, err := totp.ParseSeed(c.Seed)
	if err != nil {
		return "", err
	}
	return totp.Code(seed, totp.Step(c.now())), nil
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Verify has the server verify a token of (name, realm). It returns nil if the token is
// valid, ErrRefused if not, and ErrCredentials if the server does not accept this client.
func (c *Client) Verify(ctx context.Context, name, realm, token string) error {
	var said struct {
		Status string `json:"status"`
	}
	err := c.do(ctx, call{method: http.MethodPost, path: "verify/", fields: fields{"name": name, "realm": realm, "token": token}, again: true}, &said)
	switch {
	case err == nil && said.Status != "OK": // such as a page of a proxy in between
		return &StatusError{http.StatusOK, "the answer is not that of an ungleichotp server"}
	case errors.Is(err, ErrNotFound): // not about an entry: there is no server at this URL
		return &StatusError{http.StatusNotFound, "Not found."}
	}
	return err
}

// Create makes an entry with a seed that the server makes. It needs a realm that may
// administer. It is not tried again when a connection breaks, so that it never makes two.
func (c *Client) Create(ctx context.Context, name, realm string) (e Entry, err error) {
	err = c.do(ctx, call{method: http.MethodPost, fields: fields{"name": name, "realm": realm}}, &e)
	return e, err
}

// List returns all entries in the order of their IDs.
func (c *Client) List(ctx context.Context) (all []Entry, err error) {
	err = c.do(ctx, call{method: http.MethodGet, again: true, most: cmp.Or(c.MaxList, maxList)}, &all)
	return all, err
}

// Find returns the entry of (name, realm), or ErrNotFound. It reads the list.
func (c *Client) Find(ctx context.Context, name, realm string) (Entry, error) {
	all, err := c.List(ctx)
	for _, e := range all {
		if e.Name == name && e.Realm == realm {
			return e, nil
		}
	}
	if err == nil {
		err = ErrNotFound
	}
	return Entry{}, err
}

// Update gives an entry another name and realm. Its seed stays.
func (c *Client) Update(ctx context.Context, id int64, name, realm string) (e Entry, err error) {
	err = c.do(ctx, call{method: http.MethodPut, path: entryPath(id), fields: fields{"name": name, "realm": realm}, again: true}, &e)
	return e, err
}

// Delete removes the entry with this ID, or returns ErrNotFound.
func (c *Client) Delete(ctx context.Context, id int64) error {
	return c.do(ctx, call{method: http.MethodDelete, path: entryPath(id)}, nil)
}

func entryPath(id int64) string { return strconv.FormatInt(id, 10) + "/" }

type fields map[string]string

// call is a request of the wire.
type call struct {
	method, path string
	fields       fields
	// again: the call is idempotent.
	again bool
	most  int64 // the longest response, in bytes; 0: maxAnswer
}

// do sends a call, again if that is safe, and reads the response into out.
func (c *Client) do(ctx context.Context, x call, out any) error {
	wait := firstTry
	for try := 1; ; try++ {
		after, err := c.once(ctx, x, out)
		if err == nil || try == tries || !safe(err, x.again) || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(min(max(wait, after), maxWait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		wait *= 2
	}
}

// safe reports whether a call that failed may be sent again: it never reached the server,
// or it is idempotent and the server replied 503.
func safe(err error, again bool) bool {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true
	}
	var status *StatusError
	return again && errors.As(err, &status) && status.Code == http.StatusServiceUnavailable
}

// once sends a call; after is the server's Retry-After.
func (c *Client) once(ctx context.Context, x call, out any) (after time.Duration, err error) {
	token, err := c.NewToken()
	if err != nil {
		return 0, err
	}
	body := fields{"auth_name": c.Name, "auth_realm": c.Realm, "auth_token": token}
	for k, v := range x.fields {
		body[k] = v
	}
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, x.method, strings.TrimSuffix(c.Server, "/")+"/"+x.path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity") // else net/http accepts gzip and decompresses it
	res, err := c.client().Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second, read(res, out, x.most)
}

// client sends requests. It follows no redirect: that would send the token to another
// server, and POST would become GET.
func (c *Client) client() *http.Client {
	client := kept
	if c.HTTP != nil {
		client = c.HTTP
	}
	careful := *client
	careful.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &careful
}

// read reads a response of at most most bytes into out.
func read(res *http.Response, out any, most int64) error {
	if most == 0 || res.StatusCode/100 != 2 {
		most = maxAnswer
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > most {
		return &StatusError{res.StatusCode, fmt.Sprintf("the answer is longer than %d bytes", most)}
	}
	if res.StatusCode/100 != 2 {
		return failure(res.StatusCode, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &StatusError{res.StatusCode, "the answer is not that of an ungleichotp server"}
	}
	return nil
}

// failure is the error that a response stands for.
func failure(code int, body []byte) error {
	var said struct {
		Detail string   `json:"detail"`
		Whole  []string `json:"non_field_errors"`
	}
	_ = json.Unmarshal(body, &said) // a body that is not JSON leaves it empty
	switch {
	case code == http.StatusForbidden && strings.HasPrefix(said.Detail, "Incorrect authentication"):
		return ErrCredentials
	case code == http.StatusForbidden:
		return ErrRefused
	case code == http.StatusNotFound && said.Detail != "":
		return ErrNotFound
	case code == http.StatusBadRequest && len(said.Whole) > 0:
		return ErrTaken
	}
	return &StatusError{code, fmt.Sprintf("%.200s", bytes.TrimSpace(body))}
}
