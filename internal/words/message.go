package words

import (
	"html"
	"regexp"
	"strings"
)

// message is a text cut at its placeholders: text, name, text, name, …, text.
type message []string

var placeholder = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)

func cut(text string) (m message) {
	for {
		at := placeholder.FindStringSubmatchIndex(text)
		if at == nil {
			return append(m, text)
		}
		m = append(m, text[:at[0]], text[at[2]:at[3]])
		text = text[at[1]:]
	}
}

// fill substitutes the value of each name.
func (m message) fill(value func(name string) string) string {
	if len(m) == 1 {
		return m[0]
	}
	var b strings.Builder
	for i, part := range m {
		if i%2 == 1 {
			part = value(part)
		}
		b.WriteString(part)
	}
	return b.String()
}

// escaped is the message with its text, but not its names, escaped for HTML.
func (m message) escaped() message {
	out := make(message, len(m))
	for i, part := range m {
		if i%2 == 0 {
			part = html.EscapeString(part)
		}
		out[i] = part
	}
	return out
}

// valueOf finds a name among pairs of name and value.
func valueOf(name string, pairs []any) any {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1]
		}
	}
	return ""
}
