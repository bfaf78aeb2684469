package accounts

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// HookIDs are the ids of people whom one web hook reaches: telephone numbers, names in a
// chat, whatever its gateway takes.
type HookIDs struct {
	Name string // of the hook: the implementation, and the prefix of its ids
	// IDs matches ids that it takes without its prefix; nil: none.
	IDs *regexp.Regexp
}

// form is the form of these ids: the identifier is the text without its prefix, a
// telephone number without blanks and punctuation.
func (h HookIDs) form() *form {
	f := hookForm
	f.implementation, f.prefix, f.why = h.Name, h.Name, ByPattern
	f.takes = func(text string) bool { return h.IDs != nil && h.IDs.MatchString(text) }
	f.resolve = h.resolve
	return &f
}

// hookForm is what the forms of all hooks have in common. It stands for every
// implementation without a file of its own.
var hookForm = form{
	deliverable: func(a Address) string { return dialled(string(a)) },
	shown:       func(identifier string) string { return identifier },
	masked:      maskedName,
	domain:      func(id ID) string { return id.Implementation },
	budgetKey:   hookBudgetKey,
}

func (h HookIDs) resolve(_ Discovery, text string) (Found, Refusal) {
	identifier := dialled(text)
	switch {
	case identifier == "":
		return Found{}, Empty
	case strings.ContainsAny(identifier, ",;"):
		return Found{}, Several
	case strings.Contains(identifier, "+") && !number.MatchString(identifier), strings.ContainsFunc(identifier, foreignDigit):
		return Found{}, Punctuation
	case strings.ContainsFunc(identifier, unicode.IsSpace):
		return Found{}, Blank
	case norm.NFKC.String(identifier) != identifier:
		return Found{}, Compat
	case mixed(identifier):
		return Found{}, Script
	}
	return Found{ID: ID{h.Name, identifier}, Address: Address(text)}, ""
}

var (
	// telephone matches a number as people write it.
	telephone = regexp.MustCompile(`^(?:\+|00?)?[0-9][0-9 ()./\-–]*$`)
	// number matches one in the form of E.164, with the country code.
	number = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// dialled is a telephone number without what stands between its digits, with a plus sign in
// place of 00; any other text is as it was.
func dialled(text string) string {
	if !telephone.MatchString(text) {
		return text
	}
	abroad := strings.HasPrefix(text, "+") || strings.HasPrefix(text, "00")
	if abroad { // the national prefix, which nobody dials from abroad
		text = strings.Replace(strings.TrimLeft(text, "+0"), "(0)", "", 1)
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
	if abroad {
		return "+" + digits
	}
	return digits
}

// foreignDigit reports a digit of another script, which some gateways read as one of ours.
func foreignDigit(r rune) bool { return unicode.IsDigit(r) && (r < '0' || r > '9') }

// sharedDigits is how many last digits of a telephone number all its spellings have in common:
// few national numbers, without their trunk prefix, are shorter.
const sharedDigits = 8

// hookBudgetKey is the key under which limits count an identifier. A telephone number counts by
// its last digits, so that +41791234567 and 079 123 45 67 share limits; other numbers that end
// alike share them, too.
func hookBudgetKey(identifier string) string {
	key := letters(identifier)
	if len(key) > sharedDigits && strings.Trim(key, "0123456789") == "" {
		return key[len(key)-sharedDigits:]
	}
	return key
}

// letters are the letters and digits of an identifier in lower case: spellings that differ
// in nothing else may reach one person, and share limits.
func letters(identifier string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, identifier)
}

// maskedName shows the first and last character of a name.
func maskedName(identifier string) string {
	runes := []rune(identifier)
	if len(runes) < 3 {
		return string(runes[:min(1, len(runes))]) + "***"
	}
	return string(runes[0]) + "***" + string(runes[len(runes)-1])
}
