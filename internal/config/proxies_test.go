package config_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestEverybodyIsNoTrustedProxy(t *testing.T) {
	for _, c := range []struct{ ranges, name string }{
		{"0.0.0.0/0", "IPv4"},
		{"::/0", "IPv6"},
		{"2000::/3", "IPv6"},
		{"10.0.0.0/8,0.0.0.0/0", "IPv4"},
		{"203.0.113.7/0", "IPv4"},
		{"0.0.0.0/1,128.0.0.0/1", "IPv4"},
		{"192.0.0.0/2,0.0.0.0/1,10.0.0.0/8,128.0.0.0/2", "IPv4"},
		{"::/1,8000::/1", "IPv6"},
		{"3000::/4,2000::/4", "IPv6"},
		{"127.0.0.1/32,::/0", "IPv6"},
		{eights(), "IPv4"},
	} {
		_, _, err := load("", "DJAUTHY_TRUSTED_PROXIES="+c.ranges)
		wantError(t, err, "trusted_proxies", c.ranges, "every "+c.name+" address", "DJAUTHY_TRUSTED_PROXIES")
	}
	for _, ranges := range []string{
		"10.0.0.0/8,172.16.0.0/12,192.168.0.0/16", "0.0.0.0/1", "0.0.0.0/1,128.0.0.0/2", "::/1", "2000::/4", "127.0.0.1/32,::1/128", "0.0.0.0/1,8000::/1",
		strings.Join(strings.Split(eights(), ",")[1:], ","),
	} {
		if c := must(t, "", "DJAUTHY_TRUSTED_PROXIES="+ranges); len(c.TrustedProxies) == 0 {
			t.Errorf("%s: none", ranges)
		}
	}
}

// eights are the 256 ranges of IPv4 that have eight bits.
func eights() string {
	var all []string
	for i := range 256 {
		all = append(all, fmt.Sprintf("%d.0.0.0/8", i))
	}
	return strings.Join(all, ",")
}
