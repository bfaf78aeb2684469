package accounts

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Implementations that lead people to a provider and take its word for who they are.
const (
	// OpenID identifies people as ISSUER and sub, with a blank between (OIDC Core 5.7), or by
	// their own URL (OpenID 2.0).
	OpenID = "openid"
	// OAuth identifies people as NAME:ID, by the name of a configured provider and their id
	// there.
	OAuth = "oauth"
)

// Redirects reports an implementation that leads people to a provider.
func Redirects(implementation string) bool {
	return implementation == OpenID || implementation == OAuth
}

// ProviderIDs are the ids of people who sign in with one configured provider.
type ProviderIDs struct {
	Name   string // the prefix of its ids, as in github:ann
	Kind   string // OpenID or OAuth
	Issuer string // of OpenID
	// Domains are those of email addresses that are led to the provider, in ASCII and lower
	// case.
	Domains []string
}

// provided is the form of what a provider knows people by. What they type is a hint for the
// provider alone: who signs in there counts.
var provided = form{
	deliverable: func(a Address) string { return string(a) },
	shown:       shownAtProvider,
	masked:      shownAtProvider,
	domain:      func(id ID) string { return shownAtProvider(id.Identifier) },
	budgetKey:   func(identifier string) string { return identifier },
}

// shownAtProvider is the host or the name of the provider that an identifier begins with.
func shownAtProvider(identifier string) string {
	issuer, _, _ := strings.Cut(identifier, " ")
	if u, err := url.Parse(issuer); err == nil && u.Host != "" {
		return u.Host
	}
	name, _, _ := strings.Cut(identifier, ":")
	return name
}

// form is the form of the ids of a provider.
func (p ProviderIDs) form() *form {
	f := provided
	f.implementation, f.prefix, f.why, f.hint = p.Name, p.Name, ByDomain, true
	f.takes = func(text string) bool {
		_, domain, found := strings.Cut(text, "@")
		ascii, refusal := hostname(domain)
		return found && refusal == "" && slices.Contains(p.Domains, ascii)
	}
	f.resolve = func(_ Discovery, text string) (Found, Refusal) {
		found := Found{ID: ID{Implementation: p.Kind}, Address: Address(text), Provider: p.Name}
		switch {
		case f.takes(text) || text == "": // an address elsewhere
		case p.Kind == OpenID:
			found.ID.Identifier = p.Issuer + " " + text
		default:
			found.ID.Identifier = p.Name + ":" + text
		}
		return found, ""
	}
	return &f
}

// issuers is the form of ids that name where their provider is found: a URL, a bare domain,
// acct:user@host (RFC 7565).
var issuers = func() *form {
	f := provided
	f.implementation, f.why = OpenID, BySyntax
	f.takes = func(text string) bool { return isURL(text) || isAcct(text) || bareHost.MatchString(text) }
	f.resolve = resolveIssuer
	return &f
}()

// bareHost matches a host without a scheme, with a port or a path perhaps.
var bareHost = regexp.MustCompile(`^(?:[^\s/@:?#\\]+\.[^\s/@:?#\\.]+|localhost|\[[0-9a-fA-F:.]+\])\.?(?::[0-9]{1,5})?(?:/[^\s\\]*)?$`)

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

func isURL(text string) bool {
	return hasPrefixFold(text, "https://") || hasPrefixFold(text, "http://")
}

func isAcct(text string) bool { return hasPrefixFold(text, "acct:") }

// resolveIssuer normalises an id that names where its provider is found. The identifier is
// the URL without fragment; of a bare host it has no scheme.
func resolveIssuer(d Discovery, text string) (Found, Refusal) {
	if isAcct(text) {
		return resolveAcct(text)
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "", text
	}
	rest, _, _ = strings.Cut(rest, "#")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, refusal := hostAndPort(rest[:end])
	switch {
	case refusal != "":
		return Found{}, refusal
	case strings.ContainsFunc(rest[end:], unicode.IsSpace):
		return Found{}, Blank
	}
	identifier := host + rest[end:]
	if scheme != "" {
		identifier = strings.ToLower(scheme) + "://" + identifier
	}
	if _, err := url.Parse("https://" + host + rest[end:]); err != nil {
		return Found{}, Punctuation
	}
	for _, p := range d.Providers {
		if p.Issuer != "" && strings.TrimSuffix(p.Issuer, "/") == strings.TrimSuffix(identifier, "/") {
			return Found{ID: ID{Implementation: OpenID}, Provider: p.Name}, ""
		}
	}
	return Found{ID: ID{OpenID, identifier}, Address: Address(text)}, ""
}

// resolveAcct normalises acct:user@host, where the host may have a port.
func resolveAcct(text string) (Found, Refusal) {
	user, err := url.PathUnescape(strings.TrimSpace(text[len("acct:"):]))
	at := strings.LastIndexByte(user, '@')
	switch {
	case err != nil:
		return Found{}, Punctuation
	case at <= 0:
		return Found{}, NoAt
	case strings.ContainsFunc(user, unicode.IsSpace):
		return Found{}, Blank
	case strings.ContainsAny(user, "/?#"):
		return Found{}, Punctuation
	case norm.NFKC.String(user) != norm.NFC.String(user):
		return Found{}, Compat
	}
	host, refusal := hostAndPort(user[at+1:])
	if refusal != "" {
		return Found{}, refusal
	}
	return Found{ID: ID{OpenID, "acct:" + user[:at] + "@" + host}, Address: Address(user)}, ""
}

// hostAndPort normalises a host, which may be an address of the internet protocol, too.
func hostAndPort(text string) (string, Refusal) {
	if strings.Contains(text, "@") {
		return "", Punctuation // a user or a password
	}
	host, port, found := text, "", false
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		host, port, found = text[:i], text[i+1:], true
	}
	bare, isV6 := strings.CutPrefix(strings.TrimSuffix(host, "]"), "[")
	switch {
	case isV6 || numeric.MatchString(host):
		ip, err := netip.ParseAddr(bare)
		if err != nil || ip.Is6() != isV6 || ip.Zone() != "" {
			return "", Domain
		}
		host = strings.ToLower(host)
	default:
		var refusal Refusal
		if host, refusal = hostname(host); refusal != "" {
			return "", refusal
		}
	}
	if !found {
		return host, ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", Domain
	}
	return host + ":" + port, ""
}
