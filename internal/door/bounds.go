package door

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
)

const (
	// maxFields bounds the fields of a form and of a query: each costs a hundred bytes
	// once it is parsed, and more when it is short than its text does.
	maxFields = 1000
	// maxParts bounds the parts of a multipart body. The forms here have six.
	maxParts = 100
)

// bounded refuses what would take much more memory than was sent: bodies that are
// packed (the limit on a body counts the bytes that come, and unpacking multiplies
// them), and queries of many tiny fields.
func bounded(c *fiber.Ctx) error {
	for _, coding := range List(c, fiber.HeaderContentEncoding) {
		if !strings.EqualFold(coding, "identity") {
			c.Set(fiber.HeaderAcceptEncoding, "identity") // RFC 9110 12.5.3
			return Fail(http.StatusUnsupportedMediaType)
		}
	}
	if bytes.Count(c.Context().QueryArgs().QueryString(), []byte("&")) >= maxFields {
		return Fail(http.StatusBadRequest)
	}
	return nil
}

// FewFields refuses a form of many tiny fields.
func FewFields(c *fiber.Ctx) error {
	// fasthttp parses whatever begins with the type's name.
	if !isForm(c, fiber.MIMEMultipartForm) && bytes.Count(c.Request().Body(), []byte("&")) >= maxFields {
		return Fail(http.StatusRequestEntityTooLarge)
	}
	return c.Next()
}

func isForm(c *fiber.Ctx, media string) bool {
	kind, _, _ := strings.Cut(string(c.Request().Header.ContentType()), ";")
	return strings.EqualFold(strings.TrimSpace(kind), media)
}

// FormValue returns the first field of that name of the form in the request's body, ""
// if there is none. What stands in the URL is no form: it would be in logs and
// histories. Files are no fields.
func FormValue(c *fiber.Ctx, name string) string {
	if !isForm(c, fiber.MIMEMultipartForm) {
		return string(c.Request().PostArgs().Peek(name))
	}
	const key = "parts"
	values, ok := c.Locals(key).(map[string]string)
	if !ok {
		values = parts(c.Request().Body(), string(c.Request().Header.MultipartFormBoundary()))
		c.Locals(key, values)
	}
	return values[name]
}

// parts reads the fields of a multipart body, up to what is none.
func parts(body []byte, boundary string) map[string]string {
	values := map[string]string{}
	if boundary == "" {
		return values
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := r.NextRawPart() // which unpacks nothing
		if err != nil {
			return values
		}
		name := part.FormName()
		if _, twice := values[name]; twice || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return values
		}
		values[name] = string(value)
	}
	return values
}
