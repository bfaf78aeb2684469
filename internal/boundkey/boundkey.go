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
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/djauthy/djauthy/internal/seal"
)

// Names of header fields (draft 9). Before October 2025 they began with "Sec-Session-";
// browsers of that time are served as those without the feature.
const (
	HeaderRegistration = "Secure-Session-Registration" // of a response: Offer
	HeaderChallenge    = "Secure-Session-Challenge"    // of a response: Challenge
	HeaderProof        = "Secure-Session-Response"     // of a request: for Register and Refresh
	HeaderSession      = "Sec-Secure-Session-Id"       // of a request: ReadSession
)

const (
	// ChallengeLife is how long a challenge may be answered. Within it somebody who can use
	// the key for a moment can sign ahead, so it is short; a browser that comes later gets
	// another challenge, which costs one round trip.
	ChallengeLife = 5 * time.Minute
	// CookieLife is the Max-Age of the short-lived cookie: what a copied one is worth.
	CookieLife = 10 * time.Minute
	// cookieGrace is for requests that were under way when the cookie expired.
	cookieGrace = time.Minute
)

var (
	// ErrChallenge reports that a proof is of the right key, but not of a challenge that may
	// be answered: it is too old, was answered before, or is not of this session. The browser
	// should get a new one.
	ErrChallenge = errors.New("the proof is not of a challenge that may be answered")
	// ErrProof reports that something is no proof, or not of the right key. Texts of errors
	// that wrap it quote nothing of the proof.
	ErrProof = errors.New("not a proof of the key")
)

// Binder makes and checks what binds sessions to keys. It is safe for concurrent use.
type Binder struct{ mac *seal.MAC }

// New returns a Binder whose challenges and cookies are authenticated by mac, which is for
// them alone.
func New(mac *seal.MAC) *Binder { return &Binder{mac} }

// Offer is the value of HeaderRegistration that asks the browser for a key for session, to be
// sent to path. ES256 is asked for, and RS256 of devices that have nothing else.
//
// The session travels as the authorization, which the browser repeats in its proof (draft
// 9.1). It cannot be left to the cookie: Chromium sends no SameSite=Lax cookie along if
// another site led to the page that has this header, as a provider does.
func (b *Binder) Offer(session, path string, now time.Time) string {
	challenge := b.stamp(purposeRegister, session, now)
	return "(ES256 RS256);path=" + quote(path) + ";challenge=" + quote(challenge) + ";authorization=" + quote(session)
}

// Register returns the key that a browser registers, and the session that it was asked for.
// header is HeaderProof, url the address that it was sent to. Whether the session has a key
// already, the caller knows: the first one stays.
func (b *Binder) Register(header, url string, now time.Time) (session string, key Key, err error) {
	p, err := parse(header)
	if err != nil {
		return "", Key{}, err
	}
	if key, err = p.ownKey(); err != nil {
		return "", Key{}, err
	}
	c, err := p.verify(key, url)
	if err != nil {
		return "", Key{}, err
	}
	if !goodSession(c.Authorization) {
		return "", Key{}, fmt.Errorf("%w: it names no session", ErrProof)
	}
	if _, ok := b.read(purposeRegister, c.Authorization, c.Challenge, now, ChallengeLife); !ok {
		return "", Key{}, ErrChallenge
	}
	return c.Authorization, key, nil
}

// Challenge is the value of HeaderChallenge that asks for a proof that the key of session is
// there (draft 9.2). last is what Refresh returned for the last proof, zero if there was none.
func (b *Binder) Challenge(session string, last, now time.Time) string {
	at := now
	if last = believable(last, now); !last.Before(at) { // by the clock of another process
		at = last.Add(time.Millisecond)
	}
	return quote(b.stamp(purposeRefresh, session, at)) + ";id=" + quote(session)
}

// Refresh checks that a proof is of key and of a challenge for session. header is HeaderProof,
// url the address that it was sent to, and last what Refresh returned for the last proof of
// this session, zero if there was none.
//
// It returns when the challenge was made, in whole milliseconds. The caller stores that in
// the transaction in which it believes the proof: a challenge that was made no later is
// refused afterwards, so each counts once without being stored. Chromium 156 does repeat a
// proof if the response was lost, was an error, or had no body; it gets ErrChallenge for it
// and, with the new challenge, makes another one.
func (b *Binder) Refresh(header, url, session string, key Key, last, now time.Time) (made time.Time, err error) {
	p, err := parse(header)
	if err != nil {
		return time.Time{}, err
	}
	if p.jwk != nil { // draft 9.10: only in a registration
		return time.Time{}, fmt.Errorf("%w: it brings a key along", ErrProof)
	}
	c, err := p.verify(key, url)
	if err != nil {
		return time.Time{}, err
	}
	made, ok := b.read(purposeRefresh, session, c.Challenge, now, ChallengeLife)
	if !ok || !made.After(believable(last, now)) {
		return time.Time{}, ErrChallenge
	}
	return made, nil
}

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

// claims are what a proof says (draft 9.10). What is not named here is ignored.
type claims struct {
	Challenge     string       `json:"jti"`
	Authorization string       `json:"authorization"`
	Audience      jwt.Audience `json:"aud"`
}
