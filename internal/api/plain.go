package api

// fromPlainJSON reads what nearly every client sends, an object of plain strings
// and whole numbers, at a third of what the library takes. It gives up on all
// else, valid or not: escapes, other values, letters beyond ASCII, and leaves
// it to fromJSON. What it does read, fromJSON reads alike.
func fromPlainJSON(body []byte) (all fields, ok bool) {
	p := plain{rest: body}
	if !p.skip('{') {
		return nil, false
	}
	all = make(fields, 0, 6)
	for {
		name, ok := p.text()
		if !ok || !p.skip(':') {
			return nil, false
		}
		v, ok := p.text()
		if !ok {
			if v, ok = p.number(); !ok {
				return nil, false
			}
		}
		all = append(all, field{name, value{text: v}})
		if p.skip(',') {
			continue
		}
		return all, p.skip('}') && p.end()
	}
}

// plain walks through a body.
type plain struct{ rest []byte }

// space passes over white space (RFC 8259 2).
func (p *plain) space() {
	for len(p.rest) > 0 && (p.rest[0] == ' ' || p.rest[0] == '\n' || p.rest[0] == '\r' || p.rest[0] == '\t') {
		p.rest = p.rest[1:]
	}
}

// skip passes over one character, if it comes next.
func (p *plain) skip(c byte) bool {
	p.space()
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *plain) end() bool {
	p.space()
	return len(p.rest) == 0
}

// text reads a string of printable ASCII without escapes.
func (p *plain) text() (string, bool) {
	p.space()
	if len(p.rest) == 0 || p.rest[0] != '"' {
		return "", false
	}
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			s := string(p.rest[1:i])
			p.rest = p.rest[i+1:]
			return s, true
		case c < ' ' || c > '~' || c == '\\':
			return "", false
		}
	}
	return "", false
}

// number reads digits, of which the first is not 0.
func (p *plain) number() (string, bool) {
	i := 0
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		i++
	}
	if i == 0 || p.rest[0] == '0' || i == len(p.rest) {
		return "", false
	}
	switch p.rest[i] {
	case ' ', '\n', '\r', '\t', ',', '}':
	default: // a fraction or an exponent
		return "", false
	}
	s := string(p.rest[:i])
	p.rest = p.rest[i:]
	return s, true
}
