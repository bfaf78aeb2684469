package otp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/plainjson"
)

// MaxBody is the longest body in which Require looks for a triple, in bytes.
const MaxBody = 1 << 20

// maxFields bounds the fields of a form.
const maxFields = 1000

// Media types of bodies that may hold a triple.
const (
	mediaJSON      = "application/json"
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"
)

// media is a Content-Type without its parameters.
func media(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// ParseBody finds the triple in a body of this Content-Type: JSON or a form of either
// kind. It reads them as the ungleichotp server does: the last of a repeated field counts,
// and a malformed body has no triple.
func ParseBody(contentType string, body []byte) (name, realm, token string) {
	var all map[string]string
	switch media(contentType) {
	case mediaJSON:
		all = readJSON(body)
	case mediaForm:
		all = readForm(body)
	case mediaMultipart:
		all = readMultipart(contentType, body)
	}
	return all["auth_name"], all["auth_realm"], all["auth_token"]
}

// Packed reports whether a Content-Encoding says that a body is compressed. Such a body is
// not read: a few bytes could become gigabytes.
func Packed(contentEncoding string) bool {
	for coding := range strings.SplitSeq(contentEncoding, ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return true
		}
	}
	return false
}

// isTriple reports whether a field is part of a triple.
func isTriple(name string) bool {
	return name == "auth_name" || name == "auth_realm" || name == "auth_token"
}

func readJSON(body []byte) map[string]string {
	var all map[string]json.RawMessage
	if !utf8.Valid(body) || plainjson.LoneSurrogate(body) || json.Unmarshal(body, &all) != nil {
		return nil
	}
	found := map[string]string{}
	for name, raw := range all {
		if isTriple(name) {
			found[name] = text(raw)
		}
	}
	return found
}

// text is the value of a JSON string, or a number as it is written.
func text(raw json.RawMessage) (s string) {
	if c := raw[0]; c == '-' || c >= '0' && c <= '9' {
		return string(raw)
	}
	_ = json.Unmarshal(raw, &s) // "" for other types
	return s
}

// readForm decodes a form and keeps malformed escapes as they are, as browsers and the
// server do: url.ParseQuery would leave such fields out.
func readForm(body []byte) map[string]string {
	if bytes.Count(body, []byte("&")) >= maxFields {
		return nil
	}
	found := map[string]string{}
	for pair := range strings.SplitSeq(string(body), "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name = unescape(name); isTriple(name) {
			found[name] = unescape(value)
		}
	}
	return found
}

// unescape decodes + and %XX; a % that begins no escape is kept.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		var one [1]byte
		switch c := text[i]; {
		case c == '+':
			b.WriteByte(' ')
		case c == '%' && i+2 < len(text) && decodes(one[:], text[i+1:i+3]):
			b.WriteByte(one[0])
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func decodes(to []byte, digits string) bool {
	_, err := hex.Decode(to, []byte(digits))
	return err == nil
}

func readMultipart(contentType string, body []byte) map[string]string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil
	}
	found := map[string]string{}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range maxFields {
		part, err := r.NextPart()
		if err == io.EOF { //nolint:errorlint // one within a part is wrapped, and no good end
			return found
		} else if err != nil {
			return nil
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil
		}
		if part.FileName() != "" {
			value = nil // a file is not a value
		}
		if isTriple(part.FormName()) {
			found[part.FormName()] = string(value)
		}
	}
	return nil
}
