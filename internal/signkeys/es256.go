package signkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"

	"github.com/go-jose/go-jose/v4"
)

// newES256 makes a key: the private part as PKCS #8, and the public one with its thumbprint
// (RFC 7638).
func newES256() (private []byte, public jose.JSONWebKey, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, public, err
	}
	public = jose.JSONWebKey{Key: k.Public(), Algorithm: string(ES256), Use: "sig"}
	thumb, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, public, err
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	private, err = x509.MarshalPKCS8PrivateKey(k)
	return private, public, err
}
