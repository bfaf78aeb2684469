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
		"one network": {func(int) string { return "198.51.100.0/24" }, perBoth},
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

// One network holds some of a domain's slots, on whatever port, and never all.
func TestOneNetworkDoesNotKeepOthersFromAHost(t *testing.T) {
	slow, came := stalling(t, "127.0.0.1", false)
	quick := serveAt(t, "127.0.0.1", func(http.ResponseWriter, *http.Request) {})
	client := allowed(t, "127.0.0.0/8")
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for range 3 * perDomain {
		all.Go(func() { _, _ = Get(WithNetwork(ctx, "198.51.100.0/24"), client, slow, "*/*") })
	}
	for range perBoth {
		<-came
	}
	if _, err := Get(WithNetwork(t.Context(), "203.0.113.0/24"), client, quick, "*/*"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if _, err := Get(WithNetwork(t.Context(), "198.51.100.0/24"), client, quick, "*/*"); !errors.Is(err, ErrBusy) {
		t.Errorf("the network itself: %v", err)
	}
}

// One network reaches many hosts, but not with all slots.
func TestOneNetworkHoldsAPartOfAllSlots(t *testing.T) {
	client := allowed(t, "127.0.0.0/8")
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var hosts []chan struct{}
	for i := range perNetwork/perBoth + 2 {
		slow, came := stalling(t, fmt.Sprintf("127.0.0.%d", 10+i), false)
		hosts = append(hosts, came)
		for range perBoth {
			all.Go(func() { _, _ = Get(WithNetwork(ctx, "198.51.100.0/24"), client, slow, "*/*") })
		}
	}
	under := func() (n int) {
		for _, came := range hosts {
			n += len(came)
		}
		return n
	}
	for end := time.Now().Add(10 * time.Second); under() < perNetwork && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	quick := serveAt(t, "127.0.0.2", func(http.ResponseWriter, *http.Request) {})
	if _, err := Get(WithNetwork(t.Context(), "198.51.100.0/24"), client, quick, "*/*"); !errors.Is(err, ErrBusy) {
		t.Errorf("the network itself: %v", err)
	}
	if n := under(); n != perNetwork {
		t.Errorf("%d are under way", n)
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
		"127.0.0.1": "127.0.0.1", "a.eXample.ORG": "example.org", "a.example.org.": "example.org", "A.Example.CO.UK": "example.co.uk", "2606:2800::1": "2606:2800::1", "localhost": "localhost", "": "",
	} {
		if got := domain(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}
