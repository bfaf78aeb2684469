// Package boundkey is the server's side of Device Bound Session Credentials: a browser makes a
// key that does not leave its device, and proves every few minutes that it still has it. A
// cookie that is copied to another device is then worth nothing there.
//
// It makes and reads what travels: headers, session instructions, proofs and challenges, and
// the value of the short-lived cookie. It has no clock, no table and no route; who may
// register, when, and what happens to a session without a proof is decided above.
//
// The source is the W3C draft (https://w3c.github.io/webappsec-dbsc/), of which proofs follow
// the form since September 2025 (webappsec-dbsc pull request 216). Where the draft leaves
// something open, or Chromium 156 does otherwise, comments say so.
package boundkey

import (
	"time"

	"github.com/djauthy/djauthy/internal/seal"
)

const (
	// CookieLife is the Max-Age of the short-lived cookie: what a copied one is worth.
	CookieLife = 10 * time.Minute
	// cookieGrace is for requests that were under way when the cookie expired.
	cookieGrace = time.Minute
)

// Binder makes and checks what binds sessions to keys. It is safe for concurrent use.
type Binder struct{ mac *seal.MAC }

// New returns a Binder whose cookies are authenticated by mac, which is for them alone.
func New(mac *seal.MAC) *Binder { return &Binder{mac} }

// Cookie is the value of the cookie that a proof of the key of session earns.
func (b *Binder) Cookie(session string, now time.Time) string {
	return b.stamp(purposeCookie, session, now)
}

// Holds reports whether value is the cookie of session, and made at most CookieLife ago. A
// minute more is granted to requests that were under way.
func (b *Binder) Holds(session, value string, now time.Time) bool {
	_, ok := b.read(purposeCookie, session, value, now, CookieLife+cookieGrace)
	return ok
}
