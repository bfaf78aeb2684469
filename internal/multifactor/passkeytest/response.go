package passkeytest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
)

// Flags of authenticator data (WebAuthn 6.1).
const (
	Present  = 1 << 0
	Verified = 1 << 2
	attested = 1 << 6
)

// Response is what a key is about to answer.
type Response struct {
	Type        string // "webauthn.create" or "webauthn.get"
	Challenge   []byte
	Origin      string
	CrossOrigin bool   // the page is in a frame of another site
	RPID        string // of the Relying Party, which is hashed
	Flags       byte
	Counter     uint32
	ID          []byte // of the credential
	// UserHandle is whose the credential is, empty if the key does not know. Creating has none.
	UserHandle []byte

	// Signer is the key of the credential, NotSigned spoils the signature.
	Signer    *ecdsa.PrivateKey
	NotSigned bool
}

// Stranger makes a response that of a key of its own, which pretends to be the credential.
func Stranger(t Test) func(r *Response) {
	t.Helper()
	key := newKey(t)
	return func(r *Response) { r.Signer = key }
}

// respond fills a response in and writes it as PublicKeyCredential.toJSON does.
func (k *Key) respond(r Response) []byte {
	k.t.Helper()
	if k.Counter++; k.NoCounter {
		k.Counter = 0
	}
	r.Flags, r.Counter, r.ID, r.Signer = Present, k.Counter, k.ID, k.key
	if k.Verifies {
		r.Flags |= Verified
	}
	creates := r.Type == "webauthn.create"
	if k.Discoverable && !creates {
		r.UserHandle = k.handle
	}
	if k.Forge != nil {
		k.Forge(&r)
	}
	clientData, err := json.Marshal(map[string]any{
		"type": r.Type, "challenge": base64.RawURLEncoding.EncodeToString(r.Challenge), "origin": r.Origin, "crossOrigin": r.CrossOrigin,
	})
	check(k.t, err)
	says := map[string]any{"clientDataJSON": data(clientData)}
	if creates {
		k.attest(says, r)
	} else {
		k.sign(says, r, clientData)
	}
	text, err := json.Marshal(map[string]any{
		"id": data(r.ID), "rawId": data(r.ID), "type": "public-key", "authenticatorAttachment": "cross-platform", "clientExtensionResults": map[string]any{}, "response": says,
	})
	check(k.t, err)
	return text
}

// authData is authenticator data (WebAuthn 6.1), before what is attested.
func (r Response) authData(flags byte) []byte {
	return binary.BigEndian.AppendUint32(append(sum([]byte(r.RPID)), flags), r.Counter)
}

// attest adds what a response to create says: the format "none" (WebAuthn 8.7).
func (k *Key) attest(says map[string]any, r Response) {
	k.t.Helper()
	auth := append(r.authData(r.Flags|attested), k.attested(r.ID, &r.Signer.PublicKey)...)
	says["attestationObject"] = data(k.encode(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": auth}))
	says["authenticatorData"], says["transports"], says["publicKeyAlgorithm"] = data(auth), []string{"usb"}, es256
}

// sign adds what a response to get says.
func (k *Key) sign(says map[string]any, r Response, clientData []byte) {
	k.t.Helper()
	auth := r.authData(r.Flags)
	signature, err := ecdsa.SignASN1(rand.Reader, r.Signer, sum(slices.Concat(auth, sum(clientData))))
	check(k.t, err)
	if r.NotSigned {
		signature[len(signature)-1] ^= 1
	}
	says["authenticatorData"], says["signature"] = data(auth), data(signature)
	if len(r.UserHandle) > 0 {
		says["userHandle"] = data(r.UserHandle)
	}
}
