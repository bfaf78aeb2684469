package door_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/djauthy/djauthy/internal/door"
)

// address is the client's address of a request with these lines, through a trusted
// proxy at 127.0.0.1.
func address(t *testing.T, log *bytes.Buffer, lines ...string) string {
	t.Helper()
	return addresses(t, log)(lines...)
}

func addresses(t *testing.T, log *bytes.Buffer) func(lines ...string) string {
	t.Helper()
	d, err := door.New(door.Options{
		PublicURL: "https://login.example", Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")},
		Log: slog.New(slog.NewTextHandler(log, nil)), Observe: func(string, string, int, time.Duration) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(lines ...string) string {
		var ctx fasthttp.RequestCtx
		var r fasthttp.Request
		for _, line := range lines {
			r.Header.Add(fiber.HeaderXForwardedFor, line)
		}
		ctx.Init(&r, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}, nil)
		c := d.App.AcquireCtx(&ctx)
		defer d.App.ReleaseCtx(c)
		return d.Address(c).String()
	}
}

func TestAnAddressIsReadInTheFormsThatProxiesWrite(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7":                     "203.0.113.7",
		"203.0.113.7:51234":               "203.0.113.7",
		"2001:db8::7":                     "2001:db8::7",
		"[2001:db8::7]":                   "2001:db8::7",
		"[2001:db8::7]:51234":             "2001:db8::7",
		`"[2001:db8::7]:51234"`:           "2001:db8::7",
		"fe80::1%eth0":                    "fe80::1",
		"[fe80::1%eth0]:80":               "fe80::1",
		"::ffff:203.0.113.7":              "203.0.113.7",
		"[::ffff:203.0.113.7]:1":          "203.0.113.7",
		" 203.0.113.7 ":                   "203.0.113.7",
		"198.51.100.1, 203.0.113.7":       "203.0.113.7",
		"198.51.100.1,, 203.0.113.7, ,":   "203.0.113.7",
		"198.51.100.1:1, 10.1.2.3:443":    "198.51.100.1",
		"198.51.100.1, 203.0.113.7:port":  "127.0.0.1",
		"198.51.100.1, 203.0.113.7:":      "127.0.0.1",
		"198.51.100.1, 203.0.113.7:12x":   "127.0.0.1",
		"198.51.100.1, [203.0.113.7]":     "127.0.0.1",
		"198.51.100.1, [2001:db8::7":      "127.0.0.1",
		"198.51.100.1, [2001:db8::7]:":    "127.0.0.1",
		"198.51.100.1, [2001:db8::7]:12x": "127.0.0.1",
		"198.51.100.1, [2001:db8::7]1":    "127.0.0.1",
		"198.51.100.1, unknown":           "127.0.0.1",
		"198.51.100.1, _hidden":           "127.0.0.1",
		"198.51.100.1, unknown, 10.1.2.3": "10.1.2.3",
		"":                                "127.0.0.1",
	} {
		var log bytes.Buffer
		if got := address(t, &log, text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// Row 66. HAProxy adds a line of its own below the visitor's.
func TestSeveralLinesOfAHeaderAreOneList(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		{[]string{"203.0.113.7", "10.1.2.3"}, "203.0.113.7"},
		{[]string{"198.51.100.1, 198.51.100.2", "203.0.113.7, 10.1.2.3"}, "203.0.113.7"},
		{[]string{"", "203.0.113.7", ""}, "203.0.113.7"},
		{[]string{"198.51.100.1", "unknown"}, "127.0.0.1"},
	} {
		var log bytes.Buffer
		if got := address(t, &log, c.lines...); got != c.want {
			t.Errorf("%q is %s, want %s", c.lines, got, c.want)
		}
	}
}

func TestAProxyThatNamesNoAddressIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	read := addresses(t, &log)
	for i := range 20 {
		read(fmt.Sprintf("evil, <\x1b]0;unknown%d>%s", i, strings.Repeat("a", 500)))
	}
	if n := strings.Count(log.String(), "no address"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, log.String())
	}
	if text := log.String(); len(text) > 500 || strings.ContainsAny(text, "<\x1b") || strings.Contains(text, `\x1b`) {
		t.Errorf("what the header holds stands in the log as it came: %s", text)
	}
}
