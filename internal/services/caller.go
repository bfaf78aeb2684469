package services

import "github.com/djauthy/djauthy/internal/audit"

// Triple is what a service presents: its name in its realm, and the token of the moment.
type Triple struct{ Name, Realm, Token string }

// Key is what the service is known by.
func (t Triple) Key() Key { return Key{t.Name, t.Realm} }

// Caller is a service that asks, and from where.
type Caller struct {
	Triple
	Network string // one IPv4 address, or an IPv6 /64
	// Client is how history shows the caller. It is called only when something is
	// recorded, while the request is in flight.
	Client func() audit.Client
}

// client is the caller as history shows it.
func (c Caller) client() audit.Client {
	if c.Client == nil {
		return audit.Client{}
	}
	return c.Client()
}
