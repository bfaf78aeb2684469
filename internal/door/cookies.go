package door

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/seal"
)

// Cookies of a browser. Under https their names begin with __Host-, so that no other host
// and no http connection can set them (RFC 6265bis 4.1.3.2).
const (
	SessionCookie = "djauthy"
	AttemptCookie = "djauthy_attempt"
	LinkCookie    = "djauthy_link"
	BrowserCookie = "djauthy_browser"
	AskedCookie   = "djauthy_asked"
	MergeCookie   = "djauthy_merge"
	// BoundCookie is the short-lived one of a session that is bound to a key of the device.
	BoundCookie = "djauthy_bound"
	// DeviceCookie is that of a browser in which a second factor is not asked for again.
	DeviceCookie = "djauthy_device"
	// AddCookie keeps the address to add during a step-up.
	AddCookie = "djauthy_add"
	// LanguageCookie is the language that was chosen in the browser.
	LanguageCookie = "djauthy_language"
)

func (d *Door) cookieName(name string) string {
	if d.https {
		return "__Host-" + name
	}
	return name
}

// CookieName is the full name of one of our cookies.
func (d *Door) CookieName(name string) string { return d.cookieName(name) }

// Cookie returns the value of one of our cookies, "" if there is none.
func (d *Door) Cookie(c *fiber.Ctx, name string) string { return c.Cookies(d.cookieName(name)) }

// HasCookies reports whether the browser sent any of our cookies.
func (d *Door) HasCookies(c *fiber.Ctx) bool {
	for _, name := range []string{BrowserCookie, SessionCookie, AttemptCookie, LinkCookie} {
		if d.Cookie(c, name) != "" {
			return true
		}
	}
	return false
}

// OtherCookies are the cookies of a request without ours, as they were sent; "": there are
// none. Names are compared without case, since some programs do so.
func OtherCookies(c *fiber.Ctx) string {
	var kept []string
	for line := range strings.SplitSeq(string(c.Request().Header.RawHeaders()), "\n") {
		name, pairs, _ := strings.Cut(line, ":")
		if !strings.EqualFold(name, fiber.HeaderCookie) {
			continue
		}
		for pair := range strings.SplitSeq(strings.TrimSpace(pairs), ";") {
			name, _, _ := strings.Cut(strings.ToLower(pair), "=")
			if !strings.HasPrefix(strings.TrimPrefix(strings.TrimSpace(name), "__host-"), "djauthy") {
				kept = append(kept, pair)
			}
		}
	}
	return strings.TrimSpace(strings.Join(kept, ";"))
}

// Token reads a cookie that holds a token; without one it returns the zero token.
func (d *Door) Token(c *fiber.Ctx, name string) seal.Token {
	t, _ := seal.ParseToken(d.Cookie(c, name))
	return t
}

// SetCookie sets a cookie that expires after life.
func (d *Door) SetCookie(c *fiber.Ctx, name, value string, life time.Duration) {
	c.Cookie(&fiber.Cookie{
		Name: d.cookieName(name), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HTTPOnly: true, Secure: d.https, SameSite: fiber.CookieSameSiteLaxMode,
	})
}

// DropCookie has the browser delete a cookie.
func (d *Door) DropCookie(c *fiber.Ctx, name string) { d.SetCookie(c, name, "", -time.Second) }
