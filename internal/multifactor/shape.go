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

// Find returns the code in what somebody typed or pasted, in the form in which
// codes are compared, or "" if there is none. If all of the text has the shape,
// blanks and hyphens aside, it is the code. Else it is the one word or group of
// words in it that has, as in "Code: 123 456." and "@example.org #123456". With two
// that differ there is none, so that one answer never tries two codes.
func (s Shape) Find(text string) (code string) {
	if len(text) > longest {
		return ""
	}
	text = strings.Map(plain, norm.NFKC.String(text))
	if whole := strings.Join(strings.FieldsFunc(text, gap), ""); s.fits(whole) {
		return whole
	}
	for phrase := range strings.FieldsFuncSeq(text, ends) {
		for _, candidate := range s.candidates(strings.FieldsFunc(phrase, gap)) {
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

// longest bounds a text in which a code is looked for, in bytes: a whole message of
// ours has fewer.
const longest = 4096

// plain is a rune as codes are compared: digits of any script in ASCII, letters in
// lower case, every white space a blank or a line's end and every hyphen or dash a
// hyphen. Invisible characters are dropped.
func plain(r rune) rune {
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

// gap reports what a code may be parted by.
func gap(r rune) bool { return r == ' ' || r == '-' || r == '\n' }

// unspaced are scripts whose words are not parted by blanks, so that a code may
// touch them.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// ends reports what a code does not go beyond: line ends, punctuation, signs.
func ends(r rune) bool {
	return r != ' ' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) || unspaced(r)
}

// candidates are the groups of neighbouring words that consist of the shape's
// characters, and of letters each word: other words may have the alphabet's
// letters only, but digits that stand together are one number.
func (s Shape) candidates(words []string) (all []string) {
	group := ""
	for _, w := range words {
		if !s.made(w) {
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

func (s Shape) fits(text string) bool { return len(text) == s.Length && s.made(text) }

// made reports whether a text has the shape's characters only.
func (s Shape) made(text string) bool {
	alphabet := letters
	if s.Digits {
		alphabet = "0123456789"
	}
	return strings.Trim(text, alphabet) == ""
}
