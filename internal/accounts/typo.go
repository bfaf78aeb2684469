package accounts

import (
	"slices"
	"strings"
)

// bigDomains are domains at which very many people have a mailbox, and which are long enough
// that a slip of the finger is none of another's.
var bigDomains = []string{
	"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "hotmail.de", "hotmail.fr", "yahoo.com", "icloud.com", "protonmail.com", "proton.me", "bluewin.ch",
	"t-online.de", "freenet.de", "orange.fr", "wanadoo.fr", "libero.it", "yandex.ru", "comcast.net", "fastmail.com",
}

// nearBig are domains of their own that look like a slip.
var nearBig = []string{"mail.com", "ymail.com", "email.com", "hotmail.es", "hotmail.be", "hotmail.dk", "yahoo.ca", "orange.fi", "outlook.co"}

// Suggest returns the mail address that was meant, most likely, where a typed one is a slip of
// the finger away from a big provider's domain; else "".
func Suggest(a Address) string {
	local, domain, found := strings.Cut(string(a), "@")
	domain = strings.ToLower(domain)
	if !found || slices.Contains(bigDomains, domain) || slices.Contains(nearBig, domain) {
		return ""
	}
	for _, big := range bigDomains {
		if isSlip(domain, big) {
			return local + "@" + big
		}
	}
	return ""
}

// isSlip reports two texts that differ by one letter left out, added or replaced, or by two
// neighbours in the wrong order.
func isSlip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		return i < len(a) && (a[i+1:] == b[i+1:] || swapped)
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}
