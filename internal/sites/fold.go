package sites

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold makes spellings equal that some app takes for the same name: capitals, compatible
// letters such as fullwidth ones, letters that are not shown, and a plus for a space.
func fold(path string) string {
	if isFolded(path) {
		return path
	}
	var b strings.Builder
	for _, r := range compatible(path) {
		switch r = unicode.ToLower(unicode.ToUpper(r)); r { // by way of capitals, for letters such as dotless i
		case '+':
			b.WriteByte(' ')
		case 'ß':
			b.WriteString("ss")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isFolded reports an ASCII path without capitals and plus.
func isFolded(path string) bool {
	for i := range len(path) {
		if c := path[i]; 'A' <= c && c <= 'Z' || c == '+' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// compatible replaces characters by those that programs take for the same: compatibility
// characters (Unicode NFKC), and those that Windows maps to a slash or a backslash in some
// code page ("best fit"). Invisible characters are left out, as in NFKC_Casefold. Bytes that
// are not UTF-8 are read as ISO 8859-1.
func compatible(s string) string {
	if isASCII(s) {
		return s
	}
	if !utf8.ValidString(s) {
		s = latin1(s)
	}
	return strings.Map(bestFit, norm.NFKC.String(strings.Map(bestFit, s)))
}

func bestFit(r rune) rune {
	switch r {
	case '⁄', '∕', '⧸':
		return '/'
	case '∖', '⧵', '⧹', '¥', '₩':
		return '\\'
	}
	if r >= utf8.RuneSelf && unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
		return -1
	}
	return r
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// latin1 reads the bytes of a text that are not UTF-8 as ISO 8859-1, without its control
// characters.
func latin1(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r != utf8.RuneError || size > 1:
			b.WriteString(s[:size])
		case s[0] >= 0xa0:
			b.WriteRune(rune(s[0]))
		}
		s = s[size:]
	}
	return b.String()
}
