package door

import (
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	cspOpenForms = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
	csp          = cspOpenForms + "; form-action 'self'"
)

// AllowFormRedirects leaves form-action out of the page's Content-Security-Policy.
// Chromium holds form-action against every redirect that follows the POST, so that
// it would stop an app to which the form leads from redirecting to another origin.
// It is for pages whose form leads to an app; the form's own action is not a
// visitor's to choose.
func AllowFormRedirects(c *fiber.Ctx) {
	c.Response().Header.Set(fiber.HeaderContentSecurityPolicy, cspOpenForms)
}

// fixed are the headers of every answer. A page may only use what comes from
// here, may be framed by nobody, and is kept by nobody.
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

// canonical readies headers whose names are written as they are sent.
func canonical(headers [][2]string) (all [][2][]byte) {
	for _, h := range headers {
		all = append(all, [2][]byte{[]byte(h[0]), []byte(h[1])})
	}
	return all
}

// strictTransport is the value of Strict-Transport-Security (RFC 6797 6.1), "" if
// the server is not reached by https. It says nothing of other hosts unless it is
// asked to: some of them may have no https.
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
		h.Set("Strict-Transport-Security", d.strict)
	}
}
