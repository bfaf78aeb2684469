package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"html"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
)

// The stand-in's passkeys: a challenge, one ECDSA check, and in one durable commit the challenge
// used up, the counter and the session. No sealed keys, history, locks or library of WebAuthn.

// data is bytes, base64url in JSON.
type data []byte

func (d data) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(d)), nil
}

func (d *data) UnmarshalText(text []byte) (err error) {
	*d, err = base64.RawURLEncoding.DecodeString(string(text))
	return err
}

// passkeyResponse is what a browser answers (WebAuthn 5.1), as far as it counts here.
type passkeyResponse struct {
	ID       data `json:"rawId"`
	Response struct {
		ClientData data `json:"clientDataJSON"`
		AuthData   data `json:"authenticatorData"`
		Signature  data `json:"signature"`
	} `json:"response"`
}

// clientData is what the browser says of the page (WebAuthn 5.8.1).
type clientData struct {
	Type, Origin string
	Challenge    data
}

// counterAt is where authenticator data has its counter (WebAuthn 6.1).
const counterAt = sha256.Size + 1

// factors is the page on which a passkey is added, without more than the ceremony.
func (s *standin) factors(c *fiber.Ctx) error {
	text, err := json.Marshal(map[string]any{
		"rp": map[string]string{"id": "localhost", "name": "stand-in"}, "user": map[string]any{"id": data("somebody")}, "challenge": data(random(32)),
		"pubKeyCredParams": []map[string]any{{"type": "public-key", "alg": -7}},
	})
	if err != nil {
		return err
	}
	return page(c, `<form data-passkey="create" data-options="`+html.EscapeString(string(text))+`"><input name="kept" value="-"></form>`)
}

// addPasskey stores the key of a response, which ends in its point (RFC 9053 7.1.1).
func (s *standin) addPasskey(c *fiber.Ctx) error {
	var r passkeyResponse
	id, _, ok := splitCookie(c.Cookies("djauthy"))
	if err := json.Unmarshal([]byte(c.FormValue("response")), &r); err != nil || !ok || len(r.Response.AuthData) < 77 {
		return c.SendStatus(fiber.StatusBadRequest)
	}
	key := r.Response.AuthData[len(r.Response.AuthData)-67:] // x, three bytes of CBOR, y
	if err := s.passkeys.add(r.ID, slices.Concat([]byte{4}, key[:32], key[35:]), id); err != nil {
		return err
	}
	return c.Redirect("/account/factors?done=passkey", fiber.StatusSeeOther)
}

// challenge begins a sign-in by a passkey. That it was given, and when, its MAC says.
func (s *standin) challenge(c *fiber.Ctx) error {
	challenge := append(binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMilli())), random(24)...)
	return c.JSON(map[string]any{
		"options": map[string]any{"challenge": data(challenge), "rpId": "localhost", "timeout": 300000, "userVerification": "preferred"}, "kept": data(s.proof(challenge)),
	})
}

func (s *standin) proof(challenge []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(challenge)
	return h.Sum(nil)
}

// finishPasskey signs in who holds the key.
func (s *standin) finishPasskey(c *fiber.Ctx) error {
	var r passkeyResponse
	var said clientData
	if json.Unmarshal([]byte(c.FormValue("response")), &r) != nil || json.Unmarshal(r.Response.ClientData, &said) != nil {
		return c.SendStatus(fiber.StatusBadRequest)
	}
	kept, err := base64.RawURLEncoding.DecodeString(c.FormValue("kept"))
	if err != nil || !s.fresh(said, kept) {
		return c.SendStatus(fiber.StatusUnprocessableEntity)
	}
	point, user, err := s.passkeys.find(r.ID)
	if err != nil || !r.signedBy(point) {
		return c.SendStatus(fiber.StatusUnprocessableEntity)
	}
	id, secret := s.store.nextID(), random(32)
	hash := sha256.Sum256(secret)
	counter := binary.BigEndian.Uint32(r.Response.AuthData[counterAt:])
	if err := s.passkeys.enter(r.ID, said.Challenge, counter, user, id, hash[:]); err != nil {
		return err
	}
	setCookie(c, "djauthy", id, secret)
	return c.Redirect("/account", fiber.StatusSeeOther)
}

// fresh reports a challenge that was given here within ten minutes, to a page of this origin.
func (s *standin) fresh(said clientData, kept []byte) bool {
	if len(said.Challenge) != 32 || said.Type != "webauthn.get" || said.Origin != s.origin || !hmac.Equal(kept, s.proof(said.Challenge)) {
		return false
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(said.Challenge)))
	return time.Since(made) < 10*time.Minute
}

// signedBy checks the one signature (WebAuthn 7.2).
func (r passkeyResponse) signedBy(point []byte) bool {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	relying := sha256.Sum256([]byte("localhost"))
	if err != nil || len(r.Response.AuthData) < counterAt+4 || string(r.Response.AuthData[:sha256.Size]) != string(relying[:]) || r.Response.AuthData[sha256.Size]&1 == 0 {
		return false
	}
	client := sha256.Sum256(r.Response.ClientData)
	sum := sha256.Sum256(slices.Concat(r.Response.AuthData, client[:]))
	return ecdsa.VerifyASN1(key, sum[:], r.Response.Signature)
}
