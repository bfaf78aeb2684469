package accounts

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// Jabber is the implementation that reaches people by XMPP.
const Jabber = "jabber"

// JabberIDs are the Jabber ids that are reached.
type JabberIDs struct {
	// Domains are those whose ids are Jabber ids without xmpp: in front, in ASCII and lower
	// case.
	Domains []string
}

// jabber is the form of bare JIDs (RFC 7622): local part and domain, without a resource.
// Spellings that differ in case are one id by the standard, so messages go to the identifier.
var jabber = form{
	implementation: Jabber,
	prefix:         "xmpp",
	escaped:        true,
	why:            ByDomain,
	resolve:        resolveJabber,
	deliverable:    deliverableJabber,
	shown:          shownEmail,
	masked:         maskedEmail,
	domain:         domainOf,
	budgetKey:      func(identifier string) string { return identifier },
}

// form is the form of these ids.
func (j JabberIDs) form() *form {
	f := jabber
	f.takes = func(text string) bool {
		_, domain, found := strings.Cut(text, "@")
		ascii, refusal := hostname(domain)
		return found && refusal == "" && slices.Contains(j.Domains, ascii)
	}
	return &f
}

func deliverableJabber(a Address) string {
	found, refusal := resolveJabber(Discovery{}, string(a))
	if refusal != "" { // not an address of Resolve
		return string(a)
	}
	return found.ID.Identifier
}

// resolveJabber normalises a JID or the path of an xmpp: address (RFC 5122 2.2). A resource
// and a query are dropped.
func resolveJabber(_ Discovery, text string) (Found, Refusal) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "//"), "?")
	text, _, _ = strings.Cut(text, "#")
	bare, _, _ := strings.Cut(text, "/")
	switch {
	case bare == "":
		return Found{}, Empty
	case unusable(bare) != "":
		return Found{}, unusable(bare)
	case strings.Count(bare, "@") > 1:
		return Found{}, Several
	case !strings.Contains(bare, "@"):
		return Found{}, NoAt
	case strings.ContainsFunc(bare, unicode.IsSpace):
		return Found{}, Blank
	}
	typed, domain, _ := strings.Cut(bare, "@")
	local, refusal := jabberLocal(typed)
	if refusal != "" {
		return Found{}, refusal
	}
	ascii, refusal := hostname(domain)
	if refusal != "" {
		return Found{}, refusal
	}
	if len(local)+1+len(ascii) > maxChars {
		return Found{}, TooLong
	}
	return Found{ID: ID{Jabber, local + "@" + ascii}, Address: Address(bare)}, ""
}

// jabberLocal normalises a local part (RFC 7622 3.3).
func jabberLocal(typed string) (string, Refusal) {
	if norm.NFKC.String(typed) != typed {
		return "", Compat
	}
	local, err := precis.UsernameCaseMapped.String(typed)
	switch {
	case err != nil || local == "":
		return "", Local
	case strings.ContainsAny(local, `"&'/:<>@`):
		return "", Punctuation
	case mixed(local):
		return "", Script
	// Servers of RFC 6122 fold these further (ß is ss there), and deliver to somebody else.
	case cases.Fold().String(local) != local:
		return "", Local
	}
	return local, ""
}
