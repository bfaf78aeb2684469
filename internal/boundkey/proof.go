package boundkey

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// longestProof bounds a proof in bytes. That of a new key of RSA with 4096 bits has 1,800.
const longestProof = 4096

// proofType is the typ of a proof (draft 9.10). Chromium's proofs with an attestation are
// another type.
const proofType = "dbsc+jwt"

// refused are header parameters that name another key or change how a proof is read (RFC
// 7515 4.1, RFC 7797 3). Others that we do not know mean nothing and are ignored, as RFC 7515
// 4 demands: a browser that begins to send one keeps its sessions.
var refused = []string{"crit", "b64", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty", "enc", "zip", "nonce"}

// jwkMembers are what the key in a proof may consist of (RFC 7518 6). Nothing of a private
// key, and no certificates.
var jwkMembers = []string{"kty", "crv", "x", "y", "n", "e", "alg", "use", "kid"}

// proof is a proof whose form is good. Nothing that it says is verified.
type proof struct {
	jws *jose.JSONWebSignature
	alg jose.SignatureAlgorithm
	jwk *jose.JSONWebKey // nil in a refresh
}

// parse reads a proof from a header: a JWS in compact form. The draft has it as a string of
// RFC 9651, in quotes; Chromium 156 sends it bare.
func parse(header string) (p proof, err error) {
	text, ok := bare(header, longestProof)
	if !ok {
		return p, fmt.Errorf("%w: it is no text of at most %d bytes", ErrProof, longestProof)
	}
	if err := goodHead(text); err != nil { // before go-jose, which reads certificates
		return p, err
	}
	if p.jws, err = jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256, jose.RS256}); err != nil {
		return p, fmt.Errorf("%w: it is no JWS by ES256 or RS256", ErrProof)
	}
	head := p.jws.Signatures[0].Protected
	p.alg, p.jwk = jose.SignatureAlgorithm(head.Algorithm), head.JSONWebKey
	return p, nil
}

// goodHead looks at the protected header of a JWS.
func goodHead(text string) error {
	encoded, _, _ := strings.Cut(text, ".")
	head := map[string]json.RawMessage{}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err == nil {
		err = json.Unmarshal(decoded, &head) // which refuses a name that stands there twice
	}
	if err != nil {
		return fmt.Errorf("%w: its header is no JSON", ErrProof)
	}
	for _, name := range refused {
		if _, ok := head[name]; ok {
			return fmt.Errorf("%w: its header has %s", ErrProof, name)
		}
	}
	var typ string
	if json.Unmarshal(head["typ"], &typ) != nil || typ != proofType {
		return fmt.Errorf("%w: its type is another", ErrProof)
	}
	if head["jwk"] == nil {
		return nil
	}
	jwk := map[string]json.RawMessage{}
	if json.Unmarshal(head["jwk"], &jwk) != nil || len(jwk) == 0 {
		return fmt.Errorf("%w: its key is no JSON", ErrProof)
	}
	for name := range jwk {
		if !slices.Contains(jwkMembers, name) {
			return fmt.Errorf("%w: its key has more than a public key", ErrProof)
		}
	}
	return nil
}

// ownKey is the key that a proof brings along.
func (p proof) ownKey() (Key, error) {
	if p.jwk == nil {
		return Key{}, fmt.Errorf("%w: it has no key", ErrProof)
	}
	key, err := newKey(p.jwk.Key)
	if err != nil {
		return Key{}, err
	}
	if alg := p.jwk.Algorithm; alg != "" && alg != string(key.algorithm) {
		return Key{}, fmt.Errorf("%w: its key is for another algorithm", ErrProof)
	}
	if use := p.jwk.Use; use != "" && use != "sig" {
		return Key{}, fmt.Errorf("%w: its key is not for signatures", ErrProof)
	}
	return key, nil
}

// verify returns what a proof says, if key signed it by key's own algorithm. The address that
// it was made for has to be url; Chromium 156 says none unless a flag is set, and then only
// the challenge ties the proof to this house.
func (p proof) verify(key Key, url string) (c claims, err error) {
	if p.alg != key.algorithm {
		return c, fmt.Errorf("%w: it is by another algorithm", ErrProof)
	}
	payload, err := p.jws.Verify(key.public)
	if err != nil {
		return c, fmt.Errorf("%w: the signature is of another key", ErrProof)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return claims{}, fmt.Errorf("%w: what it says is no JSON", ErrProof)
	}
	if c.Audience != nil && !slices.Equal(c.Audience, []string{url}) {
		return claims{}, fmt.Errorf("%w: it is for another address", ErrProof)
	}
	return c, nil
}
