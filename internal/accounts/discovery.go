package accounts

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Discovery finds out from a text how to reach a person.
type Discovery struct {
	// FoldLocalPart makes Ann@ and ann@ one person.
	FoldLocalPart bool
	// Hooks are the web hooks that are configured.
	Hooks []HookIDs
	// Jabber is nil unless it is configured.
	Jabber *JabberIDs
	// Providers are the configured ones, in their order.
	Providers []ProviderIDs
	// AnyIssuer takes ids that name where their provider is found.
	AnyIssuer bool
}

// forms are the forms of ids that people can be reached by, in the order in which discovery
// tries them: an administrator's patterns first.
func (d Discovery) forms() (all []*form) {
	for _, h := range d.Hooks {
		all = append(all, h.form())
	}
	if d.Jabber != nil {
		all = append(all, d.Jabber.form())
	}
	for _, p := range d.Providers {
		all = append(all, p.form())
	}
	if d.AnyIssuer || len(d.Providers) > 0 {
		all = append(all, issuers)
	}
	return append(all, &email)
}

// Channels are the implementations that send a message, in the order of a choice.
func (d Discovery) Channels() []string {
	names := []string{Email}
	if d.Jabber != nil {
		names = append(names, Jabber)
	}
	for _, h := range d.Hooks {
		names = append(names, h.Name)
	}
	return names
}

// Implementations are the ways in which people prove who they are, in the order of a choice:
// providers by their names.
func (d Discovery) Implementations() []string {
	names := d.Channels()
	for _, p := range d.Providers {
		names = append(names, p.Name)
	}
	if d.AnyIssuer {
		names = append(names, OpenID)
	}
	return names
}

// Find returns the id that a text is, for callers that send no message and lead to no
// provider.
func (d Discovery) Find(text, implementation string) (ID, Refusal) {
	all, refusal := d.Candidates(text, implementation)
	for _, c := range all {
		if c.ID.Identifier != "" {
			return c.ID, ""
		}
	}
	if refusal == "" {
		refusal = BadKind
	}
	return ID{}, refusal
}

// Resolve is the first of Candidates.
func (d Discovery) Resolve(text, implementation string) (Found, Refusal) {
	all, refusal := d.Candidates(text, implementation)
	if refusal != "" {
		return Found{}, refusal
	}
	return all[0].Found, ""
}

// IsSpelling reports whether an email address is a spelling of an id. A message goes to the
// address that was proved, as the id's folded spelling may be another mailbox.
func (d Discovery) IsSpelling(email string, id ID) bool {
	found, refusal := d.Resolve(email, Email)
	return refusal == "" && found.ID == id
}

// Candidate is one way to understand an id.
type Candidate struct {
	Found
	Why Reason
}

// A Reason says why an id is taken for one of a certain kind.
type Reason string

// Reasons, the strongest first.
const (
	ByBrowser   Reason = "browser"   // this browser has signed in this way
	ByPrefix    Reason = "prefix"    // the id says so, or the person does
	ByPattern   Reason = "pattern"   // an administrator's pattern fits
	ByDomain    Reason = "domain"    // an administrator has set it for the domain
	ByPublished Reason = "published" // the host says so (RFC 7033)
	BySyntax    Reason = "syntax"    // it looks like one
)

// Candidates normalises what a person typed or pasted and returns every way to understand
// it, those that an administrator has set first. The implementation may be named (manual
// mode) or empty. Without a candidate there is a refusal.
func (d Discovery) Candidates(text, implementation string) ([]Candidate, Refusal) {
	if utf8.RuneCountInString(text) > 4*maxChars {
		return nil, TooLong
	}
	if !utf8.ValidString(text) {
		return nil, Control
	}
	if implementation == "" && isMail(text) {
		implementation = Email
	}
	text, refusal := pasted(text)
	if refusal != "" {
		return nil, refusal
	}
	if refusal := unusable(text); refusal != "" && !(refusal == Empty && d.isProvider(implementation)) {
		return nil, refusal
	}
	forms, text, refusal := d.formsFor(text, implementation)
	if refusal != "" {
		return nil, refusal
	}
	var all []Candidate
	for _, f := range forms {
		found, no := f.resolve(d, norm.NFC.String(text))
		switch {
		case no == "" && Redirects(found.ID.Implementation) && found.Provider == "" && !d.AnyIssuer:
			refusal = cmp.Or(refusal, BadKind) // an issuer that is not configured
		case no == "":
			all = append(all, Candidate{Found: found, Why: f.why})
		case refusal == "":
			refusal = no
		}
	}
	if len(all) > 0 {
		return all, ""
	}
	return nil, refusal
}

// isProvider reports an implementation that needs no id: its provider asks who it is.
func (d Discovery) isProvider(implementation string) bool {
	return slices.ContainsFunc(d.Providers, func(p ProviderIDs) bool { return p.Name == implementation })
}

// formsFor returns the forms that a text may have, and the text without the prefix that says
// which. An implementation may be named; then texts of other kinds have none.
func (d Discovery) formsFor(text, implementation string) (fit []*form, rest string, refusal Refusal) {
	all := d.forms()
	if implementation != "" {
		all = slices.DeleteFunc(all, func(f *form) bool { return f.implementation != implementation })
	}
	prefix, rest, _ := strings.Cut(text, ":")
	for _, f := range all {
		if f.prefix != "" && strings.EqualFold(prefix, f.prefix) {
			rest, err := strings.TrimSpace(rest), error(nil)
			if f.escaped {
				rest, err = url.PathUnescape(rest)
			}
			if err != nil || !utf8.ValidString(rest) {
				return nil, "", Punctuation
			}
			return []*form{f.because(ByPrefix)}, rest, ""
		}
	}
	for _, f := range all {
		switch {
		case implementation != "" && (f.takes(text) || !hasScheme(text) || f.hint):
			fit = append(fit, f.because(ByPrefix))
		case implementation == "" && f.takes(text):
			fit = append(fit, f)
		}
	}
	if len(fit) == 0 {
		return nil, "", BadKind
	}
	return fit, text, ""
}

// because is the form, taken for another reason.
func (f form) because(why Reason) *form {
	f.why = why
	return &f
}

// isMail reports a text that says itself that it is a mail address.
func isMail(text string) bool {
	text = strings.TrimLeft(text, " <\"'")
	return len(text) >= len("mailto:") && strings.EqualFold(text[:len("mailto:")], "mailto:")
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
	NoWay   Refusal = "no_way"  // no implementation was chosen where one has to be
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
