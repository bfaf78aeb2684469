package signkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// es256 is a private key of ES256.
type es256 struct{ *ecdsa.PrivateKey }

// es256Size is the length of a signature: r and s, each of 32 bytes (RFC 7518 3.4).
const es256Size = 64

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

func parseES256(pkcs8 []byte) (es256, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return es256{}, err
	}
	k, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || k.Curve != elliptic.P256() {
		return es256{}, fmt.Errorf("a %T is no key of ES256", parsed)
	}
	return es256{k}, nil
}

// appendSignature appends the signature of input in base64url.
func (k es256) appendSignature(to, input []byte) ([]byte, error) {
	hash := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, hash[:])
	if err != nil {
		return nil, err
	}
	var raw [es256Size]byte
	r.FillBytes(raw[:es256Size/2])
	s.FillBytes(raw[es256Size/2:])
	return base64.RawURLEncoding.AppendEncode(to, raw[:]), nil
}

// sign returns a JWT in its compact form. It is made in one buffer.
func (k *key) sign(typ string, payload []byte) (string, error) {
	header, err := k.header(typ)
	if err != nil {
		return "", err
	}
	b := make([]byte, 0, len(header)+base64.RawURLEncoding.EncodedLen(len(payload))+base64.RawURLEncoding.EncodedLen(es256Size)+2)
	b = append(append(b, header...), '.')
	b = base64.RawURLEncoding.AppendEncode(b, payload)
	b, err = k.private.appendSignature(append(b, '.'), b)
	return string(b), err
}

// header is the protected header of a typ in base64url, made once.
func (k *key) header(typ string) (string, error) {
	if made, ok := k.headers.Load(typ); ok {
		return made.(string), nil
	}
	text, err := json.Marshal(struct {
		Alg Alg    `json:"alg"`
		KID string `json:"kid"`
		Typ string `json:"typ"`
	}{k.Alg, k.KID, typ})
	header := base64.RawURLEncoding.EncodeToString(text)
	k.headers.Store(typ, header)
	return header, err
}
