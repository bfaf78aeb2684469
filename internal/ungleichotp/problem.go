package ungleichotp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/internal/services"
)

// refusal is an error with the response that the wire has for it.
type refusal struct {
	status int
	body   any
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %v", r.status, r.body) }

// detail is the JSON for what is wrong with a whole request.
type detail struct {
	Detail string `json:"detail"`
}

func refuse(status int, text string) *refusal { return &refusal{status, detail{text}} }

// The refusals of the original, on whose texts clients rely.
var (
	badCredentials = refuse(http.StatusForbidden, "Incorrect authentication credentials.")
	notPermitted   = refuse(http.StatusForbidden, "You do not have permission to perform this action.")
	notFound       = refuse(http.StatusNotFound, "Not found.")
	notAcceptable  = refuse(http.StatusNotAcceptable, "Could not satisfy the request Accept header.")
	notUnique      = &refusal{http.StatusBadRequest, map[string][]string{"non_field_errors": {"The fields name, realm must make a unique set."}}}
)

// refusalOf is the refusal that a verdict means, nil for OK.
func refusalOf(v services.Verdict) error {
	switch v {
	case services.OK:
		return nil
	case services.BadCaller:
		return badCredentials
	}
	return notPermitted
}

// writeProblem writes a problem that a handler did not foresee.
func writeProblem(c *fiber.Ctx, p *door.Problem) error {
	allow(c)
	if p.Status == http.StatusNotFound {
		return writeJSON(c, notFound.body)
	}
	return writeJSON(c, detail{problemText(p) + "."})
}

// allow sets the header Allow, where no handler has.
func allow(c *fiber.Ctx) {
	if methods := allowOf(door.Path(c)); methods != "" {
		c.Set(fiber.HeaderAllow, methods)
	}
}

// problemText is the text of a problem's status, and what to do about it.
func problemText(p *door.Problem) string {
	text := http.StatusText(p.Status)
	if p.Status == http.StatusRequestEntityTooLarge {
		text += fmt.Sprintf(": a body has at most %d bytes", door.MaxBody)
	}
	return text
}

// writeJSON responds with JSON: UTF-8, compact, nothing escaped that need not be.
func writeJSON(c *fiber.Ctx, body any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return err
	}
	return send(c, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func send(c *fiber.Ctx, body []byte) error {
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	return c.Send(body)
}
