package signkeys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signkeys"
)

func TestATokenIsVerifiedAlsoAfterItsKeyHasRetired(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		jwt, _ := signed(t, r)
		for range 3 {
			text, err := r.Verify(t.Context(), "at+jwt", jwt)
			dbtest.Check(t, err)
			var got claims
			dbtest.Check(t, json.Unmarshal(text, &got))
			dbtest.Want(t, got, ann)
			rotate(t, d, r)
			c.Advance(2 * time.Second)
		}
	})
}

func TestNoTokenVerifiesThatWasNotSignedHereAsSuch(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		jwt, kid := signed(t, r)
		text, err := r.JWKS(t.Context())
		dbtest.Check(t, err)
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		dbtest.Check(t, err)
		raw := base64.RawURLEncoding.EncodeToString
		for name, bad := range map[string]string{
			"nothing":              "",
			"no JWT":               "a.b.c",
			"none":                 raw([]byte(`{"alg":"none","kid":"`+kid+`","typ":"at+jwt"}`)) + "." + raw([]byte(`{}`)) + ".",
			"the key as a secret":  forged(t, jose.HS256, text, kid, false),
			"a key of its own":     forged(t, jose.ES256, own, kid, false),
			"a key brought along":  forged(t, jose.ES256, own, "theirs", true),
			"without a name of it": forged(t, jose.ES256, own, "", false),
			"a changed signature":  jwt[:len(jwt)-8] + "AAAAAAAA",
		} {
			if claims, err := r.Verify(t.Context(), "at+jwt", bad); !errors.Is(err, signkeys.ErrNotOurs) {
				t.Errorf("%s: %s, %v", name, claims, err)
			}
		}
		for _, typ := range []string{"JWT", "", "AT+JWT", "logout+jwt"} {
			if claims, err := r.Verify(t.Context(), typ, jwt); !errors.Is(err, signkeys.ErrNotOurs) {
				t.Errorf("an access token as %q: %s, %v", typ, claims, err)
			}
		}
	})
}

// forged is a token that somebody else has signed.
func forged(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, embed bool) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{EmbedJWK: embed}).WithType("at+jwt"))
	dbtest.Check(t, err)
	s, err := signer.Sign([]byte(`{"sub":"ann"}`))
	dbtest.Check(t, err)
	text, err := s.CompactSerialize()
	dbtest.Check(t, err)
	return text
}
