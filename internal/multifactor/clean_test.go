package multifactor_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/multifactor"
)

func TestCleanDropsWhatDoesNotCount(t *testing.T) {
	for text, clean := range map[string]string{
		"123456":                         "123456",
		" 123 456\r\n":                   "123456",
		"123-456":                        "123456",
		"1 2\t3\u00a0\u2003456":          "123456", // no-break and em space
		"123\u2010\u2011\u2013\u2014456": "123456", // hyphens and dashes
		"\u200b123\u200d456\ufeff":       "123456", // zero width
		"１２３４５６":                         "123456", // full-width digits
		"ＡＢｃｄ":                           "abcd",
		"AbCdE fGhJk":                    "abcdefghjk",
		"":                               "",
		" - ":                            "",
		strings.Repeat("1", 257):         "",
		strings.Repeat("1", 256):         strings.Repeat("1", 256),
	} {
		if got := multifactor.Clean(text); got != clean {
			t.Errorf("Clean(%q) = %q, want %q", text, got, clean)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "123456", " 123-456 ", "１２３ ４５６", "ABCDE fghjk", "\x00\xff\xfe", "\u202e654321", "İK\u0345", strings.Repeat("ﷺ", 90), strings.Repeat("9", 100_000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean := multifactor.Clean(text)
		if len(text) > 256 && clean != "" || utf8.RuneCountInString(clean) > 256*18 {
			t.Errorf("Clean of %d bytes has %d", len(text), len(clean))
		}
		for _, r := range clean {
			if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) || r != unicode.ToLower(r) {
				t.Errorf("Clean(%q) = %q keeps %q", text, clean, r)
			}
		}
		// However a code is set out, it stays that code.
		var spread strings.Builder
		for _, r := range "483 KMN" {
			spread.WriteRune(r)
			spread.WriteString(strings.Map(func(r rune) rune {
				if unicode.IsSpace(r) || r == '-' {
					return r
				}
				return -1
			}, text))
		}
		if spread.Len() <= 256 && multifactor.Clean(spread.String()) != "483kmn" {
			t.Errorf("Clean(%q) = %q", spread.String(), multifactor.Clean(spread.String()))
		}
	})
}
