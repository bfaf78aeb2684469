// Package plainjson reads the JSON that programs nearly always send, objects and
// lists of plain strings and whole numbers, in a fifth of the time of encoding/json.
//
// It gives up on all else, valid or not: escapes, letters beyond ASCII, fractions,
// truth, null, what is nested. Its user then asks encoding/json, which reads alike
// whatever this package reads.
package plainjson

// Walk goes through a text. Its methods read what comes next, white space before it
// included, and report whether they could. After a false the walk is over.
type Walk struct{ rest []byte }

// Over returns a walk from the beginning of a text, which it does not keep parts of.
func Over(text []byte) *Walk { return &Walk{text} }

// space passes over white space (RFC 8259 2).
func (w *Walk) space() {
	for len(w.rest) > 0 && (w.rest[0] == ' ' || w.rest[0] == '\n' || w.rest[0] == '\r' || w.rest[0] == '\t') {
		w.rest = w.rest[1:]
	}
}

// Skip passes over one character.
func (w *Walk) Skip(c byte) bool {
	w.space()
	if len(w.rest) == 0 || w.rest[0] != c {
		return false
	}
	w.rest = w.rest[1:]
	return true
}

// End reports whether nothing comes any more.
func (w *Walk) End() bool {
	w.space()
	return len(w.rest) == 0
}

// Object reads {"name": value, …} and hands each member to fn, in order.
func (w *Walk) Object(fn func(name, value string)) bool {
	return w.Skip('{') && w.all('}', func() bool {
		name, ok := w.Text()
		if !ok || !w.Skip(':') {
			return false
		}
		value, ok := w.value()
		fn(name, value)
		return ok
	})
}

// List reads [value, …] and hands each to fn, in order.
func (w *Walk) List(fn func(value string)) bool {
	return w.Skip('[') && w.all(']', func() bool {
		value, ok := w.value()
		fn(value)
		return ok
	})
}

// all reads one after the other until the end.
func (w *Walk) all(end byte, one func() bool) bool {
	if w.Skip(end) {
		return true
	}
	for one() {
		if !w.Skip(',') {
			return w.Skip(end)
		}
	}
	return false
}

// value reads a string, or a number as it is written.
func (w *Walk) value() (string, bool) {
	if s, ok := w.Text(); ok {
		return s, true
	}
	return w.number()
}

// Text reads a string of printable ASCII without escapes.
func (w *Walk) Text() (string, bool) {
	w.space()
	if len(w.rest) == 0 || w.rest[0] != '"' {
		return "", false
	}
	for i := 1; i < len(w.rest); i++ {
		switch c := w.rest[i]; {
		case c == '"':
			s := string(w.rest[1:i])
			w.rest = w.rest[i+1:]
			return s, true
		case c < ' ' || c > '~' || c == '\\':
			return "", false
		}
	}
	return "", false
}

// number reads digits, of which the first is not 0.
func (w *Walk) number() (string, bool) {
	i := 0
	for i < len(w.rest) && w.rest[i] >= '0' && w.rest[i] <= '9' {
		i++
	}
	if i == 0 || w.rest[0] == '0' || i == len(w.rest) {
		return "", false
	}
	switch w.rest[i] {
	case ' ', '\n', '\r', '\t', ',', '}', ']':
	default: // a fraction or an exponent
		return "", false
	}
	s := string(w.rest[:i])
	w.rest = w.rest[i:]
	return s, true
}
