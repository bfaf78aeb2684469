package sites

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dividing are the characters whose escapes mean something else in some programs than in
// others: some decode a path before they divide it and resolve its dots, some after.
const dividing = `/\%;?#.`

// wellEscaped reports whether each % of a path begins an escape (RFC 3986 2.1).
func wellEscaped(path string) bool {
	for {
		i := strings.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		if _, ok := hexadecimal(path[i+1:], 2); !ok {
			return false
		}
		path = path[i+3:]
	}
}

// decodeOrdinary decodes all escapes but those of dividing characters, whose digits become
// capitals. It also takes %u002e, an escape of old servers, which only a path that is
// decoded twice can have. A % that begins no escape is kept.
func decodeOrdinary(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for path != "" {
		r, size := escape(path)
		switch {
		case size == 0:
			b.WriteByte(path[0])
			size = 1
		case r < utf8.RuneSelf && strings.ContainsRune(dividing, r):
			b.WriteString("%" + strings.ToUpper(strconv.FormatInt(int64(r), 16)))
		case size == len("%2e"):
			b.WriteByte(byte(r))
		default:
			b.WriteRune(r)
		}
		path = path[size:]
	}
	return b.String()
}

// escape is the byte or character that an escape at the beginning of a text stands for, and
// the length of the escape, or 0.
func escape(s string) (r rune, size int) {
	if s[0] != '%' {
		return 0, 0
	}
	if r, ok := hexadecimal(s[1:], 2); ok {
		return r, len("%2e")
	}
	if len(s) > 1 && (s[1] == 'u' || s[1] == 'U') {
		if r, ok := hexadecimal(s[2:], 4); ok {
			return r, len("%u002e")
		}
	}
	return 0, 0
}

// hexadecimal reads a number of digits at the beginning of a text.
func hexadecimal(s string, digits int) (r rune, ok bool) {
	if len(s) < digits {
		return 0, false
	}
	for i := range digits {
		n := strings.IndexByte("0123456789abcdef", s[i]|0x20)
		if n < 0 || s[i] < '0' {
			return 0, false
		}
		r = r<<4 | rune(n)
	}
	return r, true
}

// isDeceptive reports control characters, at which some programs end a text or a line and
// which others drop, and overlong forms of UTF-8, which some programs decode (RFC 3629 10).
func isDeceptive(s string) bool {
	for i, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError && isOverlong(s[i:]) {
			return true
		}
	}
	return false
}

// isOverlong reports whether a text begins with a character in more bytes than it needs: with
// a byte that only such a form has, or with too many zero bits in the second one.
func isOverlong(s string) bool {
	first, second := s[0], byte(0)
	if len(s) > 1 {
		second = s[1]
	}
	switch first {
	case 0xc0, 0xc1:
		return true
	case 0xe0:
		return second&0xe0 == 0x80
	case 0xf0:
		return second&0xf0 == 0x80
	case 0xf8:
		return second&0xf8 == 0x80
	case 0xfc:
		return second&0xfc == 0x80
	}
	return false
}
