package door

import (
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Address is the client's address. X-Forwarded-For counts only from trusted proxies and is
// read from the right, up to the first address that is not a trusted proxy's: anybody can
// write what is further left. Text that is not an address ends the walk, and the address of
// the proxy that wrote it counts for all its visitors.
func (d *Door) Address(c *fiber.Ctx) netip.Addr {
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return netip.Addr{}
	}
	peer = peer.Unmap()
	if !d.trusts(peer) {
		return peer
	}
	hops := List(c, fiber.HeaderXForwardedFor)
	for i := len(hops) - 1; i >= 0 && d.trusts(peer); i-- {
		hop, ok := hopAddress(hops[i])
		if !ok {
			d.noAddress.Do(func() {
				d.log.Warn("a trusted proxy names a visitor that is no address, so that all its visitors share one budget; have it send X-Forwarded-For with the address alone",
					"proxy", Prefix(peer), "says", Readable(hops[i]))
			})
			break
		}
		peer = hop
	}
	return peer
}

// List returns the elements of a header that holds a list. Several lines of it form one
// list, and empty elements are left out (RFC 9110 5.3, 5.6.1).
func List(c *fiber.Ctx, name string) (all []string) {
	for _, line := range c.Request().Header.PeekAll(name) {
		for element := range strings.SplitSeq(string(line), ",") {
			if element = strings.TrimSpace(element); element != "" {
				all = append(all, element)
			}
		}
	}
	return all
}

// hopAddress reads an address as proxies write it: 203.0.113.7, 203.0.113.7:51234,
// 2001:db8::7, [2001:db8::7], [2001:db8::7]:51234, with a zone, or in quotation marks.
func hopAddress(text string) (netip.Addr, bool) {
	text = strings.Trim(text, `"`)
	if inside, ok := strings.CutPrefix(text, "["); ok {
		address, port, closed := strings.Cut(inside, "]")
		a, err := netip.ParseAddr(address)
		return withoutZone(a), closed && err == nil && a.Is6() && (port == "" || isPort(port))
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return withoutZone(a), true
	}
	address, port, _ := strings.Cut(text, ":")
	a, err := netip.ParseAddr(address)
	return withoutZone(a), err == nil && a.Is4() && isPort(":"+port)
}

func withoutZone(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// isPort reports whether text is a colon and a number of up to five digits.
func isPort(text string) bool {
	digits, ok := strings.CutPrefix(text, ":")
	return ok && digits != "" && len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}
