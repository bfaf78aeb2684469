package door

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	cspOpenForms = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
	csp          = cspOpenForms + "; form-action 'self'"
)

// AllowFormRedirects leaves form-action out of the page's Content-Security-Policy. It is
// for pages whose form leads to an app: Chromium applies form-action to every redirect
// after the POST, too, so that the app could not redirect to another origin. Visitors
// cannot choose the form's action.
func AllowFormRedirects(c *fiber.Ctx) {
	c.Response().Header.Set(fiber.HeaderContentSecurityPolicy, cspOpenForms)
}

// AllowFormTo lets the page's form lead to these origins, too: the providers to which its
// POST may redirect. Without one it is as on every page.
func AllowFormTo(c *fiber.Ctx, origins []string) {
	if len(origins) > 0 {
		c.Response().Header.Set(fiber.HeaderContentSecurityPolicy, csp+" "+strings.Join(origins, " "))
	}
}

// AllowDetached is for a page under the host of an app: it loads nothing, has the one style
// of a hash (SHA-256, base64), and its form leads from there to this origin.
func AllowDetached(c *fiber.Ctx, style, origin string) {
	c.Response().Header.Set(fiber.HeaderContentSecurityPolicy,
		"default-src 'none'; style-src 'sha256-"+style+"'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+origin)
}

// AllowFetch lets the page's script make requests to this origin (CSP connect-src).
func AllowFetch(c *fiber.Ctx) {
	h := &c.Response().Header
	h.Set(fiber.HeaderContentSecurityPolicy, string(h.Peek(fiber.HeaderContentSecurityPolicy))+"; connect-src 'self'")
}

// fixed are the headers of every response. A page may only load resources of this origin,
// must not be framed, and must not be cached.
var fixed = canonical([][2]string{
	{"Content-Security-Policy", csp},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Embedder-Policy", "require-corp"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	{"Cache-Control", "no-store"},
})

// canonical converts headers whose names are in canonical form.
func canonical(headers [][2]string) (all [][2][]byte) {
	for _, h := range headers {
		all = append(all, [2][]byte{[]byte(h[0]), []byte(h[1])})
	}
	return all
}

const strictHeader = "Strict-Transport-Security"

// strictTransport is the value of Strict-Transport-Security (RFC 6797 6.1), "" if
// the server is not reached by https. By default it does not cover subdomains, some of
// which may have no https.
func strictTransport(https, subdomains bool) string {
	switch {
	case !https:
		return ""
	case subdomains:
		return "max-age=63072000; includeSubDomains"
	}
	return "max-age=63072000"
}

func (d *Door) setHeaders(h *fasthttp.ResponseHeader) {
	for _, f := range fixed {
		h.SetCanonical(f[0], f[1])
	}
	if d.strict != "" {
		h.Set(strictHeader, d.strict)
	}
}
