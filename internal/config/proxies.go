package config

import (
	"errors"
	"net/netip"
)

// proxies is a list of address ranges that leaves somebody out. A trusted proxy is believed
// about who a visitor is, where the request comes from and which site it is for: if
// everybody were one, so would be every visitor.
func proxies(key string, at *[]netip.Prefix, help string) setting {
	s := prefixes(key, at, help)
	set := s.set
	s.set = func(v string) error {
		if err := set(v); err != nil {
			return err
		}
		covered := allCovered(*at)
		for _, all := range everybody {
			if covered[all.prefix] {
				return errors.New("the addresses of your proxies alone: these ranges hold every " + all.name + " address, so that each visitor could pretend to be another one")
			}
		}
		return nil
	}
	return s
}

// everybody lists the ranges that hold all visitors of one kind. All addresses of IPv6
// that IANA has given out are in 2000::/3.
var everybody = []struct {
	prefix netip.Prefix
	name   string
}{
	{netip.MustParsePrefix("0.0.0.0/0"), "IPv4"},
	{netip.MustParsePrefix("::/0"), "IPv6"},
	{netip.MustParsePrefix("2000::/3"), "IPv6"},
}

// allCovered is a set of ranges, and each range whose two halves are in it.
func allCovered(ranges []netip.Prefix) map[netip.Prefix]bool {
	covered := map[netip.Prefix]bool{}
	for _, p := range ranges {
		for p.IsValid() && !covered[p] {
			covered[p] = true
			if p.Bits() == 0 || !covered[sibling(p)] {
				break
			}
			p = netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked()
		}
	}
	return covered
}

// sibling is the other half of the range that is one bit wider.
func sibling(p netip.Prefix) netip.Prefix {
	bytes := p.Addr().AsSlice()
	bit := p.Bits() - 1
	bytes[bit/8] ^= 0x80 >> (bit % 8)
	a, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(a, p.Bits())
}
