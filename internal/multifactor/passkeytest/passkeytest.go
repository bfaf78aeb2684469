// Package passkeytest is a passkey with its browser, for tests and the bench: what
// navigator.credentials answers (WebAuthn 5.1), without a browser. It shares no code with what
// verifies it.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Test is the part of testing.TB that a key needs. Fatal and Fatalf do not return.
type Test interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Key is an authenticator with one credential for ES256.
type Key struct {
	ID     []byte   // of the credential
	AAGUID [16]byte // of its model; zero: it does not say
	// Verifies: it verifies who uses it, by a PIN or a fingerprint, and says so.
	Verifies bool
	// Discoverable: it knows by itself whose it is, and can be used by somebody who has not
	// said who they are.
	Discoverable bool
	// Counter is that of the last response; each has one more. NoCounter: it is always 0.
	Counter   uint32
	NoCounter bool
	// Forge changes a response before it is signed, into one that no browser makes. nil: it is
	// as it should be.
	Forge func(r *Response)

	t      Test
	key    *ecdsa.PrivateKey
	handle []byte // of the user by whom it was created
}

// New returns a discoverable key that verifies its user and counts.
func New(t Test) *Key {
	t.Helper()
	return &Key{ID: random(), Verifies: true, Discoverable: true, t: t, key: newKey(t)}
}

func newKey(t Test) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func random() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}

func check(t Test, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// data is bytes, base64url in JSON (WebAuthn 5.1).
type data []byte

func (d data) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(d)), nil
}

func (d *data) UnmarshalText(text []byte) (err error) {
	*d, err = base64.RawURLEncoding.DecodeString(string(text))
	return err
}

// descriptor names a credential (WebAuthn 5.8.3).
type descriptor struct {
	Type string `json:"type"`
	ID   data   `json:"id"`
}

// isNamed reports whether descriptors name the key's credential.
func (k *Key) isNamed(by []descriptor) bool {
	return slices.ContainsFunc(by, func(d descriptor) bool { return d.Type == "public-key" && string(d.ID) == string(k.ID) })
}

// creation is what Create needs of PublicKeyCredentialCreationOptionsJSON (WebAuthn 5.1.9).
type creation struct {
	RP        struct{ ID, Name string }
	User      struct{ ID data }
	Challenge data
	Params    []struct {
		Type string
		Alg  int
	} `json:"pubKeyCredParams"`
	Exclude   []descriptor `json:"excludeCredentials"`
	Selection struct {
		ResidentKey      string
		UserVerification string
	} `json:"authenticatorSelection"`
}

const es256 = -7 // RFC 9053 2.1

// Create answers navigator.credentials.create on a page of an origin: options is a
// PublicKeyCredentialCreationOptionsJSON, response a RegistrationResponseJSON without
// attestation. It fails the test where a browser would refuse.
func (k *Key) Create(origin string, options []byte) (response []byte) {
	k.t.Helper()
	var o creation
	check(k.t, json.Unmarshal(options, &o))
	k.mayUse(origin, o.RP.ID, o.Challenge, o.Selection.UserVerification)
	takesES256 := false
	for _, p := range o.Params {
		takesES256 = takesES256 || p.Type == "public-key" && p.Alg == es256
	}
	switch {
	case !takesES256:
		k.t.Fatalf("the server does not take ES256: %s", options)
	case len(o.User.ID) == 0 || len(o.User.ID) > 64 || o.RP.Name == "":
		k.t.Fatalf("a browser refuses the user or the name: %s", options)
	case k.isNamed(o.Exclude):
		k.t.Fatal("the key is enrolled already")
	case !k.Discoverable && o.Selection.ResidentKey == "required":
		k.t.Fatal("the key cannot be discoverable")
	}
	k.handle = o.User.ID
	return k.respond(Response{Type: "webauthn.create", Challenge: o.Challenge, Origin: origin, RPID: o.RP.ID})
}

// request is what Get needs of PublicKeyCredentialRequestOptionsJSON (WebAuthn 5.1.10).
type request struct {
	RPID             string       `json:"rpId"`
	Challenge        data         `json:"challenge"`
	Allow            []descriptor `json:"allowCredentials"`
	UserVerification string       `json:"userVerification"`
}

// Get answers navigator.credentials.get on a page of an origin: options is a
// PublicKeyCredentialRequestOptionsJSON, response an AuthenticationResponseJSON. It fails the
// test where a browser would refuse.
func (k *Key) Get(origin string, options []byte) (response []byte) {
	k.t.Helper()
	var o request
	check(k.t, json.Unmarshal(options, &o))
	k.mayUse(origin, o.RPID, o.Challenge, o.UserVerification)
	switch {
	case len(o.Allow) > 0 && !k.isNamed(o.Allow):
		k.t.Fatal("the key is not among those that the server allows")
	case len(o.Allow) == 0 && !k.Discoverable:
		k.t.Fatal("the key does not know whose it is")
	}
	return k.respond(Response{Type: "webauthn.get", Challenge: o.Challenge, Origin: origin, RPID: o.RPID})
}

// mayUse fails the test unless a page of an origin may use the key for a Relying Party
// (WebAuthn 5.1.3, 5.1.4).
func (k *Key) mayUse(origin, rpID string, challenge []byte, verification string) {
	k.t.Helper()
	u, err := url.Parse(origin)
	check(k.t, err)
	switch host := u.Hostname(); {
	case host != rpID && !strings.HasSuffix(host, "."+rpID):
		k.t.Fatalf("a page of %s cannot use passkeys of %q", origin, rpID)
	case u.Scheme != "https" && host != "localhost":
		k.t.Fatalf("%s is no secure context", origin)
	case len(challenge) < 16: // WebAuthn 13.4.3
		k.t.Fatalf("the challenge has %d bytes", len(challenge))
	case verification == "required" && !k.Verifies:
		k.t.Fatal("the key cannot verify who uses it")
	}
}

// sum is the hash of WebAuthn, SHA-256.
func sum(text []byte) []byte {
	s := sha256.Sum256(text)
	return s[:]
}

// encode is CBOR in the form of CTAP2.
func (k *Key) encode(v any) []byte {
	k.t.Helper()
	mode, err := cbor.CTAP2EncOptions().EncMode()
	check(k.t, err)
	text, err := mode.Marshal(v)
	check(k.t, err)
	return text
}

// attested is the part of authenticator data with the credential (WebAuthn 6.5.1).
func (k *Key) attested(id []byte, key *ecdsa.PublicKey) []byte {
	k.t.Helper()
	point, err := key.Bytes()
	check(k.t, err)
	x, y := point[1:33], point[33:]
	public := k.encode(map[int]any{1: 2, 3: es256, -1: 1, -2: x, -3: y}) // RFC 9053 7.1.1
	return slices.Concat(k.AAGUID[:], binary.BigEndian.AppendUint16(nil, uint16(len(id))), id, public)
}
