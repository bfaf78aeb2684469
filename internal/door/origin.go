package door

import (
	"net/http"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/config"
)

// An address is an origin (RFC 6454 4) in normal form. Its port is never empty.
type address struct{ scheme, name, port string }

func addressOf(u *url.URL) (address, error) {
	name, port, err := config.ParseHost(u.Host)
	return address{u.Scheme, name, orDefault(port, u.Scheme)}, err
}

// parseOrigin reads an Origin header. It returns the zero address for none and for "null",
// which browsers send to hide the origin.
func parseOrigin(header string) address {
	u, err := url.Parse(header)
	if err != nil || u.Scheme == "" {
		return address{}
	}
	a, err := addressOf(u)
	if err != nil {
		return address{}
	}
	return a
}

// SameOrigin refuses cross-site requests (CSRF), as http.CrossOriginProtection decides with
// public_url's host. It also refuses a form from this site's own name over http where
// public_url is https: the browser would not send the cookies that the response sets.
func (d *Door) SameOrigin(c *fiber.Ctx) error {
	if m := c.Method(); m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions {
		return c.Next()
	}
	header := c.Get(fiber.HeaderOrigin)
	from := parseOrigin(header)
	overHTTP := d.https && from.scheme == "http" && from.name == d.site.name
	if d.isOwn(c, from) {
		header = d.site.origin
	}
	r := &http.Request{
		Method: c.Method(), Host: d.public.Host, URL: &url.URL{Path: "/"},
		Header: http.Header{"Sec-Fetch-Site": {c.Get("Sec-Fetch-Site")}, "Origin": {header}},
	}
	refused := d.origin.Check(r) != nil || overHTTP
	foreign := from != (address{}) && header != d.site.origin
	if foreign {
		d.WarnOnce("origin "+header, "a form came from another origin than public_url", "origin", Readable(header), "public_url", d.site.origin, "refused", refused)
	}
	switch {
	case !refused:
		return c.Next()
	case foreign:
		return d.otherOrigin(c, from, overHTTP)
	}
	return &Problem{Status: http.StatusForbidden, Key: "cross_site"}
}

// isOwn reports whether an origin is public_url's or, for a server on loopback, the
// loopback name of the request.
func (d *Door) isOwn(c *fiber.Ctx, from address) bool {
	return from == d.site.address || config.Loopback(d.site.name) && config.Loopback(from.name) && d.reachedBy(c, from)
}

// reachedBy reports whether an origin is the one under which this request reached the
// server, so that the page itself was opened under it.
func (d *Door) reachedBy(c *fiber.Ctx, from address) bool {
	hosts := []string{string(c.Request().Header.Host())}
	if d.ThroughProxy(c) {
		hosts = append(hosts, c.Get(fiber.HeaderXForwardedHost))
	}
	for _, host := range hosts {
		name, port, err := config.ParseHost(host)
		if err == nil && name == from.name && orDefault(port, from.scheme) == from.port {
			return true
		}
	}
	return false
}

// Referer is the path of the page of this site that a request comes from, "" if
// it comes from elsewhere or does not say. Referrer-Policy lets browsers send it
// within the site.
func (d *Door) Referer(c *fiber.Ctx) string {
	u, err := url.Parse(c.Get(fiber.HeaderReferer))
	if err != nil {
		return ""
	}
	from, err := addressOf(u)
	if err != nil || from != d.site.address && !d.reachedBy(c, from) {
		return ""
	}
	return u.Path
}

// otherOrigin is the refusal that links to the right address. A proxy may hide the name
// under which the site was opened, so the page about cross-site forms has the link, too:
// the same form would be refused again.
func (d *Door) otherOrigin(c *fiber.Ctx, from address, overHTTP bool) error {
	p := &Problem{Status: http.StatusForbidden, Key: "cross_site", Link: d.site.origin + wanted(c)}
	if overHTTP || d.reachedBy(c, from) {
		p.Key = "wrong_address"
	}
	return p
}
