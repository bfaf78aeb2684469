package words

import (
	"html"
	"strconv"
	"strings"
)

// Mold is a text made once by a template, with marks where values stand.
// Filling it costs a fiftieth of executing the template again; that is worth it
// for what every sign-in shows.
type Mold struct {
	texts  []string
	values []int // what stands after each text but the last
}

const (
	markStart = "xqMarkOfValue"
	markEnd   = "qx"
)

// Values are the fields of a page that a mold leaves open, in one order.
type Values []*string

// Mark puts marks into the fields. They are letters and digits, which no
// escaping changes.
func (v Values) Mark() {
	for i, field := range v {
		*field = markStart + strconv.Itoa(i) + markEnd
	}
}

// NewMold cuts what a template made of n marked values.
func NewMold(text string, n int) (m Mold) {
	literal := ""
	for {
		before, rest, found := strings.Cut(text, markStart)
		literal += before
		if !found {
			m.texts = append(m.texts, literal)
			return m
		}
		number, after, closed := strings.Cut(rest, markEnd)
		i, err := strconv.Atoi(number)
		if !closed || err != nil || i < 0 || i >= n { // none of ours
			literal, text = literal+markStart, rest
			continue
		}
		m.texts, m.values = append(m.texts, literal), append(m.values, i)
		literal, text = "", after
	}
}

// Text is the text with values.
func (m Mold) Text(v Values) string { return m.fill(v, func(s string) string { return s }) }

// HTML is the text with values escaped for HTML, as text and as quoted
// attributes. A value that stands for a URL has to be one of ours.
func (m Mold) HTML(v Values) string { return m.fill(v, html.EscapeString) }

func (m Mold) fill(v Values, escape func(string) string) string {
	parts := make([]string, 0, 2*len(m.texts))
	for i, n := range m.values {
		parts = append(parts, m.texts[i], escape(*v[n]))
	}
	return strings.Join(append(parts, m.texts[len(m.values)]), "")
}
