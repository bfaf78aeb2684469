package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// serveAt is a server at a loopback address.
func serveAt(t *testing.T, ip string, serve http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: serve, ReadHeaderTimeout: time.Second}}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// stalling is a server that never ends a response. It says when a request has come.
func stalling(t *testing.T, ip string, headers bool) (url string, came chan struct{}) {
	t.Helper()
	came, release := make(chan struct{}, 1000), make(chan struct{})
	url = serveAt(t, ip, func(w http.ResponseWriter, _ *http.Request) {
		if headers {
			w.(http.Flusher).Flush()
		}
		came <- struct{}{}
		<-release
	})
	t.Cleanup(func() { close(release) })
	return url, came
}

func TestNeitherOneNetworkNorOneHostKeepsOthersOut(t *testing.T) {
	quick := serveAt(t, "127.0.0.2", func(http.ResponseWriter, *http.Request) {})
	for name, c := range map[string]struct {
		network func(i int) string
		most    int
	}{
		"one network": {func(int) string { return "198.51.100.0/24" }, perNetwork},
		"one host":    {func(i int) string { return fmt.Sprint("network ", i) }, perDomain},
	} {
		for _, headers := range []bool{false, true} {
			t.Run(fmt.Sprint(name, headers), func(t *testing.T) {
				slow, came := stalling(t, "127.0.0.1", headers)
				client := allowed(t, "127.0.0.0/8")
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				defer all.Wait()
				defer cancel()
				for i := range 3 * atOnce {
					all.Go(func() { _, _ = Get(WithNetwork(ctx, c.network(i)), client, slow, "*/*") })
				}
				for range c.most {
					<-came
				}
				if _, err := Get(WithNetwork(t.Context(), "203.0.113.0/24"), client, quick, "*/*"); err != nil {
					t.Errorf("somebody else: %v", err)
				}
				if n := len(came); n > 0 {
					t.Errorf("%d more than %d are under way", n, c.most)
				}
			})
		}
	}
}

func TestARequestThatIsOverMakesRoom(t *testing.T) {
	quick := serveAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(make([]byte, MaxSize+1))
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/broken":
			panic(http.ErrAbortHandler)
		}
	})
	client := allowed(t, "127.0.0.0/8")
	for range perNetwork + 1 {
		for _, path := range []string{"/", "/large", "/round", "/broken"} {
			if _, err := Get(t.Context(), client, quick+path, "*/*"); errors.Is(err, ErrBusy) {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
	if n := len(client.Transport.(*byScheme).slots.all); n != 0 {
		t.Errorf("%d slots are kept", n)
	}
}

func TestSubdomainsAreOfOneDomain(t *testing.T) {
	for host, want := range map[string]string{
		"example.org": "example.org", "a.b.example.org": "example.org", "a.example.co.uk": "example.co.uk", "anna.github.io": "anna.github.io",
		"127.0.0.1": "127.0.0.1", "2606:2800::1": "2606:2800::1", "localhost": "localhost", "": "",
	} {
		if got := domain(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}
