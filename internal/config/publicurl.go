package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// publicURL is a setting that holds an origin (RFC 6454 4). It is normalised, so that it
// can be compared with the Origin header of browsers.
func publicURL(key string, at *string, help string) setting {
	return setting{
		key: key, help: help, isString: true, get: func() string { return *at },
		set: func(v string) (err error) {
			if *at = v; v != "" {
				*at, err = ParseOrigin(v)
			}
			return err
		},
	}
}

var errOrigin = errors.New("scheme and host alone, such as https://login.example.org, with no path")

// ParseOrigin normalises an origin that a person typed, such as https://Example.org:443/, as
// browsers write it. The error says what an origin looks like.
func ParseOrigin(v string) (string, error) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" || strings.ContainsAny(v, "?#@") || strings.HasSuffix(u.Host, ":") {
		return "", errOrigin
	}
	return Origin(u.Scheme, u.Host)
}

// Origin is the origin of a scheme, http or https, and the host[:port] of a URL or a Host
// header, as browsers write it (RFC 6454 6.2): see ParseHost, and without the default port.
func Origin(scheme, host string) (string, error) {
	name, port, err := ParseHost(host)
	if err != nil {
		return "", errOrigin
	}
	return origin(scheme, name, port), nil
}

func origin(scheme, name, port string) string {
	switch {
	case port != "" && port != DefaultPort(scheme):
		name = net.JoinHostPort(name, port)
	case strings.Contains(name, ":"):
		name = "[" + name + "]"
	}
	return scheme + "://" + name
}

// DefaultPort is the port that a URL without one means (RFC 9110 4.2.1, 4.2.2).
func DefaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

var errHost = errors.New("not a host name or an address")

// ParseHost splits the host[:port] of a URL or a Host header and normalises the name: lower
// case, ASCII (RFC 5891), no final dot, an IPv6 address without brackets. The port is "" if
// there is none. A name or port that is not valid is an error.
func ParseHost(host string) (name, port string, err error) {
	name = host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0 || strconv.FormatUint(n, 10) != port) {
		return "", "", errHost
	}
	if inner, v6 := strings.CutPrefix(name, "["); v6 {
		name, err = parseIPv6(inner)
		return name, port, err
	}
	name, err = parseDomain(strings.TrimSuffix(name, "."))
	return name, port, err
}

// parseIPv6 parses an IPv6 address and its closing bracket.
func parseIPv6(text string) (string, error) {
	text, closed := strings.CutSuffix(text, "]")
	a, err := netip.ParseAddr(text)
	if err != nil || !closed || !a.Is6() || a.Zone() != "" {
		return "", errHost
	}
	return a.String(), nil
}

func parseDomain(name string) (string, error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r > 0x7f }) {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", errHost
		}
		name = strings.TrimSuffix(ascii, ".") // ToASCII makes a dot of the full stops of other scripts
	}
	name = strings.ToLower(name)
	if len(name) > 253 {
		return "", errHost
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return !hostRune(r) }) {
			return "", errHost
		}
	}
	return name, nil
}

// hostRune accepts letters, digits and the hyphen (RFC 1123 2.1), and the underscore, which
// container names have.
func hostRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// Loopback reports whether a host name means this machine itself: localhost and its
// subdomains (RFC 6761 6.3), and the loopback addresses.
func Loopback(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.IsLoopback()
}
