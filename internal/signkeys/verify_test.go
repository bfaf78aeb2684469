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

func TestOfWithdrawnKeysNothingIsLeft(t *testing.T) {
	twoProcesses(t, func(t *testing.T, a, b *db.DB, c *dbtest.Clock) {
		here, there := newRing(t, a, 1, quarter), newRing(t, b, 1, quarter)
		var before []string
		for range 2 { // by a key that is old by then, and by the active one
			jwt, _ := signed(t, there)
			before = append(before, jwt)
			if len(before) == 1 {
				rotate(t, b, there)
				c.Advance(2 * time.Second)
			}
		}
		was := published(t, there)
		dbtest.Want(t, len(was.Keys), 3)
		var active signkeys.Key
		var withdrawn []signkeys.Key
		dbtest.Check(t, a.Update(t.Context(), func(tx *db.Tx) (err error) {
			active, withdrawn, err = here.Withdraw(tx)
			return err
		}))
		for i, k := range withdrawn {
			dbtest.Want(t, k.KID, was.Keys[i].KeyID)
		}
		late, _ := signed(t, there) // before it has read that
		c.Advance(2 * time.Second)
		for _, r := range []*signkeys.Ring{here, there} {
			for _, jwt := range append(before, late) {
				if claims, err := r.Verify(t.Context(), "at+jwt", jwt); !errors.Is(err, signkeys.ErrNotOurs) {
					t.Errorf("%s, %v", claims, err)
				}
			}
			set := published(t, r)
			dbtest.Want(t, len(set.Keys), 2)
			for _, k := range was.Keys {
				dbtest.Want(t, len(set.Key(k.KeyID)), 0)
			}
			jwt, kid := signed(t, r)
			dbtest.Want(t, kid, active.KID)
			_, err := verify(jwt, set)
			dbtest.Check(t, err)
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
