package door

import (
	"net/http"
	"net/url"

	"github.com/gofiber/fiber/v2"
)

// SameOrigin refuses a POST that another site made a browser send.
func (d *Door) SameOrigin(c *fiber.Ctx) error {
	if m := c.Method(); m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions {
		return c.Next()
	}
	r := &http.Request{
		Method: c.Method(), Host: d.public.Host, URL: &url.URL{Path: "/"},
		Header: http.Header{"Sec-Fetch-Site": {c.Get("Sec-Fetch-Site")}, "Origin": {c.Get("Origin")}},
	}
	if err := d.origin.Check(r); err != nil {
		return &Problem{Status: http.StatusForbidden, Key: "cross_site"}
	}
	return c.Next()
}
