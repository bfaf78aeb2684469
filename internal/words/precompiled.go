package words

import (
	"html"
	"strconv"
	"strings"
)

// Precompiled is a text made once by a template, with marks where values stand.
// Filling it costs a fiftieth of executing the template again; that is worth it
// for what every sign-in shows.
type Precompiled struct {
	texts  []string
	values []int // what stands after each text but the last
}

const (
	markStart = "xqMarkOfValue"
	markEnd   = "qx"
)

// Values are the fields of a page that a precompiled text leaves open, in one order.
type Values []*string

// Mark puts marks into the fields. They are letters and digits, which no
// escaping changes.
func (v Values) Mark() {
	for i, field := range v {
		*field = markStart + strconv.Itoa(i) + markEnd
	}
}

// Precompile makes a text of a template's output, in which n values are marked.
func Precompile(text string, n int) (p Precompiled) {
	literal := ""
	for {
		before, rest, found := strings.Cut(text, markStart)
		literal += before
		if !found {
			p.texts = append(p.texts, literal)
			return p
		}
		number, after, closed := strings.Cut(rest, markEnd)
		i, err := strconv.Atoi(number)
		if !closed || err != nil || i < 0 || i >= n { // none of ours
			literal, text = literal+markStart, rest
			continue
		}
		p.texts, p.values = append(p.texts, literal), append(p.values, i)
		literal, text = "", after
	}
}

// Text is the text with values.
func (p Precompiled) Text(v Values) string { return p.fill(v, func(s string) string { return s }) }

// HTML is the text with values escaped for HTML, as text and as quoted
// attributes. A value that stands for a URL has to be one of ours.
func (p Precompiled) HTML(v Values) string { return p.fill(v, html.EscapeString) }

func (p Precompiled) fill(v Values, escape func(string) string) string {
	parts := make([]string, 0, 2*len(p.texts))
	for i, n := range p.values {
		parts = append(parts, p.texts[i], escape(*v[n]))
	}
	return strings.Join(append(parts, p.texts[len(p.values)]), "")
}
