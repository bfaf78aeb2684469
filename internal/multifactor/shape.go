package multifactor

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Shape is what a one-time code looks like.
type Shape struct {
	Digits bool // else letters
	Length int
}

// Shape returns the shape of the long or of the short codes.
func (c *Codes) Shape(long bool) Shape {
	if long {
		return Shape{Length: LongLength}
	}
	return Shape{c.Digits, c.Length}
}

// Find returns the code in a text that somebody typed or pasted, normalized for comparing,
// or "" if there is none. If the whole text has the shape, apart from blanks and hyphens, it
// is the code. Else the code is the only word or group of words with the shape, as in
// "Code: 123 456." and "@example.org #123456". If two different ones have it, there is none,
// so that one submission never tries two codes.
func (s Shape) Find(text string) (code string) {
	if len(text) > longest {
		return ""
	}
	text = strings.Map(normalized, norm.NFKC.String(text))
	if whole := strings.Join(strings.FieldsFunc(text, separator), ""); s.fits(whole) {
		return whole
	}
	for phrase := range strings.FieldsFuncSeq(text, boundary) {
		for _, candidate := range s.candidates(strings.FieldsFunc(phrase, separator)) {
			if !s.fits(candidate) || candidate == code {
				continue
			}
			if code != "" {
				return ""
			}
			code = candidate
		}
	}
	return code
}

// longest bounds the text that Find searches, in bytes: a whole message of djauthy is
// shorter.
const longest = 4096

// normalized turns digits of any script into ASCII, letters into lower case, every white
// space into a blank or a line end and every hyphen or dash into a hyphen. Invisible
// characters are dropped.
func normalized(r rune) rune {
	switch {
	case unicode.IsDigit(r):
		return '0' + digit(r)
	case unicode.Is(unicode.Cf, r):
		return -1
	case unicode.Is(unicode.Pd, r) || r == '−':
		return '-'
	case unicode.In(r, unicode.Zl, unicode.Zp) || r == '\u0085' || r >= '\n' && r <= '\r':
		return '\n'
	case unicode.IsSpace(r):
		return ' '
	}
	return unicode.ToLower(r)
}

// digit is the value of a decimal digit. Digits are encoded in tens, in order from
// 0 (The Unicode Standard, 4.6), and ranges of the table hold whole tens.
func digit(r rune) rune {
	for _, x := range unicode.Nd.R16 {
		if r >= rune(x.Lo) && r <= rune(x.Hi) {
			return (r - rune(x.Lo)) % 10
		}
	}
	for _, x := range unicode.Nd.R32 {
		if r >= rune(x.Lo) && r <= rune(x.Hi) {
			return (r - rune(x.Lo)) % 10
		}
	}
	return 0
}

// separator reports whether r may separate the groups of a code.
func separator(r rune) bool { return r == ' ' || r == '-' || r == '\n' }

// unspaced reports whether r is of a script that puts no blanks between words, so that a
// code may stand directly beside it.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// boundary reports whether no code contains r: line ends, punctuation, symbols.
func boundary(r rune) bool {
	return r != ' ' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) || unspaced(r)
}

// candidates are the groups of neighbouring words that consist of the shape's characters.
// For letters each of these words is one, too: an ordinary word may consist of the
// alphabet's letters. Neighbouring groups of digits always form one number.
func (s Shape) candidates(words []string) (all []string) {
	group := ""
	for _, w := range words {
		if !s.inAlphabet(w) {
			all, group = append(all, group), ""
			continue
		}
		group += w
		if !s.Digits {
			all = append(all, w)
		}
	}
	return append(all, group)
}

func (s Shape) fits(text string) bool { return len(text) == s.Length && s.inAlphabet(text) }

// inAlphabet reports whether a text has the shape's characters only.
func (s Shape) inAlphabet(text string) bool {
	alphabet := letters
	if s.Digits {
		alphabet = "0123456789"
	}
	return strings.Trim(text, alphabet) == ""
}
