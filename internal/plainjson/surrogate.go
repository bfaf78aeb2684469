package plainjson

import (
	"bytes"
	"encoding/hex"
)

// LoneSurrogate reports whether JSON escapes half a surrogate pair without the other
// half, in a string or in a name (RFC 8259 8.2). Such text is no Unicode: encoding/json
// replaces the half, so that two different texts would be read as one and the same.
// Whether the rest is valid JSON it does not look at.
func LoneSurrogate(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 >= len(text) {
			return false
		}
		text = text[i:]
		unit, ok := escaped(text)
		switch {
		case !ok: // another escape
			text = text[2:]
		case unit < 0xd800 || unit > 0xdfff:
			text = text[6:]
		default:
			low, ok := escaped(text[6:])
			if unit >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			text = text[12:]
		}
	}
}

// escaped reads \uXXXX at the beginning of a text.
func escaped(text []byte) (unit int, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var b [2]byte
	_, err := hex.Decode(b[:], text[2:6])
	return int(b[0])<<8 | int(b[1]), err == nil
}
