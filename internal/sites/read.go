package sites

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnreadable: the request is malformed, or its path means too many things (400).
var ErrUnreadable = errors.New("the request cannot be read")

var errTarget = fmt.Errorf("%w: its target does not begin with a slash, or has a byte in it that no address has", ErrUnreadable)

// Access is what the target of a request at the site requires: a path with its escapes, and a
// query, which makes no difference. It is ErrUnreadable if it is none or if, where there is a
// rule, its path can be read in too many ways.
func (s *Site) Access(target string) (Access, error) {
	if !strings.HasPrefix(target, "/") || !inAddress(target) {
		return Access{}, errTarget
	}
	path, _, _ := strings.Cut(target, "?")
	switch {
	case len(s.rules) == 0:
		return s.ready.none, nil
	case isPlain(path):
		return s.oneReading(path), nil
	}
	reading := decodeOrdinary(path)
	switch {
	case !wellEscaped(path):
		return Access{}, fmt.Errorf("%w: there is a %% without two hexadecimal digits in its path", ErrUnreadable)
	case isDeceptive(reading):
		return Access{}, fmt.Errorf("%w: there is a control character in its path, or an overlong form of UTF-8", ErrUnreadable)
	case !isPlain(reading):
		return Access{}, ErrUnreadable
	}
	return s.oneReading(reading), nil
}

// isPlain reports a path that every app reads in the same way: there is nothing in it to
// decode, to resolve or to drop.
func isPlain(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case '%', ';', '\\':
			return false
		case '/':
			if i > 0 && (path[i-1] == '/' || path[i-1] == '.') {
				return false
			}
		case '$':
			if i > 1 && path[i-2:i] == "::" {
				return false
			}
		}
	}
	return path[len(path)-1] != '.'
}
