package ungleichotp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/djauthy/djauthy/internal/plainjson"
)

// fields are those of a body, in JSON or a form. Of a repeated name the last counts. They
// are few, so that a list is searched faster than a map.
type fields []field

// field is one of them.
type field struct {
	name string
	value
}

type value struct {
	text string
	kind kind
}

// get returns the value of a name.
func (f fields) get(name string) (value, bool) {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].name == name {
			return f[i].value, true
		}
	}
	return value{}, false
}

type kind byte

const (
	isText kind = iota // a string, or a number as it was written
	isNull
	isOther // boolean, list, object, file
)

// readBody reads the fields of a request. Clients send them as JSON or as a form, with
// every method.
func readBody(c *fiber.Ctx) (fields, error) {
	body := c.Request().Body()
	if len(body) == 0 {
		return nil, nil
	}
	header := string(c.Request().Header.ContentType())
	media, _, _ := strings.Cut(header, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "application/json":
		if f, ok := fromPlainJSON(body); ok {
			return f, nil
		}
		return fromJSON(body)
	case "application/x-www-form-urlencoded":
		return fromForm(body)
	case "multipart/form-data":
		return fromMultipart(header, body)
	}
	return nil, refuse(http.StatusUnsupportedMediaType, `Unsupported media type "`+header+`" in request.`)
}

func badJSON(err error) error {
	return refuse(http.StatusBadRequest, "JSON parse error - "+err.Error())
}

// fromPlainJSON reads the JSON that nearly every client sends: one object of texts. ok is
// false for any other body.
func fromPlainJSON(body []byte) (all fields, ok bool) {
	all = make(fields, 0, 6)
	w := plainjson.Over(body)
	ok = w.Object(func(name, text string) { all = append(all, field{name, value{text: text}}) })
	return all, ok && w.End()
}

// fromJSON reads an object. Any other JSON has no fields.
func fromJSON(body []byte) (fields, error) {
	if !utf8.Valid(body) {
		return nil, badJSON(errors.New("the body is not UTF-8"))
	}
	if plainjson.LoneSurrogate(body) {
		return nil, badJSON(errors.New("it escapes half a surrogate pair, which is no character"))
	}
	var raw map[string]json.RawMessage
	err := json.Unmarshal(body, &raw)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return nil, nil
	} else if err != nil {
		return nil, badJSON(err)
	}
	all := make(fields, 0, len(raw))
	for name, text := range raw {
		v, err := fromValue(text)
		if err != nil {
			return nil, badJSON(err)
		}
		all = append(all, field{name, v})
	}
	return all, nil
}

func fromValue(raw json.RawMessage) (v value, err error) {
	switch c := raw[0]; {
	case c == '"':
		err = json.Unmarshal(raw, &v.text)
	case c == '-' || c >= '0' && c <= '9':
		v.text = string(raw)
	case c == 'n':
		v.kind = isNull
	default:
		v.kind = isOther
	}
	return v, err
}

// maxFields is how many fields a form may have, as in Django: a field takes two bytes of a
// body and far more memory.
const maxFields = 1000

func fromForm(body []byte) (fields, error) {
	if bytes.Count(body, []byte("&")) >= maxFields {
		return nil, refuse(http.StatusBadRequest, fmt.Sprintf("Form parse error - more than %d fields", maxFields))
	}
	args := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(args)
	args.ParseBytes(body)
	var all fields
	for name, v := range args.All() {
		all = append(all, field{string(name), value{text: strings.ToValidUTF8(string(v), "\ufffd")}})
	}
	return all, nil
}

func badForm(text string) error {
	return refuse(http.StatusBadRequest, "Multipart form parse error - "+text)
}

func fromMultipart(header string, body []byte) (fields, error) {
	_, params, err := mime.ParseMediaType(header)
	boundary := params["boundary"]
	if err != nil || boundary == "" {
		return nil, badForm("Invalid boundary in multipart: None")
	}
	var all fields
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, badForm(err.Error())
		} else if n == maxFields {
			return nil, badForm(fmt.Sprintf("more than %d parts", maxFields))
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, badForm(err.Error())
		}
		v := value{text: strings.ToValidUTF8(string(text), "\ufffd")}
		if part.FileName() != "" {
			v = value{kind: isOther}
		}
		if name := part.FormName(); name != "" {
			all = append(all, field{name, v})
		}
	}
}

// accepts reports whether the client accepts JSON, or HTML as a browser does. Both get
// JSON.
func accepts(c *fiber.Ctx) bool {
	lines := c.Request().Header.PeekAll(fiber.HeaderAccept)
	for _, line := range lines {
		for part := range strings.SplitSeq(string(line), ",") {
			media, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "application/json", "application/*", "text/html", "text/*", "*/*":
				return true
			}
		}
	}
	return len(lines) == 0 || len(lines) == 1 && len(lines[0]) == 0
}
