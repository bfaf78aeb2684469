package web

import (
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/words"
)

// postLanguage keeps the language that was chosen at the foot of a page, and leads back to it:
// to the address that the page names, because what answers a form has none of its own.
func (s *signIn) postLanguage(c *fiber.Ctx) error {
	if language := page.Form(c, "language"); slices.Contains(words.Languages, language) {
		s.Door.SetCookie(c, door.LanguageCookie, language, browserLife)
	}
	back, refusal := door.LocalPath(nonEmpty(page.Form(c, "back"), s.Door.Referer(c)))
	if refusal != "" || back == "" {
		back = "/"
	}
	return c.Redirect(back, http.StatusSeeOther)
}
