package accounts_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/djauthy/djauthy/internal/accounts"
)

// folded returns the local part under which the account of a typed address is stored; ok
// reports whether the address is accepted.
func folded(local string) (got string, ok bool) {
	id, refusal := discovery.Find(local+"@example.org", "")
	return strings.TrimSuffix(id.Identifier, "@example.org"), refusal == ""
}

func TestFoldingMapsEveryLetterToOneOfItsKind(t *testing.T) {
	changed := 0
	for r := rune(unicode.MaxASCII + 1); r <= unicode.MaxRune; r++ {
		typed := norm.NFC.String(string(r))
		got := accounts.Fold(typed)
		if !norm.NFC.IsNormalString(got) || accounts.Fold(got) != got {
			t.Errorf("%q is folded to %q, and that to %q", r, got, accounts.Fold(got))
		}
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(typed) {
			t.Errorf("%q is folded to %q", r, got)
		}
		if got == string(r) {
			continue
		}
		changed++
		if got, ok := folded(string(r)); ok && strings.ContainsFunc(got, func(r rune) bool { return r <= unicode.MaxASCII }) {
			t.Errorf("%q is folded to the ASCII of %q", r, got)
		}
	}
	if changed < 1000 {
		t.Errorf("only %d letters were folded", changed)
	}
}

// A letter and a mark may compose in one case and not in the other.
func TestFoldingOfLettersWithMarksIsStable(t *testing.T) {
	for r := rune('A'); r <= unicode.MaxRune; r++ {
		if unicode.ToLower(r) == r {
			continue
		}
		for mark := rune(0x300); mark < 0x370; mark++ {
			got := accounts.Fold(norm.NFC.String(string([]rune{r, mark})))
			if twice := accounts.Fold(got); twice != got || !norm.NFC.IsNormalString(got) {
				t.Errorf("%q with %q is folded to %q, and that to %q", r, mark, got, twice)
			}
		}
	}
}

// Each of these pairs was one account under full case folding.
func TestLettersThatFullCaseFoldingChangesAreTwoAccounts(t *testing.T) {
	for _, pair := range [][2]string{{"straße", "strasse"}, {"σοφος", "σοφοσ"}, {"\u0130lker", "i\u0307lker"}, {"\u0130lker", "ilker"}, {"ᾳ", "αι"}} {
		a, okA := folded(pair[0])
		b, okB := folded(pair[1])
		if !okA || !okB || a == b {
			t.Errorf("%q and %q are the accounts %q (%v) and %q (%v)", pair[0], pair[1], a, okA, b, okB)
		}
	}
}

func TestAFoldedAndATypedLocalPartAreBothOfTheAllowedLength(t *testing.T) {
	// Two bytes in upper case and three in lower, and the other way round.
	for _, letter := range []string{"\u023a", "\u1e9e"} {
		for _, n := range []int{21, 22, 32, 33} {
			local := strings.Repeat(letter, n)
			got, ok := folded(local)
			if ok && (len(got) > 64 || len(local) > 64) {
				t.Errorf("%d of %s are taken: %d bytes, folded %d", n, letter, len(local), len(got))
			}
			if _, again := folded(got); ok && !again {
				t.Errorf("%d of %s are taken, folded they are refused", n, letter)
			}
		}
	}
}
