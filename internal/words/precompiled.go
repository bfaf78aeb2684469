package words

import (
	"html"
	"strconv"
	"strings"
)

// Precompiled is the output of a template with placeholders for values. Substituting them
// costs a fiftieth of executing the template, which pays for what every sign-in shows.
type Precompiled struct {
	texts  []string
	values []int // index of the value after each text but the last
}

const (
	markStart = "xqMarkOfValue"
	markEnd   = "qx"
)

// Values are the fields of a page that a precompiled text has placeholders for, in a fixed
// order.
type Values []*string

// Mark puts placeholders into the fields. They are letters and digits, which no escaping
// changes.
func (v Values) Mark() {
	for i, field := range v {
		*field = markStart + strconv.Itoa(i) + markEnd
	}
}

// Precompile splits a template's output at the placeholders of n values.
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
		if !closed || err != nil || i < 0 || i >= n { // not a placeholder
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
// attributes. It does not check URLs: a value in a URL's place must be made by djauthy.
func (p Precompiled) HTML(v Values) string { return p.fill(v, html.EscapeString) }

func (p Precompiled) fill(v Values, escape func(string) string) string {
	parts := make([]string, 0, 2*len(p.texts))
	for i, n := range p.values {
		parts = append(parts, p.texts[i], escape(*v[n]))
	}
	return strings.Join(append(parts, p.texts[len(p.values)]), "")
}
