// Package fiberotp is otp's middleware for Fiber.
package fiberotp

import (
	"bytes"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/client/otp"
)

type key struct{}

// Require passes on requests with a valid triple of one of the realms; without realms, of
// any. See otp.Client.Require.
func Require(c *otp.Client, realms ...string) fiber.Handler {
	return func(f *fiber.Ctx) error {
		name, realm, token, ok := otp.ParseHeader(string(f.Request().Header.Peek(fiber.HeaderAuthorization)))
		if !ok {
			body := f.Request().Body() // as it was sent: f.Body would decompress it without a bound
			if len(body) > otp.MaxBody {
				return deny(f, http.StatusRequestEntityTooLarge, otp.TooLargeText)
			}
			if len(body) > 0 && otp.Packed(string(bytes.Join(f.Request().Header.PeekAll(fiber.HeaderContentEncoding), []byte(",")))) {
				return deny(f, http.StatusUnsupportedMediaType, otp.PackedText)
			}
			name, realm, token = otp.ParseBody(string(f.Request().Header.ContentType()), body)
		}
		if code, text := c.Check(f.UserContext(), realms, name, realm, token); code != http.StatusOK {
			return deny(f, code, text)
		}
		f.Locals(key{}, otp.Identity{Name: name, Realm: realm})
		return f.Next()
	}
}

func deny(f *fiber.Ctx, code int, text string) error {
	return f.Status(code).JSON(map[string]string{"detail": text})
}

// From returns the sender of a request, in a handler behind Require.
func From(f *fiber.Ctx) (otp.Identity, bool) {
	id, ok := f.Locals(key{}).(otp.Identity)
	return id, ok
}
