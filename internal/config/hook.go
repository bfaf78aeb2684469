package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Hook is a web hook: a request for each message. Its name is an implementation.
type Hook struct {
	Name        string
	URL         string // its path is a template
	Method      string
	Headers     map[string]string
	ContentType string
	Body        string // a template; "": all values
	IDs         string // a regular expression (RE2), or ""
	Secret      string
	Limit       Rates // of messages to all people together; none: as many as are asked for

	Expiry time.Duration // how long a code that it sends is valid
}

func (h *Hook) table() table {
	return table{settings: []setting{
		text("name", &h.Name, "", "the implementation's name, and the prefix of its ids: sms:+41791234567", nameOf),
		text("url", &h.URL, "", "where messages are posted; values may stand in the path, as in the body", hookURL).markSecret(),
		choice("method", &h.Method, "POST, PUT, PATCH or GET", "POST", "PUT", "PATCH", "GET"),
		pairs("headers", &h.Headers, "headers of the request").markSecret(),
		choice("content_type", &h.ContentType, "application/json or application/x-www-form-urlencoded", "application/json", "application/x-www-form-urlencoded"),
		text("body", &h.Body, "", "a template of Go's text/template over .To .Code .Text .Subject .Site .Minutes, which are escaped for the content type: in JSON write the quotation marks around each. Empty: all six", anyText).markSecret(),
		text("ids", &h.IDs, "", "regular expression (RE2) of the ids that go to this hook without its name in front; it has to match all of the id", pattern),
		text("secret", &h.Secret, "", "signs the body: X-Djauthy-Signature is t=UNIX,v1=HEX, the HMAC-SHA256 of UNIX.BODY", anyText).markSecret(),
		optionalRates("limit", &h.Limit, "messages by this hook to all people together that browsers may ask for which have not signed in with the id before, such as 200/1h, 1000/24h; for gateways whose messages cost money. Empty: no limit"),
	}}
}

// Pattern matches the ids that go to the hook without its name in front; nil: none do.
func (h *Hook) Pattern() *regexp.Regexp {
	if h.IDs == "" {
		return nil
	}
	return regexp.MustCompile(whole(h.IDs)) // pattern has tried it
}

func whole(expression string) string { return `^(?:` + expression + `)$` }

func pattern(v string) error {
	if _, err := regexp.Compile(whole(v)); err != nil {
		return errors.New("a regular expression in the syntax of RE2")
	}
	return nil
}

func hookURL(v string) error {
	if !strings.HasPrefix(v, "https://") && !strings.HasPrefix(v, "http://") {
		return errors.New("an address such as https://gateway.example.org/send")
	}
	return nil
}

// reserved are names that mean something else: implementations, prefixes of ids, paths under
// /login.
var reserved = []string{
	"email", "jabber", "openid", "oauth", "code", "mailto", "xmpp", "acct", "http", "https", "tel",
	"resend", "link", "not-me", "first", "choose", "callback", "passkey", "totp", "recovery", "bound",
}

var hookName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// nameOf accepts the name of a hook or a provider.
func nameOf(v string) error {
	switch {
	case !hookName.MatchString(v):
		return errors.New("a name of small letters, digits and -, beginning with a letter, such as sms")
	case slices.Contains(reserved, v):
		return errors.New("a name that does not mean something else to djauthy already")
	}
	return nil
}

// LongestExpiry is the longest that a code may be valid.
const LongestExpiry = 24 * time.Hour

// expiries are the settings of how long codes are valid, by implementation.
func (c *Config) expiries() []setting {
	all := []setting{
		duration("expiry_time.email", &c.ExpiryTime.Email, "10m", "how long a code sent by email is valid", time.Minute, LongestExpiry),
		duration("expiry_time.jabber", &c.ExpiryTime.Jabber, "10m", "the same by Jabber", time.Minute, LongestExpiry),
		duration("expiry_time.openid", &c.ExpiryTime.OpenID, "10m", "how long people have to sign in at their OpenID provider", time.Minute, LongestExpiry),
		duration("expiry_time.oauth", &c.ExpiryTime.OAuth, "10m", "the same at an OAuth provider", time.Minute, LongestExpiry),
	}
	for i := range c.Hooks {
		h := &c.Hooks[i]
		if hookName.MatchString(h.Name) {
			all = append(all, duration("expiry_time."+h.Name, &h.Expiry, "10m", "", time.Minute, 24*time.Hour))
		}
	}
	return all
}

// checkNames refuses two hooks or providers of one name: it chooses an implementation.
func (c *Config) checkNames() error {
	seen := map[string]bool{}
	check := func(array string, i int, name string) error {
		if seen[name] {
			return &Error{Key: entryKey(array, i) + ".name", Value: name, Allowed: "a name that no other hook or provider has", Source: "settings"}
		}
		seen[name] = true
		return nil
	}
	for i, h := range c.Hooks {
		if err := check("hook", i, h.Name); err != nil {
			return err
		}
	}
	for i, p := range c.Providers {
		if err := check("provider", i, p.Name); err != nil {
			return err
		}
	}
	return nil
}
