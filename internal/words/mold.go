package words

import (
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

// Marks are n values to give to a template in place of the real ones. They are
// letters and digits, which no escaping changes.
func Marks(n int) []string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = markStart + strconv.Itoa(i) + markEnd
	}
	return marks
}

// NewMold cuts what a template made of Marks.
func NewMold(text string) (m Mold) {
	for {
		before, rest, _ := strings.Cut(text, markStart)
		number, after, found := strings.Cut(rest, markEnd)
		i, err := strconv.Atoi(number)
		if !found || err != nil {
			m.texts = append(m.texts, text)
			return m
		}
		m.texts, m.values = append(m.texts, before), append(m.values, i)
		text = after
	}
}

// Text is the text with values, escaped already for where they stand.
func (m Mold) Text(values []string) string {
	parts := make([]string, 0, 2*len(m.texts))
	for i, v := range m.values {
		parts = append(parts, m.texts[i], values[v])
	}
	return strings.Join(append(parts, m.texts[len(m.values)]), "")
}
