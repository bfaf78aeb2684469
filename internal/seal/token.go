package seal

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// A Token is `<id>.<256-bit secret>`: the row is found by its ID, which is not secret, and
// the secret is compared with the hash in the row. Its text has letters only, so that no
// digits in a message look like a code.
type Token struct {
	ID     int64
	Secret [32]byte
}

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEF"

var letters = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// NewToken returns a token with a random secret for the row id.
func NewToken(id int64) Token { return Token{id, [32]byte(Random(32))} }

// String is the form that travels in cookies and links.
func (t Token) String() string {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], uint64(t.ID))
	return letters.EncodeToString(id[:]) + "." + letters.EncodeToString(t.Secret[:])
}

// ParseToken reads String's form and no other.
func ParseToken(s string) (t Token, ok bool) {
	id, secret, found := strings.Cut(s, ".")
	// The decoder skips line breaks, so the alphabet is checked before.
	if !found || len(id) != 13 || len(secret) != 52 || strings.Trim(id+secret, alphabet) != "" {
		return t, false
	}
	a, err := letters.DecodeString(id)
	if err != nil {
		return t, false
	}
	b, err := letters.DecodeString(secret)
	if err != nil {
		return t, false
	}
	t = Token{int64(binary.BigEndian.Uint64(a)), [32]byte(b)}
	return t, t.String() == s
}

// Hash is the stored hash of the secret. SHA-256 is enough for 256 random bits.
func (t Token) Hash() []byte {
	h := sha256.Sum256(t.Secret[:])
	return h[:]
}

// Matches compares the token with a stored hash in constant time.
func (t Token) Matches(hash []byte) bool { return subtle.ConstantTimeCompare(t.Hash(), hash) == 1 }
