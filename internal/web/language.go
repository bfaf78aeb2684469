package web

import (
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/page"
	"github.com/djauthy/djauthy/internal/words"
)

// postLanguage keeps the language that was chosen at the foot of a page, and leads back to it.
func (s *signIn) postLanguage(c *fiber.Ctx) error {
	if language := page.Form(c, "language"); slices.Contains(words.Languages, language) {
		s.Door.SetCookie(c, door.LanguageCookie, language, browserLife)
	}
	back, refusal := door.LocalPath(s.Door.Referer(c))
	if refusal != "" || back == "" {
		back = "/"
	}
	return c.Redirect(back, http.StatusSeeOther)
}
