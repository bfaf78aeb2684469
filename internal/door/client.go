package door

import (
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/config"
)

func (d *Door) trusts(a netip.Addr) bool {
	for _, p := range d.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Network is an address as limits count it: one IPv4 address, or the /64 that
// one IPv6 customer has.
func Network(a netip.Addr) string { return masked(a, 32, 64) }

// Prefix is an address as it is stored and as people see it: /24 or /48.
func Prefix(a netip.Addr) string { return masked(a, 24, 48) }

func masked(a netip.Addr, v4, v6 int) string {
	bits := v6
	if a.Is4() {
		bits = v4
	}
	p, err := a.Prefix(bits)
	if err != nil || !p.IsValid() {
		return ""
	}
	return p.String()
}

// isForwarding reports whether a header, in lower case, is one that proxies add.
func isForwarding(name string) bool {
	switch name {
	case "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "cf-connecting-ip", "true-client-ip":
		return true
	}
	return strings.HasPrefix(name, "x-forwarded") || strings.HasPrefix(name, "x-original-")
}

// AtThisMachine reports whether the request comes from this machine itself, under a
// loopback name, and not through a proxy on it. Another name may be that of a page elsewhere
// whose owner lets it resolve to this machine (DNS rebinding). A proxy that adds no header,
// as nginx by default, sends HTTP/1.0, which no program that reads metrics does.
func (d *Door) AtThisMachine(c *fiber.Ctx) bool {
	if !c.Request().Header.IsHTTP11() || !loopbackHost(c) {
		return false
	}
	forwarded := false
	for name := range c.Request().Header.All() {
		forwarded = forwarded || isForwarding(strings.ToLower(string(name)))
	}
	if forwarded {
		return false
	}
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	return ok && peer.Unmap().IsLoopback()
}

func loopbackHost(c *fiber.Ctx) bool {
	name, _, err := config.ParseHost(string(c.Request().Header.Host()))
	return err == nil && config.Loopback(name)
}

// browsers and systems are the words of a User-Agent that identify them, the more specific
// ones first.
var (
	browsers = [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"Vivaldi", "Vivaldi"},
		{"SamsungBrowser", "Samsung Internet"},
		{"Firefox", "Firefox"},
		{"FxiOS", "Firefox"},
		{"CriOS", "Chrome"},
		{"Chrome", "Chrome"},
		{"Safari", "Safari"},
		{"curl", "curl"},
		{"Wget", "Wget"},
		{"Go-http-client", "Go"},
		{"python", "Python"},
		{"Lynx", "Lynx"},
		{"w3m", "w3m"},
	}
	systems = [][2]string{
		{"Android", "Android"},
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"Linux", "Linux"},
		{"FreeBSD", "FreeBSD"},
		{"OpenBSD", "OpenBSD"},
	}
)

// Agent names a browser and its system as "Firefox/Linux". The result is made of the names
// above only, so that it is safe in messages and logs.
func Agent(userAgent string) string {
	if len(userAgent) > 512 {
		userAgent = userAgent[:512]
	}
	browser, system := firstMatch(userAgent, browsers), firstMatch(userAgent, systems)
	if browser == "" && system == "" {
		return ""
	}
	return browser + "/" + system
}

func firstMatch(s string, names [][2]string) string {
	for _, w := range names {
		if strings.Contains(s, w[0]) {
			return w[1]
		}
	}
	return ""
}
