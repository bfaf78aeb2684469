package accounts

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Email is the implementation that reaches people by mail.
const Email = "email"

// email is the form of mail addresses: the identifier is the local part as normalised,
// '@', and the domain in ASCII.
var email = form{
	implementation: Email,
	why:            BySyntax,
	takes:          func(text string) bool { return !hasScheme(text) },
	resolve:        resolveEmail,
	deliverable:    deliverableEmail,
	shown:          shownEmail,
	masked:         maskedEmail,
	domain:         domainOf,
	budgetKey:      mailbox,
}

const maxLocal = 64 // RFC 5321 4.5.3.1.1, octets

func resolveEmail(d Discovery, text string) (Found, Refusal) {
	if refusal := noEmail(text); refusal != "" {
		return Found{}, refusal
	}
	identifier, refusal := d.email(text)
	if refusal != "" {
		return Found{}, refusal
	}
	return Found{ID: ID{Email, identifier}, Address: Address(text)}, ""
}

// noEmail refuses what no mail address has. The first refusal that holds is the one that
// says best what to mend.
func noEmail(text string) Refusal {
	switch {
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

// deliverableEmail is an address as a mail server takes it: the local part as typed,
// the domain in ASCII (RFC 5891).
func deliverableEmail(a Address) string {
	local, domain, _ := strings.Cut(string(a), "@")
	ascii, refusal := hostname(domain)
	if refusal != "" { // not an address of Resolve
		return string(a)
	}
	return local + "@" + ascii
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

// shownEmail has the domain in the script that people write it in.
func shownEmail(identifier string) string {
	local, domain, _ := strings.Cut(identifier, "@")
	if u, err := toASCII.ToUnicode(domain); err == nil {
		domain = u
	}
	return local + "@" + domain
}

// maskedEmail shows the first and last character of the local part and the domain.
func maskedEmail(identifier string) string {
	local, domain, _ := strings.Cut(shownEmail(identifier), "@")
	return maskedName(local) + "@" + domain
}

// mailbox is where messages end up: the address without a plus tag and, where the host
// is known to ignore them, dots.
func mailbox(identifier string) string {
	local, domain, _ := strings.Cut(identifier, "@")
	local, _, _ = strings.Cut(local, "+")
	if domain = oneDomain(domain); domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return fold(local) + "@" + domain
}

// oneDomain is one domain for both names of Gmail.
func oneDomain(domain string) string {
	if domain == "googlemail.com" {
		return "gmail.com"
	}
	return domain
}

// domainOf is the domain of an address, for limits.
func domainOf(id ID) string {
	return oneDomain(strings.ToLower(id.Identifier[strings.LastIndex(id.Identifier, "@")+1:]))
}

// hasScheme reports ids that say of which kind they are: URLs, xmpp:, and provider
// prefixes such as github:name.
func hasScheme(text string) bool {
	scheme, _, found := strings.Cut(text, ":")
	return found && scheme != "" && !strings.ContainsFunc(scheme, func(r rune) bool {
		return r != '+' && r != '-' && r != '.' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}
