package door_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// order records what happened, in order.
type order struct {
	mu   sync.Mutex
	seen []string
	ends chan struct{}
}

func (o *order) add(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, what)
}

// watched records when a connection is written to; broken makes writes fail.
type watched struct {
	net.Listener
	o      *order
	broken bool
}

func (w watched) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	return watchedConn{conn, w}, err
}

type watchedConn struct {
	net.Conn
	w watched
}

func (c watchedConn) Write(p []byte) (int, error) {
	c.w.o.add("written")
	if c.w.broken {
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(p)
}

// What is to run after the response runs then, once, and also if there is no response.
func TestWhatFollowsAnAnswerComesAfterIt(t *testing.T) {
	for name, c := range map[string]struct {
		broken bool
		handle func(*fiber.Ctx) error
		want   []string
	}{
		"answered":   {false, func(c *fiber.Ctx) error { return c.SendString("yes") }, []string{"earlier", "handled", "written", "then"}},
		"failed":     {false, func(*fiber.Ctx) error { return io.ErrUnexpectedEOF }, []string{"earlier", "handled", "written", "then"}},
		"panicked":   {false, func(*fiber.Ctx) error { panic("oh") }, []string{"earlier", "handled", "written", "then"}},
		"not heard":  {true, func(c *fiber.Ctx) error { return c.SendString("yes") }, []string{"earlier", "handled", "written", "then"}},
		"hung up on": {false, func(c *fiber.Ctx) error { return c.Context().Conn().Close() }, []string{"earlier", "handled", "then"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := door.New(door.Options{PublicURL: "http://localhost", Log: slog.New(slog.DiscardHandler), Observe: func(string, string, int, time.Duration) {}})
			if err != nil {
				t.Fatal(err)
			}
			o := &order{ends: make(chan struct{}, 10)}
			d.App.Get("/", func(ctx *fiber.Ctx) error {
				door.AfterResponse(ctx, func() { o.add("earlier") }) // as of a request before it
				door.AfterResponse(ctx, func() {
					o.add("then")
					o.ends <- struct{}{}
				})
				o.add("handled")
				return c.handle(ctx)
			})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = d.Serve(watched{l, o, c.broken}) }()
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if resp, err := client.Get("http://" + l.Addr().String()); err == nil {
				_ = resp.Body.Close()
			}
			select {
			case <-o.ends:
			case <-time.After(10 * time.Second):
				t.Error("what was to follow did not come")
			}
			d.Shutdown(l, 10*time.Second)
			if !slices.Equal(o.seen, c.want) {
				t.Errorf("it went %q, want %q", o.seen, c.want)
			}
		})
	}
}
