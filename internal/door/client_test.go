package door_test

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/djauthy/djauthy/internal/door"
)

func TestLimitsCountAnIPv4AddressAndAnIPv6Slash64(t *testing.T) {
	for text, want := range map[string][2]string{
		"192.0.2.77":           {"192.0.2.77/32", "192.0.2.0/24"},
		"2001:db8:1:2:3:4:5:6": {"2001:db8:1:2::/64", "2001:db8:1::/48"},
		"2001:db8:1:2:ffff::1": {"2001:db8:1:2::/64", "2001:db8:1::/48"},
		"2001:db8:1:3::1":      {"2001:db8:1:3::/64", "2001:db8:1::/48"},
		"127.0.0.1":            {"127.0.0.1/32", "127.0.0.0/24"},
	} {
		a := netip.MustParseAddr(text)
		if got := [2]string{door.Network(a), door.Prefix(a)}; got != want {
			t.Errorf("%s counts and is shown as %v, want %v", text, got, want)
		}
	}
	if door.Network(netip.Addr{}) != "" || door.Prefix(netip.Addr{}) != "" {
		t.Error("no address is a network")
	}
}

func TestAgentSaysOnlyOurOwnWords(t *testing.T) {
	for text, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                 "Firefox/Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":          "Edge/Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15":                  "Safari/macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1": "Chrome/iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":       "Samsung Internet/Android",
		"curl/8.5.0": "curl/",
		"":           "",
		"<script>alert(1)</script>\r\nSubject: x 123456": "",
	} {
		if got := door.Agent(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int{0: 0, time.Millisecond: 1, time.Second: 1, 1001 * time.Millisecond: 2} {
		if got := door.Seconds(d); got != want {
			t.Errorf("%s is %d s, want %d", d, got, want)
		}
	}
}

func TestAtThisMachineIsWhoComesFromItByItsOwnNameAndThroughNoProxy(t *testing.T) {
	d, err := door.New(door.Options{
		PublicURL: "http://localhost:8080", Log: slog.New(slog.DiscardHandler), Observe: func(string, string, int, time.Duration) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		peer, host, header string
		is                 bool
	}{
		{"127.0.0.1", "localhost:8080", "", true},
		{"127.0.0.9", "127.0.0.1:8080", "Accept", true},
		{"::1", "[::1]:8080", "", true},
		{"::ffff:127.0.0.1", "localhost", "", true},
		{"192.0.2.1", "localhost:8080", "", false},
		{"2001:db8::1", "localhost:8080", "", false},
		{"::ffff:192.0.2.1", "localhost:8080", "", false},
		{"127.0.0.1", "login.example", "", false},
		{"127.0.0.1", "localhost:8080", "Forwarded", false},
		{"127.0.0.1", "localhost:8080", "via", false},
		{"127.0.0.1", "localhost:8080", "X-Forwarded-Anything", false},
	} {
		var ctx fasthttp.RequestCtx
		var r fasthttp.Request
		r.Header.SetHost(c.host)
		r.Header.SetProtocol("HTTP/1.1")
		if c.header != "" {
			r.Header.Set(c.header, "")
		}
		ctx.Init(&r, &net.TCPAddr{IP: net.ParseIP(c.peer), Port: 4711}, nil)
		fc := d.App.AcquireCtx(&ctx)
		if is := d.AtThisMachine(fc); is != c.is {
			t.Errorf("%s at %s with %q: %v", c.peer, c.host, c.header, is)
		}
		d.App.ReleaseCtx(fc)
	}
}
