// Package seal encrypts, authenticates and hashes, each for a named purpose.
//
// All keys are derived from one secret key by HKDF (RFC 5869), so that a value made for one
// purpose is useless for another. The package stores nothing and knows no table.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"
)

// KeySize is the least length of the secret key in bytes.
const KeySize = 32

// ErrOpen reports that a sealed value was not made with this key, for this
// purpose and this context, or was changed since.
var ErrOpen = errors.New("seal: cannot open")

// Keys derives the key of every purpose from one secret.
type Keys struct{ secret []byte }

// New returns the keys under secret, at least KeySize random bytes.
func New(secret []byte) (*Keys, error) {
	if len(secret) < KeySize {
		return nil, fmt.Errorf("the secret key has %d bytes; at least %d are needed", len(secret), KeySize)
	}
	return &Keys{secret}, nil
}

func (k *Keys) derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, k.secret, nil, "djauthy "+purpose, sha256.Size)
	if err != nil {
		panic(err) // only for a length that HKDF cannot give
	}
	return key
}

// Fingerprint identifies the secret key without revealing it, as hex.
func (k *Keys) Fingerprint() string { return hex.EncodeToString(k.derive("fingerprint")[:16]) }

// Box returns the Box for values of one purpose.
func (k *Keys) Box(purpose string) *Box { return newBox(k.derive("box " + purpose)) }

// MAC returns the MAC for values of one purpose.
func (k *Keys) MAC(purpose string) *MAC {
	key := k.derive("mac " + purpose)
	return &MAC{sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// Box encrypts with AES-256-GCM under a random nonce.
type Box struct{ aead cipher.AEAD }

func newBox(key []byte) *Box {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for a key of another size
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &Box{aead}
}

// Seal encrypts plain. The same context, which is not secret, has to be given
// to Open.
func (b *Box) Seal(plaintext, context []byte) []byte {
	return b.aead.Seal(nil, nil, plaintext, context) //nolint:gosec // NewGCMWithRandomNonce draws the nonce
}

// Open returns the plaintext of a sealed value, or ErrOpen.
func (b *Box) Open(sealed, context []byte) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, context)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// UnderToken returns a box whose key is derived from a token's secret. Only a hash of the
// token is stored, so that without the token not even the secret key and the database open
// the box.
func UnderToken(t Token) *Box {
	m := hmac.New(sha256.New, t.Secret[:])
	m.Write([]byte("djauthy box under token"))
	return newBox(m.Sum(nil))
}

// MAC is HMAC-SHA256 under the key of one purpose (RFC 2104).
type MAC struct{ states sync.Pool } // of hash.Hash, keyed

// Sum is the MAC of parts, each preceded by its length, so that different lists of parts
// have different sums.
func (m *MAC) Sum(parts ...[]byte) []byte {
	h := m.states.Get().(hash.Hash)
	defer m.states.Put(h)
	h.Reset()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// Equal compares two sums in constant time.
func Equal(a, b []byte) bool { return hmac.Equal(a, b) }

// Random returns n random bytes.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}
