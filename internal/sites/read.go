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
	all, err := readings(path)
	switch {
	case err != nil:
		return Access{}, err
	case len(all) == 1:
		return s.oneReading(all[0]), nil
	}
	return s.manyReadings(all), nil
}
