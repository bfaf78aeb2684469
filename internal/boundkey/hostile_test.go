package boundkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/djauthy/djauthy/internal/boundkey"
	"github.com/djauthy/djauthy/internal/boundkey/boundkeytest"
	"github.com/djauthy/djauthy/internal/seal"
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

// jwk is the attacker's public key as JSON, with more members if they are given.
func (a attacker) jwk(more ...string) string {
	a.t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: a.key.Public()})
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "}") + strings.Join(append([]string{""}, more...), ",") + "}"
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sign signs any header and payload by ECDSA with SHA-256.
func (a attacker) sign(header, payload string) string {
	a.t.Helper()
	text := encoded(header) + "." + encoded(payload)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, a.key, sum[:])
	if err != nil {
		a.t.Fatal(err)
	}
	size := (a.key.Curve.Params().BitSize + 7) / 8
	return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
}

// hs256 signs with a public key as the secret of an HMAC.
func hs256(header, payload string, secret []byte) string {
	text := encoded(header) + "." + encoded(payload)
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// rsaProof registers a key of RSA of the attacker's choice.
func rsaProof(t *testing.T, bits int, alg jose.SignatureAlgorithm, says string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dbsc+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(says))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAHostileRegistrationIsRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	b, a, p384 := binder(t), newAttacker(t, elliptic.P256()), newAttacker(t, elliptic.P384())
	says := fmt.Sprintf(`{"jti":%q,"authorization":"s1"}`, challengeOf(b.Offer("s1", register, noon)))
	head := func(more string) string { return `{"alg":"ES256","typ":"dbsc+jwt","jwk":` + a.jwk() + more + `}` }
	good := a.sign(head(""), says)
	if _, _, err := b.Register(good, site+register, noon); err != nil {
		t.Fatalf("what is not hostile: %v", err)
	}
	other := newAttacker(t, elliptic.P256())
	parts := strings.Split(good, ".")
	x := base64.RawURLEncoding.EncodeToString(new(big.Int).Add(a.key.X, big.NewInt(1)).FillBytes(make([]byte, 32)))
	y := base64.RawURLEncoding.EncodeToString(a.key.Y.FillBytes(make([]byte, 32)))
	cases := map[string]string{
		"nothing":            "",
		"no JWS":             "proof",
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         good + "." + parts[2],
		"no signature":       parts[0] + "." + parts[1] + ".",
		"as JSON":            `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"too long":           a.sign(head(`,"pad":"`+strings.Repeat("x", 4096)+`"`), says),
		"a line break":       parts[0] + ".\n" + parts[1] + "." + parts[2],
		"padding":            parts[0] + "=." + parts[1] + "." + parts[2],
		"two proofs":         good + ", " + good,
		"another payload":    parts[0] + "." + encoded(strings.Replace(says, `"s1"`, `"s2"`, 1)) + "." + parts[2],
		"alg none":           encoded(`{"alg":"none","typ":"dbsc+jwt","jwk":`+a.jwk()+`}`) + "." + encoded(says) + ".",
		"alg None":           encoded(`{"alg":"None","typ":"dbsc+jwt","jwk":`+a.jwk()+`}`) + "." + encoded(says) + ".",
		"alg HS256":          hs256(strings.Replace(head(""), "ES256", "HS256", 1), says, []byte(a.jwk())),
		"alg ES384":          p384.sign(`{"alg":"ES384","typ":"dbsc+jwt","jwk":`+p384.jwk()+`}`, says),
		"alg of another key": a.sign(strings.Replace(head(""), "ES256", "RS256", 1), says),
		"alg missing":        a.sign(strings.Replace(head(""), `"alg":"ES256",`, "", 1), says),
		"alg twice":          a.sign(head(`,"alg":"ES256"`), says),
		"typ JWT":            a.sign(strings.Replace(head(""), "dbsc+jwt", "JWT", 1), says),
		"typ attested":       a.sign(strings.Replace(head(""), "dbsc+jwt", "dbsc+aik", 1), says),
		"typ missing":        a.sign(strings.Replace(head(""), `"typ":"dbsc+jwt",`, "", 1), says),
		"typ a number":       a.sign(strings.Replace(head(""), `"dbsc+jwt"`, "1", 1), says),
		"typ twice":          a.sign(head(`,"typ":"dbsc+jwt"`), says),
		"no key":             a.sign(`{"alg":"ES256","typ":"dbsc+jwt"}`, says),
		"key null":           a.sign(`{"alg":"ES256","typ":"dbsc+jwt","jwk":null}`, says),
		"key a text":         a.sign(`{"alg":"ES256","typ":"dbsc+jwt","jwk":"key"}`, says),
		"key in the claims":  a.sign(`{"alg":"ES256","typ":"dbsc+jwt"}`, strings.Replace(says, "{", `{"jwk":`+a.jwk()+",", 1)),
		"key of another":     other.sign(head(""), says),
		"key twice":          a.sign(head(`,"jwk":`+a.jwk()), says),
		"key symmetric":      hs256(`{"alg":"HS256","typ":"dbsc+jwt","jwk":{"kty":"oct","k":"c2VjcmV0"}}`, says, []byte("secret")),
		"key private":        a.sign(strings.Replace(head(""), a.jwk(), a.jwk(`"d":"AAAA"`), 1), says),
		"key certified":      a.sign(strings.Replace(head(""), a.jwk(), a.jwk(`"x5c":["AAAA"]`), 1), says),
		"key elsewhere":      a.sign(strings.Replace(head(""), a.jwk(), a.jwk(`"x5u":"https://evil.example/key"`), 1), says),
		"key P-384":          p384.sign(`{"alg":"ES256","typ":"dbsc+jwt","jwk":`+p384.jwk()+`}`, says),
		"key off the curve":  a.sign(`{"alg":"ES256","typ":"dbsc+jwt","jwk":{"kty":"EC","crv":"P-256","x":"`+x+`","y":"`+y+`"}}`, says),
		"key for RS256":      a.sign(strings.Replace(head(""), a.jwk(), a.jwk(`"alg":"RS256"`), 1), says),
		"key to encrypt":     a.sign(strings.Replace(head(""), a.jwk(), a.jwk(`"use":"enc"`), 1), says),
		"key RSA-1024":       rsaProof(t, 1024, jose.RS256, says),
		"key for PS256":      rsaProof(t, 2048, jose.PS256, says),
		"claims no JSON":     a.sign(head(""), "jti"),
		"claims a list":      a.sign(head(""), "["+says+"]"),
		"jti twice":          a.sign(head(""), strings.Replace(says, "{", `{"jti":"x",`, 1)),
		"jti a number":       a.sign(head(""), `{"jti":1,"authorization":"s1"}`),
		"no session":         a.sign(head(""), strings.Replace(says, `"s1"`, `""`, 1)),
		"a strange session":  a.sign(head(""), strings.Replace(says, `"s1"`, `"s1\r\nx"`, 1)),
		"a long session":     a.sign(head(""), strings.Replace(says, `"s1"`, `"`+strings.Repeat("s", 129)+`"`, 1)),
		"for another site":   a.sign(head(""), strings.Replace(says, "{", `{"aud":"https://evil.example`+register+`",`, 1)),
		"for two addresses":  a.sign(head(""), strings.Replace(says, "{", `{"aud":["`+site+register+`","https://evil.example/"],`, 1)),
		"for no address":     a.sign(head(""), strings.Replace(says, "{", `{"aud":[],`, 1)),
	}
	for _, name := range []string{"crit", "b64", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty", "enc", "zip"} {
		cases["header "+name] = a.sign(head(`,"`+name+`":["typ"]`), says)
	}
	for name, proof := range cases {
		if session, _, err := b.Register(proof, site+register, noon); !errors.Is(err, boundkey.ErrProof) || session != "" {
			t.Errorf("%s: %q, %v", name, session, err)
		}
	}
	for name, says := range map[string]string{
		"of another session":   strings.Replace(says, `"s1"`, `"s2"`, 1),
		"by another name":      strings.Replace(says, "jti", "JTI", 1),
		"of a refresh":         fmt.Sprintf(`{"jti":%s,"authorization":"s1"}`, strings.Split(b.Challenge("s1", never, noon), ";")[0]),
		"that is old":          fmt.Sprintf(`{"jti":%q,"authorization":"s1"}`, challengeOf(b.Offer("s1", register, noon.Add(-time.Hour)))),
		"under another secret": fmt.Sprintf(`{"jti":%q,"authorization":"s1"}`, challengeOf(foreign(t).Offer("s1", register, noon))),
		"with more behind it":  strings.Replace(says, `","auth`, `x","auth`, 1),
	} {
		if session, _, err := b.Register(a.sign(head(""), says), site+register, noon); !errors.Is(err, boundkey.ErrChallenge) || session != "" {
			t.Errorf("a challenge %s: %q, %v", name, session, err)
		}
	}
}

// foreign is the Binder of another house.
func foreign(t *testing.T) *boundkey.Binder {
	t.Helper()
	keys, err := seal.New(seal.Random(seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return boundkey.New(keys.MAC("bound session"))
}

func TestAHostileRefreshIsRefused(t *testing.T) {
	b, browser, a := binder(t), boundkeytest.New(t), newAttacker(t, elliptic.P256())
	key, rsaKey := bind(t, b, browser, "s1"), bind(t, b, boundkeytest.NewRSA(t), "s2")
	spki, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	header := b.Challenge("s1", never, noon)
	good := browser.Proof(site, header)
	if _, err := b.Refresh(good, site+refresh, "s1", key, never, noon); err != nil {
		t.Fatalf("what is not hostile: %v", err)
	}
	says := fmt.Sprintf(`{"jti":%s}`, strings.Split(header, ";")[0])
	head := `{"alg":"ES256","typ":"dbsc+jwt"}`
	parts := strings.Split(good, ".")
	for name, proof := range map[string]string{
		"by the attacker's key":          a.sign(head, says),
		"with the attacker's key in it":  a.sign(`{"alg":"ES256","typ":"dbsc+jwt","jwk":`+a.jwk()+`}`, says),
		"with its own key in it":         browser.Sign(map[string]any{"jwk": json.RawMessage(a.jwk())}, json.RawMessage(says)),
		"named by a kid":                 a.sign(`{"alg":"ES256","typ":"dbsc+jwt","kid":"attacker"}`, says),
		"named by an address":            a.sign(`{"alg":"ES256","typ":"dbsc+jwt","jku":"https://evil.example/keys"}`, says),
		"by HS256 under the public key":  hs256(`{"alg":"HS256","typ":"dbsc+jwt"}`, says, spki),
		"by none":                        encoded(`{"alg":"none","typ":"dbsc+jwt"}`) + "." + encoded(says) + ".",
		"by the algorithm of others":     a.sign(`{"alg":"RS256","typ":"dbsc+jwt"}`, says),
		"with a signature of zeros":      parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"with a signature cut short":     parts[0] + "." + parts[1] + "." + parts[2][:40],
		"with the claims of another":     parts[0] + "." + encoded(`{"jti":"x"}`) + "." + parts[2],
		"for another address":            browser.Sign(nil, map[string]any{"jti": strings.Trim(strings.Split(header, ";")[0], `"`), "aud": site + register}),
		"of another type":                browser.Sign(map[string]any{"typ": "JWT"}, json.RawMessage(says)),
		"as the browser registered with": second(browser.Register(site, b.Offer("s1", register, noon))),
		"nothing":                        "",
	} {
		if _, err := b.Refresh(proof, site+refresh, "s1", key, never, noon); !errors.Is(err, boundkey.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Refresh(good, site+refresh, "s1", rsaKey, never, noon); !errors.Is(err, boundkey.ErrProof) {
		t.Errorf("against a key of another kind: %v", err)
	}
	if _, err := b.Refresh(good, site+refresh, "s1", boundkey.Key{}, never, noon); !errors.Is(err, boundkey.ErrProof) {
		t.Errorf("against no key: %v", err)
	}
}

func second(_, proof string) string { return proof }

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

func FuzzNoProofBreaksTheReader(f *testing.F) {
	b, browser := binder(f), boundkeytest.New(f)
	key := bind(f, b, browser, "s1")
	f.Add(second(browser.Register(site, b.Offer("s1", register, noon))))
	f.Add(browser.Proof(site, b.Challenge("s1", never, noon)))
	f.Add(`"` + encoded(`{"alg":"ES256","typ":"dbsc+jwt","jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}`) + `.e30.AAAA"`)
	f.Add(encoded(`{"alg":"ES256","typ":"dbsc+jwt","jwk":{"kty":"EC","crv":"P-256","x":"","y":""}}`) + `.e30.`)
	f.Fuzz(func(t *testing.T, header string) {
		for _, err := range []error{third(b.Register(header, site+register, noon)), only(b.Refresh(header, site+refresh, "s1", key, never, noon))} {
			if err != nil && !errors.Is(err, boundkey.ErrProof) && !errors.Is(err, boundkey.ErrChallenge) {
				t.Errorf("%q: %v", header, err)
			}
		}
		if session, ok := boundkey.ReadSession(header); ok {
			b.Challenge(session, never, noon) // which panics for what a header cannot hold
		}
	})
}

func third(_ string, _ boundkey.Key, err error) error { return err }
func only(_ time.Time, err error) error               { return err }
