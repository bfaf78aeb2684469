package accounts

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Email is the implementation that reaches people by mail.
const Email = "email"

// Implementations are the ways to reach a person, in the order of a choice.
var Implementations = []string{Email}

// An ID says how to reach a person and where. It is normalised: two ways to
// write one address give the same ID.
type ID struct {
	Implementation string
	Identifier     string // for email: local part as normalised, '@', domain in ASCII
}

// An Address is an address as somebody typed it, in NFC and without what stood
// around it. It differs from the identifier in case, and its domain is in whatever
// script it was typed in. Messages go to it, so that a code reaches the mailbox that
// was named and no other that folding makes the same.
type Address string

// Deliverable is the address as a mail server takes it: the local part as typed,
// the domain in ASCII (RFC 5891).
func (a Address) Deliverable() string {
	local, domain, _ := strings.Cut(string(a), "@")
	ascii, refusal := hostname(domain)
	if refusal != "" { // not an address of Resolve
		return string(a)
	}
	return local + "@" + ascii
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
	maxLocal = 64 // RFC 5321 4.5.3.1.1, octets
)

// Discovery finds out from a text how to reach a person.
type Discovery struct {
	// FoldLocalPart makes Ann@ and ann@ one person.
	FoldLocalPart bool
}

// Found is what a text leads to: whose account it is, and where messages go.
type Found struct {
	ID      ID
	Address Address
}

// Find is Resolve for callers that send no message.
func (d Discovery) Find(text, implementation string) (ID, Refusal) {
	found, refusal := d.Resolve(text, implementation)
	return found.ID, refusal
}

// Resolve normalises what a person typed or pasted and finds the implementation.
// The implementation may be named (manual mode) or empty.
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
	if refusal := suspicious(text); refusal != "" {
		return Found{}, refusal
	}
	if implementation != "" && implementation != Email {
		return Found{}, BadKind
	}
	text = norm.NFC.String(text)
	identifier, refusal := d.email(text)
	if refusal != "" {
		return Found{}, refusal
	}
	return Found{ID{Email, identifier}, Address(text)}, ""
}

// suspicious refuses what no address has, each for a reason that tells people what
// to mend: the first that holds is the most telling.
func suspicious(text string) Refusal {
	switch {
	case text == "":
		return Empty
	case utf8.RuneCountInString(norm.NFC.String(text)) > maxChars:
		return TooLong
	case strings.ContainsAny(text, asciiTwins):
		return Compat
	case strings.ContainsFunc(text, func(r rune) bool { return hidden(r) && !unicode.IsSpace(r) }):
		return Control
	case foreign(text):
		return BadKind
	case strings.ContainsAny(text, "\"“”„«»"):
		return Quoted
	case strings.Count(text, "@") > 1:
		return Several
	case !strings.Contains(text, "@"):
		return NoAt
	case strings.ContainsFunc(text, unicode.IsSpace):
		return Blank
	case strings.ContainsAny(text, `()<>[]\,;:%!`):
		return Punctuation
	}
	return ""
}

// asciiTwins are the characters that NFC makes ASCII of: the Kelvin sign, the Greek
// question mark and the varia. What is typed with one would be sent elsewhere.
const asciiTwins = "\u212a\u037e\u1fef"

// hidden reports characters that nobody sees: controls, formats such as zero
// width joiners and direction marks, private use, and line separators.
func hidden(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || r == utf8.RuneError ||
		unicode.Is(unicode.Variation_Selector, r)
}

// foreign reports addresses that are plainly of another kind: URLs, xmpp:, and
// provider prefixes such as github:name.
func foreign(text string) bool {
	scheme, _, found := strings.Cut(text, ":")
	return found && scheme != "" && !strings.ContainsFunc(scheme, func(r rune) bool {
		return r != '+' && r != '-' && r != '.' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}

// email normalises an address that is not suspicious (RFC 5321 4.1.2, RFC 6531
// 3.3). Quoted local parts, comments, source routes and address literals do not
// come here: nobody signs in with one, and each is a way to write another mailbox.
func (d Discovery) email(text string) (string, Refusal) {
	typed, domain, _ := strings.Cut(text, "@")
	local := typed
	if refusal := d.local(&local); refusal != "" {
		return "", refusal
	}
	ascii, refusal := hostname(domain)
	if refusal == "" && max(len(local), len(typed))+1+len(ascii) > maxChars {
		refusal = TooLong
	}
	return local + "@" + ascii, refusal
}

func (d Discovery) local(local *string) Refusal {
	s := *local
	if norm.NFKC.String(s) != s {
		return Compat
	}
	typed := s
	if d.FoldLocalPart {
		s = fold(s)
	}
	if s == "" || max(len(s), len(typed)) > maxLocal || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return Local
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !localRune(r) }) {
		return Local
	}
	if mixed(s) {
		return Script
	}
	*local = s
	return ""
}

// fold makes one of the spellings of a local part that differ in case. It maps
// each rune to one rune: full case folding (Unicode 3.13, C+F) makes "ss" of ß and
// σ of ς, which are other mailboxes. The result is NFC again, since h and a macron
// below compose and H and it do not.
func fold(local string) string { return norm.NFC.String(strings.Map(lower, local)) }

// lower is the simple lower case of a rune. A letter that is not ASCII and whose
// lower case is (İ) stays as it is, because the ASCII letter is another mailbox.
func lower(r rune) rune {
	l := unicode.ToLower(r)
	if l <= unicode.MaxASCII && r > unicode.MaxASCII {
		return r
	}
	return l
}

// localRune reports what a local part may hold: atext of RFC 5322 3.2.3 less
// '%' and '!', dots, and letters, marks and digits of any script.
func localRune(r rune) bool {
	if r <= unicode.MaxASCII {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".#$&'*+-/=?^_`{|}~", r)
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N)
}

var toASCII = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// numeric matches what some program reads as an address: a last label of digits
// or a hexadecimal number.
var numeric = regexp.MustCompile(`(^|\.)([0-9]+|0[xX][0-9a-fA-F]*)$`)

// hostname returns a domain in ASCII (RFC 5891), lower case, without a final
// dot. Numbers alone are an address, not a domain.
func hostname(domain string) (string, Refusal) {
	for _, dot := range []string{".", "。", "．", "｡"} {
		if rest, found := strings.CutSuffix(domain, dot); found {
			domain = rest
			break
		}
	}
	ascii, plain := strings.ToLower(domain), plainHostname(domain)
	if !plain {
		var err error
		if ascii, err = toASCII.ToASCII(domain); err != nil || ascii == "" || strings.HasSuffix(ascii, ".") {
			return "", Domain
		}
	}
	if numeric.MatchString(ascii) {
		return "", Domain
	}
	if plain {
		return ascii, ""
	}
	unicoded, err := toASCII.ToUnicode(ascii)
	if err != nil {
		return "", Domain
	}
	for label := range strings.SplitSeq(unicoded, ".") {
		if mixed(label) {
			return "", Script
		}
	}
	return ascii, ""
}

// plainHostname reports domains of which IDNA makes nothing but lower case: labels of
// letters, digits and hyphens. Most are, and the tables cost more than all other checks.
func plainHostname(domain string) bool {
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || len(label) > 3 && label[2:4] == "--" ||
			strings.ContainsFunc(label, func(r rune) bool {
				return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
			}) {
			return false
		}
	}
	return len(domain) <= 253
}

// Shown is the identifier as people write it, with the domain in their script.
func (id ID) Shown() string {
	local, domain, _ := strings.Cut(id.Identifier, "@")
	if u, err := toASCII.ToUnicode(domain); err == nil {
		domain = u
	}
	return local + "@" + domain
}

// Masked shows the first and last character of the local part and the domain:
// enough for its owner, nothing for who looks over the shoulder.
func (id ID) Masked() string {
	local, domain, _ := strings.Cut(id.Shown(), "@")
	runes := []rune(local)
	if len(runes) < 3 {
		return string(runes[:min(1, len(runes))]) + "***@" + domain
	}
	return string(runes[0]) + "***" + string(runes[len(runes)-1]) + "@" + domain
}

// Mailbox is where messages end up: without a plus tag and, where the host is
// known to ignore them, dots. Spelling variants of one mailbox share the budget
// of messages under it, but never an account.
func (id ID) Mailbox() string {
	local, domain, _ := strings.Cut(id.Identifier, "@")
	local, _, _ = strings.Cut(local, "+")
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return fold(local) + "@" + domain
}
