package delivery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/template"
)

// Content types of a hook's body.
const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// hookValues are what templates of a hook see, escaped.
type hookValues struct{ To, Code, Text, Subject, Site, Minutes string }

func (v hookValues) escaped(escape func(string) string) hookValues {
	return hookValues{escape(v.To), escape(v.Code), escape(v.Text), escape(v.Subject), escape(v.Site), escape(v.Minutes)}
}

// sampleValues stand for those of a message when a hook is checked.
var sampleValues = hookValues{To: "+41 79 \"1\"\\", Code: "123456", Text: "123456\n\nA line & another.", Subject: "123456 is your code", Site: "Example", Minutes: "10"}

// splitURL cuts the URL behind its host.
func (h Hook) splitURL() (origin, path string) {
	scheme, rest, _ := strings.Cut(h.URL, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "://" + rest[:end], cmp.Or(rest[end:], "/")
}

// parseURL splits the URL into what is fixed and the template of the rest.
func (s *hookSender) parseURL() error {
	origin, path := s.splitURL()
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Contains(origin, "{{") {
		return errors.New("an address such as https://gateway.example.org/send; its host is fixed")
	}
	before, query, _ := strings.Cut(path, "?")
	if strings.Contains(query, "{{") {
		return errors.New("values may stand in the path, not in the query; put them into the body")
	}
	if s.path, err = template.New("url").Parse(path); err != nil {
		return fmt.Errorf("a template of text/template: %w", err)
	}
	s.origin = origin
	if strings.Contains(before, "#") {
		return errors.New("what stands behind # never reaches a server; leave it out")
	}
	if _, err := s.address(sampleValues); err != nil {
		return fmt.Errorf("values are .To .Code .Text .Subject .Site .Minutes: %w", err)
	}
	return nil
}

// address is where a message is posted. A value never adds a segment to the path, and none
// is one that leads to another folder.
func (s *hookSender) address(v hookValues) (string, error) {
	var b strings.Builder
	if err := s.path.Execute(&b, v.escaped(url.PathEscape)); err != nil {
		return "", err
	}
	u, err := url.Parse(s.origin + b.String())
	if err != nil {
		return "", errors.New("the address of the request is not one")
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // decoded, as a server may read it
		if segment == "." || segment == ".." {
			return "", errors.New("the recipient cannot stand in a path")
		}
	}
	return u.String(), nil
}

func (s *hookSender) parseBody() (err error) {
	s.escape = insideJSON
	if s.ContentType == typeForm {
		s.escape = url.QueryEscape
	}
	if s.Body == "" {
		return nil
	}
	if s.Method == http.MethodGet {
		return errors.New("a GET has none")
	}
	if s.body, err = template.New("body").Parse(s.Body); err != nil {
		return fmt.Errorf("a template of text/template: %w", err)
	}
	for _, code := range []string{sampleValues.Code, "012345", "abcdef"} { // no number of JSON, and no number at all
		v := sampleValues
		v.Code = code
		made, err := s.content(v)
		switch {
		case err != nil:
			return fmt.Errorf("values are .To .Code .Text .Subject .Site .Minutes: %w", err)
		case s.ContentType == typeJSON && !json.Valid(made):
			return errors.New(`with values in it, it has to be JSON; write the quotation marks around each: {"to": "{{.To}}"}`)
		}
	}
	return nil
}

// carries reports whether a request holds the code at all.
func (s *hookSender) carries() bool {
	one, other := sampleValues, sampleValues
	other.Code, other.Text, other.Subject = "654321", "654321\n", "654321"
	address1, _ := s.address(one)
	address2, _ := s.address(other)
	body1, _ := s.content(one)
	body2, _ := s.content(other)
	return address1 != address2 || !bytes.Equal(body1, body2)
}

// content is the body of a request.
func (s *hookSender) content(v hookValues) ([]byte, error) {
	switch {
	case s.Method == http.MethodGet:
		return nil, nil
	case s.body != nil:
		var b bytes.Buffer
		err := s.body.Execute(&b, v.escaped(s.escape))
		return b.Bytes(), err
	case s.ContentType == typeForm:
		return []byte(url.Values{
			"to": {v.To}, "code": {v.Code}, "text": {v.Text}, "subject": {v.Subject}, "site": {v.Site}, "minutes": {v.Minutes},
		}.Encode()), nil
	}
	return json.Marshal(map[string]string{"to": v.To, "code": v.Code, "text": v.Text, "subject": v.Subject, "site": v.Site, "minutes": v.Minutes})
}

// insideJSON is a text as it stands between the quotation marks of a JSON string (RFC 8259
// 7).
func insideJSON(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always can be
	return strings.TrimSuffix(b.String(), "\"\n")[1:]
}
