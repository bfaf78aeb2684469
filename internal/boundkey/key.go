package boundkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Sizes of keys of RSA in bits. Modules for keys (TPM) make 2048, some 3072.
const (
	leastRSA = 2048
	mostRSA  = 4096
)

// Key is the public key of a browser. Its kind fixes the algorithm of every proof: ES256 for
// P-256, RS256 for RSA. The zero Key verifies nothing.
type Key struct {
	public    crypto.PublicKey
	algorithm jose.SignatureAlgorithm
}

func newKey(public crypto.PublicKey) (Key, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return Key{k, jose.ES256}, nil
		}
	case *rsa.PublicKey:
		// No other exponent is used, and a large one makes verifying slow.
		if bits := k.N.BitLen(); bits >= leastRSA && bits <= mostRSA && k.E == 65537 {
			return Key{k, jose.RS256}, nil
		}
	}
	return Key{}, fmt.Errorf("%w: a key of this kind is not accepted", ErrProof)
}

// Bytes is the key to store, as a SubjectPublicKeyInfo (RFC 5280 4.1), for ParseKey.
func (k Key) Bytes() ([]byte, error) { return x509.MarshalPKIXPublicKey(k.public) }

// ParseKey reads what Bytes made.
func ParseKey(stored []byte) (Key, error) {
	public, err := x509.ParsePKIXPublicKey(stored)
	if err != nil {
		return Key{}, fmt.Errorf("read the key of a browser: %w", err)
	}
	key, err := newKey(public)
	if err != nil {
		return Key{}, errors.New("read the key of a browser: its kind is not accepted")
	}
	return key, nil
}
