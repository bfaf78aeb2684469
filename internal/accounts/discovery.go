package accounts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Discovery finds out from a text how to reach a person.
type Discovery struct {
	// FoldLocalPart makes Ann@ and ann@ one person.
	FoldLocalPart bool
}

// Find is Resolve for callers that send no message.
func (d Discovery) Find(text, implementation string) (ID, Refusal) {
	found, refusal := d.Resolve(text, implementation)
	return found.ID, refusal
}

// Resolve normalises what a person typed or pasted and finds the implementation, which
// may be named (manual mode) or empty.
func (d Discovery) Resolve(text, implementation string) (Found, Refusal) {
	if utf8.RuneCountInString(text) > 4*maxChars {
		return Found{}, TooLong
	}
	if !utf8.ValidString(text) {
		return Found{}, Control
	}
	text, refusal := pasted(text)
	if refusal != "" {
		return Found{}, refusal
	}
	if refusal := unusable(text); refusal != "" {
		return Found{}, refusal
	}
	f, ok := formFor(text, implementation)
	if !ok {
		return Found{}, BadKind
	}
	return f.resolve(d, norm.NFC.String(text))
}

// formFor returns the form that is named, if it takes the text, or the first that does.
func formFor(text, implementation string) (*form, bool) {
	for _, f := range forms {
		if (implementation == "" || implementation == f.implementation) && f.takes(text) {
			return f, true
		}
	}
	return nil, false
}

// unusable refuses what no id of any form has.
func unusable(text string) Refusal {
	switch {
	case text == "":
		return Empty
	case utf8.RuneCountInString(norm.NFC.String(text)) > maxChars:
		return TooLong
	case strings.ContainsAny(text, asciiTwins):
		return Compat
	case strings.ContainsFunc(text, func(r rune) bool { return hidden(r) && !unicode.IsSpace(r) }):
		return Control
	}
	return ""
}

// A Refusal says why a text is no ID that can be used, as the last word of the
// message key "problem.id.…". The empty Refusal is none.
type Refusal string

// Reasons to refuse a text.
const (
	Empty   Refusal = "empty"
	TooLong Refusal = "too_long" // over 254 characters (RFC 5321 4.5.3.1.3)
	Control Refusal = "control"  // control or invisible characters
	Script  Refusal = "script"   // mixes alphabets (UTS 39 5.2, highly restrictive)
	NoAt    Refusal = "no_at"
	Several Refusal = "several" // more than one @: several addresses, or a route
	Blank   Refusal = "blank"   // white space inside
	Local   Refusal = "local"   // the part before the @
	Domain  Refusal = "domain"  // the part after it
	Quoted  Refusal = "quoted"  // quotation marks
	Compat  Refusal = "compat"  // look-alikes of plain characters (NFKC changes them)
	BadKind Refusal = "kind"    // an address of a kind that cannot be reached
	// Punctuation is a sign that addresses do not have, or that would write another
	// mailbox: brackets of a comment or literal, a comma, '%' or '!' of a route.
	Punctuation Refusal = "punctuation"

	maxChars = 254
)

// asciiTwins are the characters that NFC makes ASCII of: the Kelvin sign, the Greek
// question mark and the varia. What is typed with one would be sent elsewhere.
const asciiTwins = "\u212a\u037e\u1fef"

// hidden reports characters that nobody sees: controls, formats such as zero
// width joiners and direction marks, private use, and line separators.
func hidden(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || r == utf8.RuneError ||
		unicode.Is(unicode.Variation_Selector, r)
}
