package boundkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/djauthy/djauthy/internal/boundkey"
)

// attacker writes proofs by hand.
type attacker struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newAttacker(t *testing.T, curve elliptic.Curve) attacker {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return attacker{t, key}
}

func TestAKeyOfAnotherKindIsNotReadBack(t *testing.T) {
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, public := range map[string]any{
		"P-384": newAttacker(t, elliptic.P384()).key.Public(),
		"e = 3": &rsa.PublicKey{N: good.N, E: 3},
		"short": &rsa.PublicKey{N: new(big.Int).Rsh(good.N, 1024), E: 65537},
		"long":  &rsa.PublicKey{N: new(big.Int).Lsh(good.N, 2049), E: 65537},
	} {
		stored, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := boundkey.ParseKey(stored); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	for _, stored := range [][]byte{nil, []byte("key")} {
		if _, err := boundkey.ParseKey(stored); err == nil {
			t.Errorf("%q was read", stored)
		}
	}
}
