package accounts

import (
	"strings"
	"unicode"
)

// together are the scripts that one word may mix (UTS 39 5.2, "highly
// restrictive"): Latin with the scripts of Japanese, of Chinese, or of Korean.
var together = [][]*unicode.RangeTable{
	{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Latin, unicode.Han, unicode.Bopomofo},
	{unicode.Latin, unicode.Han, unicode.Hangul},
}

// mixed reports whether a word mixes scripts, so that it could be taken for
// another word. Digits, signs and marks belong to every script.
func mixed(word string) bool {
	if !strings.ContainsFunc(word, func(r rune) bool { return r > unicode.MaxASCII }) {
		return false // as is most of what is typed, and the tables take their time
	}
	sets := together
	var only *unicode.RangeTable
	single := true
	for _, r := range word {
		if unicode.In(r, unicode.Common, unicode.Inherited) {
			continue
		}
		s := scriptOf(r)
		if only == nil {
			only = s
		}
		single = single && s == only
		sets = holding(sets, r)
	}
	return !single && len(sets) == 0
}

func holding(sets [][]*unicode.RangeTable, r rune) (left [][]*unicode.RangeTable) {
	for _, set := range sets {
		if unicode.In(r, set...) {
			left = append(left, set)
		}
	}
	return left
}

func scriptOf(r rune) *unicode.RangeTable {
	if unicode.Is(unicode.Latin, r) {
		return unicode.Latin
	}
	for _, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return table
		}
	}
	return nil
}
