// Package fetch is the HTTP client for addresses that strangers name: the issuer of
// somebody's OpenID, the host of an address.
//
// Whoever may name an address must not be able to reach what is behind this server's
// firewall. So the address of each connection is checked after the name was resolved, at
// redirects too, and only public networks are reached, and those that an administrator
// allows. Responses have bounds in time and size, and no cookies or credentials are kept.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Bounds of one request, redirects included.
const (
	Timeout      = 5 * time.Second
	MaxSize      = 256 << 10 // of a body, in bytes
	maxHeader    = 32 << 10
	maxRedirects = 5
)

// Errors of a request.
var (
	// ErrForbidden: the address leads to a network that is not public, or is not https.
	ErrForbidden = errors.New("address is not allowed")
	// ErrTooLarge: the body has more than MaxSize bytes.
	ErrTooLarge = errors.New("response is too large")
	// ErrBusy: too many requests of strangers were under way.
	ErrBusy = errors.New("too many requests at once")
)

// Strangers is a client for addresses that strangers name. It reaches the public internet
// by https, and the networks of allow also by http.
func Strangers(allow []netip.Prefix) *http.Client {
	return client(&byScheme{
		slots:  &slots{},
		secure: transport(func(ip netip.Addr) bool { return IsPublic(ip) || contains(allow, ip) }),
		plain:  transport(func(ip netip.Addr) bool { return contains(allow, ip) }),
	})
}

// Configured is a client for addresses that the administrator configured: it has the same
// bounds, and reaches every network.
func Configured() *http.Client {
	anywhere := transport(func(netip.Addr) bool { return true })
	return client(&byScheme{secure: anywhere, plain: anywhere})
}

func client(t *byScheme) *http.Client {
	return &http.Client{Transport: t, Timeout: Timeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		// Only a request without a body, so without a secret, is made anew elsewhere.
		if r.Method != http.MethodGet || via[0].Method != http.MethodGet || via[0].Header.Get("Authorization") != "" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// transport connects to the addresses for which may is true.
func transport(may func(netip.Addr) bool) *http.Transport {
	dialer := &net.Dialer{Timeout: Timeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !may(to.Addr().Unmap()) {
			return ErrForbidden
		}
		return nil
	}}
	return &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns: 20, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: Timeout,
	}
}

// byScheme bounds responses and has a transport for each scheme.
type byScheme struct {
	secure, plain http.RoundTripper
	slots         *slots // nil: no limit
}

func (b *byScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.User != nil {
		return nil, ErrForbidden
	}
	via := b.secure
	if r.URL.Scheme == "http" {
		via = b.plain
	}
	release := func() {}
	if b.slots != nil {
		var err error
		if release, err = b.slots.take(r.Context(), r.URL.Hostname()); err != nil {
			return nil, err
		}
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "djauthy")
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := via.RoundTrip(r)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: MaxSize, release: sync.OnceFunc(release)}
	if resp.Header.Get("Content-Encoding") != "" || resp.ContentLength > MaxSize {
		_ = resp.Body.Close()
		return nil, ErrTooLarge
	}
	return resp, nil
}

// bounded is a body that ends with ErrTooLarge after left bytes. Closing it releases
// the slot of its request.
type bounded struct {
	io.ReadCloser
	left    int
	release func()
}

func (b *bounded) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	// One byte more than allowed shows that there is more.
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// Page is a response that was read.
type Page struct {
	URL    string // after redirects
	Status int
	Header http.Header
	Body   []byte
}

// Get reads an address. Each status is a Page; an error is a response that never came, was
// too large, or not allowed.
func Get(ctx context.Context, c *http.Client, address, accept string) (Page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Page{}, fmt.Errorf("fetch: %w", err)
	}
	r.Header.Set("Accept", accept)
	return Do(c, r)
}

// Do makes a request and reads its response, as Get does.
func Do(c *http.Client, r *http.Request) (Page, error) {
	resp, err := c.Do(r)
	if err != nil {
		return Page{}, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Page{}, fmt.Errorf("fetch: %w", err)
	}
	return Page{URL: resp.Request.URL.String(), Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}
