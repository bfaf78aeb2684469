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

// refusal is an answer of the wire other than what was asked for.
type refusal struct {
	status int
	body   any
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %v", r.status, r.body) }

// detail is how the wire tells what is wrong with a whole request.
type detail struct {
	Detail string `json:"detail"`
}

func refuse(status int, text string) *refusal { return &refusal{status, detail{text}} }

// What every client of the wire knows by heart.
var (
	badCredentials = refuse(http.StatusForbidden, "Incorrect authentication credentials.")
	notPermitted   = refuse(http.StatusForbidden, "You do not have permission to perform this action.")
	notFound       = refuse(http.StatusNotFound, "Not found.")
	notAcceptable  = refuse(http.StatusNotAcceptable, "Could not satisfy the request Accept header.")
	notUnique      = &refusal{http.StatusBadRequest, map[string][]string{"non_field_errors": {"The fields name, realm must make a unique set."}}}
)

// verdict is the refusal that a verdict means, nil for OK.
func verdict(v services.Verdict) error {
	switch v {
	case services.OK:
		return nil
	case services.BadCaller:
		return badCredentials
	}
	return notPermitted
}

// answer tells a problem that is not the wire's own.
func answer(c *fiber.Ctx, p *door.Problem) error {
	allow(c)
	if p.Status == http.StatusNotFound {
		return write(c, notFound.body)
	}
	return write(c, detail{words(p) + "."})
}

// allow names the methods of the path, where no handler has.
func allow(c *fiber.Ctx) {
	if methods := allowOf(door.Path(c)); methods != "" {
		c.Set(fiber.HeaderAllow, methods)
	}
}

// words are those of a problem's status, and what to do about it.
func words(p *door.Problem) string {
	text := http.StatusText(p.Status)
	if p.Status == http.StatusRequestEntityTooLarge {
		text += fmt.Sprintf(": a body has at most %d bytes", door.MaxBody)
	}
	return text
}

// write answers with JSON: UTF-8, compact, nothing escaped that need not be.
func write(c *fiber.Ctx, body any) error {
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
