package page

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// DetachedBase is the Base of a page that a proxy shows under the host of an app, where
// neither the files nor the pages of this server are: the style is within it, it has no
// script, and links begin with public_url. It allows the response just that.
func (s *Site) DetachedBase(c *fiber.Ctx) Base {
	b := s.base(s.browserLanguage(c), false)
	b.Style, b.Root, b.Brand.Logo = s.files.style, s.Options.PublicURL, ""
	door.AllowDetached(c, s.files.styleHash, s.Options.PublicURL)
	return b
}

// ShowDetached writes a problem as a page that stands by itself, or as text where nobody
// would look at one.
func (s *Site) ShowDetached(c *fiber.Ctx, p *door.Problem) error {
	if !door.IsNavigation(c) {
		return c.SendString(http.StatusText(p.Status) + "\n")
	}
	e := s.errorPage(c, p, s.DetachedBase(c))
	if e.Link[0] == '/' {
		e.Link = e.Root + e.Link
	}
	return s.Write(c, "error.html", e)
}

// setStyle makes the one style of detached pages from the style sheets.
func (f *files) setStyle() {
	var text []byte
	for _, name := range []string{"djauthy.css", "accent.css"} {
		if x, ok := f.byName[name]; ok {
			text = append(text, x.body...)
		}
	}
	sum := sha256.Sum256(text)
	f.style = template.CSS(text) //nolint:gosec // our own style sheets
	f.styleHash = base64.StdEncoding.EncodeToString(sum[:])
}
