// Package boundkeytest is a browser with device bound sessions, for tests: what Chromium 156
// says and refuses, without Chromium.
package boundkeytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Browser holds one session and its key.
type Browser struct {
	t    testing.TB
	key  crypto.Signer
	alg  jose.SignatureAlgorithm
	last string // the challenge that it answers until it gets another

	// Audience makes it say in proofs which address they are for, as Chromium does with a flag.
	Audience bool
	// Session, Refresh, Cookie and Attributes are what Accept found. Session is empty if the
	// browser has none.
	Session, Refresh, Cookie, Attributes string
}

// New returns a browser with a new key for ES256.
func New(t testing.TB) *Browser {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Browser{t: t, key: key, alg: jose.ES256}
}

// NewRSA returns a browser with a new key for RS256.
func NewRSA(t testing.TB) *Browser {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &Browser{t: t, key: key, alg: jose.RS256}
}

var (
	offer     = regexp.MustCompile(`^\(ES256 RS256\);path="([^"\\]+)";challenge="([^"\\]+)";authorization="([^"\\]+)"$`)
	challenge = regexp.MustCompile(`^"([^"\\]+)";id="([^"\\]+)"$`)
)

// Register takes the value of Secure-Session-Registration, and returns the path to send a POST
// to with proof as its Secure-Session-Response, without a body. site is the origin.
func (b *Browser) Register(site, header string) (path, proof string) {
	b.t.Helper()
	m := offer.FindStringSubmatch(header)
	if m == nil {
		b.t.Fatalf("a browser registers nothing for %q", header)
	}
	says := map[string]any{"jti": m[2], "authorization": m[3]}
	return m[1], b.Sign(map[string]any{"jwk": jose.JSONWebKey{Key: b.key.Public()}}, b.to(says, site+m[1]))
}

// Accept takes the response to a registration. It fails the test if a browser would not begin
// a session.
func (b *Browser) Accept(body []byte) {
	b.t.Helper()
	var i struct {
		Session     string `json:"session_identifier"`
		Refresh     string `json:"refresh_url"`
		Continue    *bool  `json:"continue"`
		Credentials []struct{ Type, Name, Attributes string }
		Scope       *struct {
			Site *bool `json:"include_site"`
		}
	}
	if err := json.Unmarshal(body, &i); err != nil {
		b.t.Fatalf("instructions: %v", err)
	}
	if i.Session == "" || i.Refresh == "" || i.Scope == nil || i.Scope.Site == nil || len(i.Credentials) != 1 || i.Credentials[0].Type != "cookie" || i.Continue != nil && !*i.Continue {
		b.t.Fatalf("a browser begins no session by %s", body)
	}
	b.Session, b.Refresh, b.Cookie, b.Attributes = i.Session, i.Refresh, i.Credentials[0].Name, i.Credentials[0].Attributes
}

// Proof returns what to send to Refresh as Secure-Session-Response, beside the Session as
// Sec-Secure-Session-Id. header is the Secure-Session-Challenge of the last response, "" if it
// had none: then it is the last challenge that is answered, or nothing if there was none.
func (b *Browser) Proof(site, header string) (proof string) {
	b.t.Helper()
	if header != "" {
		m := challenge.FindStringSubmatch(header)
		if m == nil || m[2] != b.Session {
			b.t.Fatalf("a browser with the session %q has no challenge in %q", b.Session, header)
		}
		b.last = m[1]
	}
	if b.last == "" {
		return ""
	}
	return b.Sign(nil, b.to(map[string]any{"jti": b.last}, site+b.Refresh))
}

func (b *Browser) to(says map[string]any, url string) map[string]any {
	if b.Audience {
		says["aud"] = url
	}
	return says
}

// Sign makes a JWS that says what is given, with more in its header beside alg and typ. It is
// for proofs that no browser makes.
func (b *Browser) Sign(header map[string]any, says any) string {
	b.t.Helper()
	options := (&jose.SignerOptions{}).WithType("dbsc+jwt")
	for name, value := range header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	payload, err := json.Marshal(says)
	if err != nil {
		b.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: b.alg, Key: b.key}, options)
	if err != nil {
		b.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}
