// Package totp makes and matches time-based one-time passwords (RFC 6238):
// HMAC-SHA1, six digits, steps of thirty seconds from 1970. It is pure: no clock,
// no table, no server.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RFC 6238 1.2, and what every client has
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"hash"
	"strings"
	"time"
)

// Period is how long a step lasts (RFC 6238 4.1).
const Period = 30 * time.Second

const (
	digits = 6
	// seedSize is the length of a new seed in bytes, that of SHA-1 (RFC 4226 4).
	seedSize = 20
	// longestSeed bounds the text of a seed, in bytes.
	longestSeed = 1024
)

// ErrSeed reports that a text is not a seed.
var ErrSeed = errors.New("a seed is base32: letters A to Z and digits 2 to 7")

var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSeed returns a random seed as text: 32 characters of base32, 160 bits.
func NewSeed() string {
	seed := make([]byte, seedSize)
	_, _ = rand.Read(seed) // never fails since Go 1.24
	return letters.EncodeToString(seed)
}

// ParseSeed reads a seed's text: base32 in either case, with or without padding.
func ParseSeed(text string) ([]byte, error) {
	text = strings.TrimRight(text, "=")
	if text == "" || len(text) > longestSeed || strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return nil, ErrSeed
	}
	seed, err := letters.DecodeString(strings.ToUpper(text))
	if err != nil || len(seed) == 0 {
		return nil, ErrSeed
	}
	return seed, nil
}

// Step is the number of the step that holds t (RFC 6238 4.2).
func Step(t time.Time) int64 { return t.Unix() / int64(Period/time.Second) }

// Code is the six digits of a step.
func Code(seed []byte, step int64) string {
	code := code(hmac.New(sha1.New, seed), make([]byte, 0, sha1.Size), step)
	return string(code[:])
}

// code is the value of RFC 4226 5.3 with a step as the counter. It uses buf, so that many
// codes need one allocation.
func code(mac hash.Hash, buf []byte, step int64) (out [digits]byte) {
	mac.Reset()
	mac.Write(binary.BigEndian.AppendUint64(buf[:0], uint64(step)))
	sum := mac.Sum(buf[:0])
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	for i := digits - 1; i >= 0; i-- {
		out[i] = byte('0' + n%10)
		n /= 10
	}
	return out
}

// Match reports whether token is the code of a step at most window steps away from now. It
// returns that step, the latest if there are several. All steps are compared, each in
// constant time, also after a match.
func Match(seed []byte, token string, now time.Time, window int) (step int64, ok bool) {
	mac, buf := hmac.New(sha1.New, seed), make([]byte, 0, sha1.Size)
	middle := Step(now)
	for s := middle - int64(window); s <= middle+int64(window); s++ {
		c := code(mac, buf, s)
		if subtle.ConstantTimeCompare(c[:], []byte(token)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}
