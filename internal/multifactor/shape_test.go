package multifactor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/runenames"

	"github.com/djauthy/djauthy/internal/multifactor"
)

var (
	six = multifactor.Shape{Digits: true, Length: 6}
	ten = multifactor.Shape{Length: 10}
)

func TestACodeOfDigitsIsFoundInWhatPeoplePaste(t *testing.T) {
	for _, text := range []string{
		"123456", " 123 456\r\n", "123-456", "1 2\t3\u00a0\u2003456", "12\n34\n56", "1-2-3-4-5-6", "123\u2010\u2011\u2013\u2014\u2212456",
		"\u200b123\u200d456\ufeff", "\u2066123456\u2069", "123456.", "#123456", "(123 456)", "“123456”", "**123456**", "G-123456",
		"Code: 123456", "Code: 123 456.", "Ihr Code lautet 123456", "Your code is 123 456 and works for 10 minutes.", "123456 is your code",
		"@example.org #123456", "@login.example.org #123456\r\n", "123456\n\nIt works once, within 10 minutes.\n\n@example.org #123456\n",
		"123456\n10 minutes", "Code 1: 123-456", "验证码是123456，请勿泄露", "コード123456です",
		"１２３４５６", "١٢٣٤٥٦", "۱۲۳ ۴۵۶", "१२३४५६", "๑๒๓๔๕๖", "12३४٥６", "الرمز: ١٢٣٤٥٦.", "𝟏𝟐𝟑𝟒𝟓𝟔",
		strings.Repeat("word ", 700) + "123456",
	} {
		if got := six.Find(text); got != "123456" {
			t.Errorf("in %.60q it finds %q", text, got)
		}
	}
}

func TestACodeOfLettersIsFoundInWhatPeoplePaste(t *testing.T) {
	for _, text := range []string{
		"abcdefghjk", "ABCDEFGHJK", " AbCdE fGhJk ", "abcde-fghjk", "ＡＢＣＤＥＦＧＨＪＫ", "Code: ABCDE FGHJK.", "Ihr Code lautet abcdefghjk",
		"Your code is abcde fghjk", "@example.org #abcdefghjk", "the abcdefghjk", "验证码abcdefghjk。",
	} {
		if got := ten.Find(text); got != "abcdefghjk" {
			t.Errorf("in %q it finds %q", text, got)
		}
	}
}

func TestWhatHasNotTheShapeIsNoCode(t *testing.T) {
	for shape, texts := range map[multifactor.Shape][]string{
		six: {
			"", " - ", "12345", "1234567", "123 4567", "12345a", "12345O", "l23456", "a123456", "123456a", "abcdef", "abcdefghjk", "12 34 5", "Code: 12345.",
			"Code123456", "0x1e240", "1e6", "-1", "123456 7", "123.456", "12\x003456", "١٢٣٤٥", "一二三四五六", "\xff\xfe",
			strings.Repeat("1", 257), strings.Repeat("1", 60_000), strings.Repeat("word ", 1000) + "123456",
		},
		ten: {
			"", "abcdefghj", "abcdefghjkm", "abcdefghji", "abcdefghjl", "abcdefghjo", "abcdefghj1", "1234567890", "123456", "abcde\u0301fghjk", "абвгдежзик", "Code: abcde.",
		},
	} {
		for _, text := range texts {
			if got := shape.Find(text); got != "" {
				t.Errorf("in %.60q it finds %q", text, got)
			}
		}
	}
}

// Otherwise one submission would try several.
func TestTwoCodesInATextAreNone(t *testing.T) {
	for text, shape := range map[string]multifactor.Shape{
		"123456 654321": six, "123456, 654321": six, "123456\n654321": six, "123 456 or 654 321": six, "Code: 123456. #654321": six, "123456 x 654321 x 123456": six,
		"abcdefghjk abcdefghjm": ten, "abcde fghjk, abcdefghjm": ten, "abcdefghjk/bcdefghjkm": ten,
	} {
		if got := shape.Find(text); got != "" {
			t.Errorf("in %q it finds %q", text, got)
		}
	}
	if got := six.Find("123456. Again: 123 456"); got != "123456" {
		t.Errorf("of one code that stands there twice it finds %q", got)
	}
}

// What Unicode calls each digit says which it is.
func TestDigitsOfEveryScriptHaveTheirValue(t *testing.T) {
	names := []string{"ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"}
	one, seen := multifactor.Shape{Digits: true, Length: 1}, 0
	for r := range unicode.MaxRune {
		if !unicode.IsDigit(r) {
			continue
		}
		words := strings.Fields(runenames.Name(r))
		if len(words) == 0 {
			continue // newer than the names
		}
		seen++
		if want := fmt.Sprint(slices.Index(names, words[len(words)-1])); one.Find(string(r)) != want {
			t.Errorf("%s is %q", runenames.Name(r), one.Find(string(r)))
		}
	}
	if seen < 600 {
		t.Errorf("only %d digits were looked at", seen)
	}
}

func FuzzShapeFind(f *testing.F) {
	for _, seed := range []string{
		"", "123456", " 123-456 ", "１２３ ４５６", "ABCDE fghjk", "\x00\xff\xfe", "\u202e654321", "İK\u0345", strings.Repeat("ﷺ", 90), strings.Repeat("9", 100_000),
		"Code: 123 456.", "@example.org #123456", "123456, 654321", "the abcde fghjk",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for shape, code := range map[multifactor.Shape]string{six: "483291", ten: "kmnpqrstuv"} {
			if got := shape.Find(text); got != "" && (len(got) != shape.Length || shape.Find(got) != got) {
				t.Errorf("in %q it finds %q", text, got)
			}
			// However a code is set out, it stays that code.
			var spread strings.Builder
			for _, r := range code {
				spread.WriteRune(r)
				spread.WriteString(strings.Map(func(r rune) rune {
					if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
						return r
					}
					return -1
				}, text))
			}
			if got := shape.Find(spread.String()); spread.Len() <= 4096 && got != code {
				t.Errorf("in %q it finds %q", spread.String(), got)
			}
		}
	})
}
