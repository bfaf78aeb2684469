package browser_test

import (
	"context"
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/djauthy/djauthy/test/program"
)

var (
	binary program.Binary
	// chromium is for most tests what draws pages in Chromium and runs their scripts, without
	// the rest of the browser: a test takes half as much time of the processor by it.
	chromium = chromiumProcess{programs: append([]string{"chromium-headless-shell"}, browsers...)}
	// whole is the browser that people have.
	whole = chromiumProcess{programs: browsers}
)

var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait most of the time, one of them for a code to expire.
	_ = flag.Set("test.parallel", "4")
	code := program.Main(&binary, m.Run)
	chromium.stop()
	whole.stop()
	os.Exit(code)
}

// foreignNames is what names end in that lead to this machine and are no loopback
// names.
const foreignNames = ".site.example"

// chromiumProcess is one Chromium for many tests; each browser of a test is a
// profile of its own in it.
type chromiumProcess struct {
	programs []string // the first that is installed

	once sync.Once
	ctx  context.Context
	err  error
	ends []context.CancelFunc
	more []chromedp.ExecAllocatorOption // flags beside the usual ones
}

func (c *chromiumProcess) start(t *testing.T) context.Context {
	t.Helper()
	path := program.Need(t, c.programs...)
	c.once.Do(func() {
		flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path)}
		for _, name := range []string{
			"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
			"disable-component-update", "disable-sync", "no-default-browser-check", "disable-dev-shm-usage", "hide-scrollbars",
			"disable-background-timer-throttling", "disable-renderer-backgrounding", "disable-backgrounding-occluded-windows",
		} {
			flags = append(flags, chromedp.Flag(name, true))
		}
		flags = append(flags, chromedp.Flag("host-resolver-rules", "MAP *"+foreignNames+" 127.0.0.1"))
		allocator, end := chromedp.NewExecAllocator(context.Background(), append(flags, c.more...)...)
		ctx, stop := chromedp.NewContext(allocator)
		c.ctx, c.ends, c.err = ctx, []context.CancelFunc{stop, end}, chromedp.Do(ctx)
	})
	if c.err != nil {
		t.Fatalf("Chromium does not start: %v", c.err)
	}
	return c.ctx
}

func (c *chromiumProcess) stop() {
	for _, end := range c.ends {
		end()
	}
}
