package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestOnlyPublicAddressesArePublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "93.184.215.14": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true, "::ffff:1.1.1.1": true,
		"127.0.0.1": false, "127.8.9.1": false, "10.0.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false,
		"192.0.2.1": false, "192.88.99.1": false, "::": false, "::1": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::101:101": false, "64:ff9b:1::1": false, "2002:7f00:1::": false,
		"2001:0:4136:e378::": false, "2001:db8::1": false, "100::1": false, "fec0::1": false, "5f00::1": false, "fe80::1%eth0": false, "3fff::1": false,
	} {
		if got := IsPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public is %v", address, got)
		}
	}
	if IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// canary is a server at a loopback address that nobody may reach.
func canary(t *testing.T) (url string, hits *atomic.Int32) {
	t.Helper()
	hits = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		fmt.Fprint(w, "secret")
	}))
	t.Cleanup(s.Close)
	return s.URL, hits
}

// Row 50.
func TestRow50_NoSpellingOfALocalAddressIsReached(t *testing.T) {
	url, hits := canary(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	c := Strangers(nil)
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001", "localhost", "localhost.", "[::1]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "0.0.0.0", "[::]", "127.0.0.1.", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254", "user:pass@127.0.0.1", "ＬＯＣＡＬＨＯＳＴ", "①②⑦.0.0.1",
	} {
		for _, scheme := range []string{"http", "https"} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			page, err := Get(ctx, c, scheme+"://"+host+":"+port+"/", "*/*")
			cancel()
			if err == nil {
				t.Errorf("%s://%s was reached: %s", scheme, host, page.Body)
			}
		}
	}
	if n := hits.Load(); n != 0 {
		t.Fatalf("the canary was reached %d times", n)
	}
}

func TestANameIsCheckedWhereItLeads(t *testing.T) {
	url, hits := canary(t)
	if _, err := Get(t.Context(), Strangers(nil), strings.Replace(url, "127.0.0.1", "localhost", 1), "*/*"); !errors.Is(err, ErrForbidden) {
		t.Errorf("a name of a local address: %v", err)
	}
	if hits.Load() != 0 {
		t.Fatal("the canary was reached")
	}
}

func allowed(t *testing.T, network string) *http.Client {
	t.Helper()
	return Strangers([]netip.Prefix{netip.MustParsePrefix(network)})
}

func TestARedirectIsCheckedLikeTheFirstAddress(t *testing.T) {
	url, hits := canary(t) // at 127.0.0.1
	at := serveAt(t, "127.0.0.2", http.RedirectHandler(url, http.StatusFound).ServeHTTP)
	if _, err := Get(t.Context(), allowed(t, "127.0.0.2/32"), at, "*/*"); !errors.Is(err, ErrForbidden) {
		t.Errorf("a redirect to a local address: %v", err)
	}
	if hits.Load() != 0 {
		t.Fatal("the canary was reached")
	}
	if page, err := Get(t.Context(), allowed(t, "127.0.0.0/8"), at, "*/*"); err != nil || string(page.Body) != "secret" || page.URL != url {
		t.Errorf("an allowed one: %v, %v", page, err)
	}
}

func TestHTTPIsForAllowedNetworksAlone(t *testing.T) {
	c := Strangers([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if !c.Transport.(*byScheme).secureOnly("1.1.1.1:80") {
		t.Error("a public address is reached by http")
	}
}

// secureOnly reports an address that is not reached by http.
func (b *byScheme) secureOnly(address string) bool {
	_, err := b.plain.(*http.Transport).DialContext(context.Background(), "tcp", address)
	return errors.Is(err, ErrForbidden)
}

func TestRedirectsEnd(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.Redirect(w, r, "/"+strings.Repeat("a", int(hits.Load())), http.StatusFound)
	}))
	defer s.Close()
	if _, err := Get(t.Context(), allowed(t, "127.0.0.0/8"), s.URL, "*/*"); err == nil || hits.Load() != maxRedirects+1 {
		t.Errorf("%d requests, %v", hits.Load(), err)
	}
}

func TestASecretIsNotSentToWhereARedirectLeads(t *testing.T) {
	url, hits := canary(t)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		s := httptest.NewServer(http.RedirectHandler(url, status))
		for _, c := range []*http.Client{allowed(t, "127.0.0.0/8"), Configured()} {
			post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, bytes.NewReader([]byte("client_secret=s")))
			if err != nil {
				t.Fatal(err)
			}
			get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			get.Header.Set("Authorization", "Bearer s")
			for _, r := range []*http.Request{post, get} {
				if page, err := Do(c, r); err != nil || page.Status != status {
					t.Errorf("%d: %v, %v", status, page.Status, err)
				}
			}
		}
		s.Close()
	}
	if hits.Load() != 0 {
		t.Fatal("a redirect was followed")
	}
}

func TestABodyHasABound(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"with length": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, MaxSize+1)) },
		"in chunks": func(w http.ResponseWriter, _ *http.Request) {
			for range 64 << 20 / 4096 {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		},
		"packed": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip") },
	} {
		s := httptest.NewServer(serve)
		if _, err := Get(t.Context(), Configured(), s.URL, "*/*"); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush() // so that the length is unknown
		_, _ = w.Write(make([]byte, MaxSize))
	}))
	defer s.Close()
	if page, err := Get(t.Context(), Configured(), s.URL, "*/*"); err != nil || len(page.Body) != MaxSize {
		t.Errorf("the largest: %d, %v", len(page.Body), err)
	}
}

func TestAServerThatStallsIsLeft(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		<-release
	}))
	defer s.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Get(ctx, Configured(), s.URL, "*/*"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	for _, c := range []*http.Client{Configured(), Strangers(nil)} {
		if c.Timeout != Timeout {
			t.Error("a client without a time limit")
		}
	}
}

func TestNoCookieIsKept(t *testing.T) {
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Cookie")
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	}))
	defer s.Close()
	c := Configured()
	for range 2 {
		if _, err := Get(t.Context(), c, s.URL, "*/*"); err != nil || got != "" {
			t.Errorf("cookie %q, %v", got, err)
		}
	}
}
