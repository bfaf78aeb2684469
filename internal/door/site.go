package door

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/seal"
)

// Forwarded is a request as the trusted proxy that asks about it says it is, by X-Forwarded-
// headers; empty from anybody else.
type Forwarded struct{ Proto, Host, URI, Method string }

// ForwardedRequest reads what a proxy says of a request. A line that comes twice is a problem:
// one of the two is the visitor's.
func (d *Door) ForwardedRequest(c *fiber.Ctx) (f Forwarded, err error) {
	if !d.ThroughProxy(c) {
		return f, nil
	}
	for name, to := range map[string]*string{
		fiber.HeaderXForwardedProto: &f.Proto, fiber.HeaderXForwardedHost: &f.Host, "X-Forwarded-Uri": &f.URI, "X-Forwarded-Method": &f.Method,
	} {
		lines := c.Request().Header.PeekAll(name)
		switch {
		case len(lines) > 1:
			return Forwarded{}, Fail(http.StatusBadRequest)
		case len(lines) == 1:
			*to = string(lines[0])
		}
	}
	return f, nil
}

// ForOtherHost prepares a response that a proxy shows under the host of an app: whether that
// host is reached by https alone is not for this server to say.
func ForOtherHost(c *fiber.Ctx) { c.Response().Header.Del(strictHeader) }

// IsNavigation reports whether a person's browser goes to a page, and no script or program
// asks (Fetch Metadata). Without Sec-Fetch-Mode an Accept that names text/html counts.
func IsNavigation(c *fiber.Ctx) bool {
	if mode := c.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(c.Get(fiber.HeaderAccept), fiber.MIMETextHTML)
}

// SiteCookie is the cookie of a browser at a site on another host.
const SiteCookie = "djauthy_site"

// enterCookie begins the names of the cookies to which hand-offs to a site are bound. Two
// requests that have none yet are given one each, so that neither takes the other's place.
const enterCookie = "djauthy_enter_"

// siteCookieName is the name of a cookie at a site, by its origin.
func siteCookieName(name, origin string) string {
	if strings.HasPrefix(origin, "https:") {
		return "__Host-" + name
	}
	return name
}

// SiteToken reads a cookie of a site that holds a token.
func SiteToken(c *fiber.Ctx, name, origin string) seal.Token {
	t, _ := seal.ParseToken(c.Cookies(siteCookieName(name, origin)))
	return t
}

// EnterTokens reads the tokens to which hand-offs to a site are bound in this browser.
func EnterTokens(c *fiber.Ctx, origin string) (all []seal.Token) {
	for name, value := range c.Request().Header.Cookies() {
		if !strings.HasPrefix(string(name), siteCookieName(enterCookie, origin)) {
			continue
		}
		if t, ok := seal.ParseToken(string(value)); ok {
			all = append(all, t)
		}
	}
	return all
}

// SetEnterToken has the browser keep one.
func SetEnterToken(c *fiber.Ctx, t seal.Token, origin string, life time.Duration) {
	SetSiteCookie(c, enterCookie+strconv.FormatInt(t.ID, 36), t.String(), origin, life)
}

// SetSiteCookie sets a cookie of a site; life below 0 drops it.
func SetSiteCookie(c *fiber.Ctx, name, value, origin string, life time.Duration) {
	c.Cookie(&fiber.Cookie{
		Name: siteCookieName(name, origin), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HTTPOnly: true, Secure: strings.HasPrefix(origin, "https:"), SameSite: fiber.CookieSameSiteLaxMode,
	})
}
