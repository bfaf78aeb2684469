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
	// maxFields bounds the fields of a form and of a query: a parsed field takes a hundred
	// bytes, much more than the text of a short one.
	maxFields = 1000
	// maxParts bounds the parts of a multipart body. The forms here have six.
	maxParts = 100
)

// bounded refuses what would take much more memory than was sent: compressed bodies (the
// limit on bodies counts compressed bytes), and queries of many tiny fields. Without a body
// the header is one that a proxy passed on with its question about another request.
func bounded(c *fiber.Ctx) error {
	for _, coding := range List(c, fiber.HeaderContentEncoding) {
		if !strings.EqualFold(coding, "identity") && len(c.Request().Body()) > 0 {
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
	// fasthttp parses any body whose type begins with the name of a form's.
	if !isForm(c, fiber.MIMEMultipartForm) && bytes.Count(c.Request().Body(), []byte("&")) >= maxFields {
		return Fail(http.StatusRequestEntityTooLarge)
	}
	return c.Next()
}

func isForm(c *fiber.Ctx, media string) bool {
	kind, _, _ := strings.Cut(string(c.Request().Header.ContentType()), ";")
	return strings.EqualFold(strings.TrimSpace(kind), media)
}

// FormValue returns the first field of that name in the form of the request's body, "" if
// there is none. The URL's query does not count: it ends up in logs and histories. Neither
// do uploaded files.
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

// parts reads the fields of a multipart body, up to the first malformed part.
func parts(body []byte, boundary string) map[string]string {
	values := map[string]string{}
	if boundary == "" {
		return values
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := r.NextRawPart() // which decodes nothing
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
