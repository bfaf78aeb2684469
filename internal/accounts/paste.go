package accounts

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pasted returns the one address in a text as mail programs and web pages put it
// on the clipboard: `Ann <ann@example.org>`, `mailto:ann@example.org?subject=hi`,
// `"ann@example.org",`. It takes wrappings off and judges nothing else: what is no
// address stays as it is, for the checks that follow. The only refusals are those
// that the result no longer shows.
func pasted(text string) (string, Refusal) {
	text = unwrapped(strings.Map(plain, text))
	name, inner, named := angled(text)
	if named {
		text = unwrapped(inner)
	}
	text, refusal := withoutScheme(text)
	if refusal != "" {
		return "", refusal
	}
	// Some programs write the address as the name, too. Another one there would be
	// read by the person and not used.
	if named && strings.Contains(name, "@") && !strings.EqualFold(unwrapped(name), text) {
		return "", Several
	}
	return text, ""
}

// plain replaces the full-width and small forms of what marks an address.
func plain(r rune) rune {
	switch r {
	case '＠', '﹫':
		return '@'
	case '＜':
		return '<'
	case '＞':
		return '>'
	}
	return r
}

// pairs are marks that people and programs put around an address.
var pairs = [][2]string{{`"`, `"`}, {"'", "'"}, {"“", "”"}, {"„", "“"}, {"‘", "’"}, {"«", "»"}, {"(", ")"}, {"[", "]"}}

// unwrapped takes off what stands around a text without being part of it: white
// space and invisible marks, final punctuation, and a pair of quotation marks or
// brackets that hold all of it.
func unwrapped(text string) string {
	for {
		before := len(text)
		text = strings.TrimFunc(text, margin)
		text = strings.TrimRight(text, ",;.，；。．｡、")
		for _, p := range pairs {
			rest, opened := strings.CutPrefix(text, p[0])
			inner, closed := strings.CutSuffix(rest, p[1])
			if opened && closed && !strings.Contains(inner, p[0]) && !strings.Contains(inner, p[1]) {
				text = inner
			}
		}
		if len(text) == before {
			return text
		}
	}
}

// margin reports what copying leaves at the ends of a text: white space, and
// format characters such as direction marks, isolates, zero width spaces and the
// byte order mark. It leaves out overrides, which change what is read, and
// number signs, which are visible.
func margin(r rune) bool {
	const lro, rlo = '\u202d', '\u202e'
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) && r != lro && r != rlo && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// angled splits `name <address>` (RFC 5322 3.4). The name may be empty; ok is
// false unless there is just one pair of angle brackets, at the end.
func angled(text string) (name, address string, ok bool) {
	before, closed := strings.CutSuffix(text, ">")
	name, address, opened := strings.Cut(before, "<")
	return name, address, opened && closed && !strings.ContainsAny(name+address, "<>")
}

// withoutScheme takes the address out of a mailto: address (RFC 6068 2), decoded
// once. White space and marks that come out of the encoding are not taken off: nobody
// copies those, and the checks refuse them.
func withoutScheme(text string) (string, Refusal) {
	const scheme = "mailto:"
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return text, ""
	}
	encoded := strings.TrimPrefix(strings.TrimFunc(text[len(scheme):], margin), "//")
	if i := strings.IndexAny(encoded, "?#"); i >= 0 {
		encoded = encoded[:i]
	}
	decoded, err := url.PathUnescape(encoded)
	if err != nil {
		return "", Punctuation
	}
	if !utf8.ValidString(decoded) {
		return "", Control
	}
	return decoded, ""
}
