package services

import "github.com/djauthy/djauthy/internal/audit"

// Triple is a word for who somebody is: a name in a realm and the token of a
// moment.
type Triple struct{ Name, Realm, Token string }

// Caller is a service that asks, and from where.
type Caller struct {
	Triple
	Network string // one IPv4 address, or an IPv6 /64
	// Client is how history shows it. It is asked for only when something is
	// written down, while the request is under way.
	Client func() audit.Client
}

// client is who asks, as history shows it.
func (c Caller) client() audit.Client {
	if c.Client == nil {
		return audit.Client{}
	}
	return c.Client()
}
