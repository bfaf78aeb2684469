package door

import (
	"bytes"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/config"
)

// site is public_url in the forms with which requests are compared.
type site struct {
	address
	origin string // as browsers send it in Origin
	host   []byte // as browsers send it in Host
}

func siteOf(public *url.URL) (site, error) {
	a, err := addressOf(public)
	return site{a, public.Scheme + "://" + public.Host, []byte(public.Host)}, err
}

func orDefault(port, scheme string) string {
	if port == "" {
		return config.DefaultPort(scheme)
	}
	return port
}

// OwnHost answers 421 (RFC 9110 15.5.20) to a request whose Host is neither
// public_url's nor a loopback name, unless it came through a trusted proxy. Else
// a page elsewhere could have its own name resolve to this server (DNS
// rebinding), and its scripts could read and post here as this site's own.
func (d *Door) OwnHost(c *fiber.Ctx) error {
	if d.atOwnHost(c) {
		return c.Next()
	}
	host := string(c.Request().Header.Host())
	d.WarnOnce("host "+host, "a page was requested under a host that is not public_url's; if a proxy forwarded the request, add its address to trusted_proxies",
		"host", Readable(host), "public_url", d.site.origin)
	return &Problem{Status: http.StatusMisdirectedRequest, Key: "wrong_address", Link: d.site.origin + wanted(c)}
}

// atOwnHost checks the host of the request's target, too: an absolute one
// replaces the Host header (RFC 9112 3.2.2).
func (d *Door) atOwnHost(c *fiber.Ctx) bool {
	host, target := c.Request().Header.Host(), c.Request().URI().Host()
	if bytes.Equal(host, d.site.host) && bytes.Equal(target, d.site.host) {
		return true
	}
	return d.ThroughProxy(c) || d.site.has(string(host)) && d.site.has(string(target))
}

// ThroughProxy reports whether the connection comes from a trusted proxy.
func (d *Door) ThroughProxy(c *fiber.Ctx) bool {
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	return ok && d.trusts(peer.Unmap())
}

// has reports whether a Host header names the site or this machine. The port may be
// missing: only names can be made to resolve to this server.
func (s *site) has(host string) bool {
	name, port, err := config.ParseHost(host)
	if err != nil {
		return false
	}
	return config.Loopback(name) || name == s.name && (port == "" || port == s.port)
}

// wanted is the path of a request, or that of the sign-in page where a link cannot repeat
// the request.
func wanted(c *fiber.Ctx) string {
	path := ""
	if c.Method() == http.MethodGet || c.Method() == http.MethodHead {
		path, _ = LocalPath(c.OriginalURL())
	}
	if path == "" {
		return "/login"
	}
	return path
}

// Readable makes text from a client fit for a log: short, and only with characters that an
// origin can have.
func Readable(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:/[]", r) {
			return r
		}
		return '?'
	}, s[:min(len(s), 100)])
}

// maxWarnings bounds the different warnings that clients can cause in one process.
const maxWarnings = 32

// warnings are the subjects of the warnings already logged.
type warnings struct {
	mu    sync.Mutex
	given map[string]bool
}

func (w *warnings) isFirst(about string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.given[about] || len(w.given) >= maxWarnings {
		return false
	}
	if w.given == nil {
		w.given = map[string]bool{}
	}
	w.given[about] = true
	return true
}

// WarnOnce logs a warning about the settings that a request reveals, once for each subject.
func (d *Door) WarnOnce(about, message string, pairs ...any) {
	if d.warned.isFirst(Readable(about)) {
		d.log.Warn(message, pairs...)
	}
}
