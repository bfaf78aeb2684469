package signkeys_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signkeys"
)

func TestAPublishedKeyIsPublicAndNamedByItsThumbprint(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		rotate(t, d, r) // makes the first keys
		rotate(t, d, r)
		text, err := r.JWKS(t.Context())
		dbtest.Check(t, err)
		var set struct{ Keys []map[string]string }
		dbtest.Check(t, json.Unmarshal(text, &set))
		active, next, old := list(t, r)
		dbtest.Want(t, len(set.Keys), 3)
		dbtest.Want(t, old, 1)
		dbtest.Want(t, set.Keys[0]["kid"], active) // for who takes the first
		dbtest.Want(t, set.Keys[1]["kid"], next)
		for _, k := range set.Keys {
			// RFC 7638 3: the members that a key needs, in the order of their names.
			thumb := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, k["x"], k["y"]))
			dbtest.Want(t, k["kid"], base64.RawURLEncoding.EncodeToString(thumb[:]))
			dbtest.Want(t, k["alg"]+k["use"], "ES256sig")
			dbtest.Want(t, len(k), 7)
		}
		for _, k := range published(t, r).Keys {
			if !k.IsPublic() || !k.Valid() {
				t.Errorf("%s is no public key", k.KeyID)
			}
		}
	})
}

func TestTheFirstKeyIsMadeWhenItIsNeeded(t *testing.T) {
	for name, use := range map[string]func(t *testing.T, r *signkeys.Ring){
		"to sign":    func(t *testing.T, r *signkeys.Ring) { signed(t, r) },
		"to publish": func(t *testing.T, r *signkeys.Ring) { published(t, r) },
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
				r := newRing(t, d, 1, quarter)
				dbtest.Check(t, r.RotateDue(t.Context()))
				if all, err := r.List(t.Context()); err != nil || len(all) != 0 {
					t.Fatalf("%v, %v before it is needed", all, err)
				}
				use(t, r)
				active, next, old := list(t, r)
				if active == "" || next == "" || old != 0 {
					t.Errorf("%q signs, %q is next, %d are old", active, next, old)
				}
			})
		})
	}
}

func TestOnlyKeysThatWereMadeHereArePublished(t *testing.T) {
	for name, change := range map[string]string{
		"of another site":      "",
		"a moved private key":  `UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys WHERE state = 'next') WHERE state = 'active'`,
		"a key of a stranger":  `UPDATE signing_keys SET public = $1 WHERE state = 'next'`,
		"an old key of theirs": `INSERT INTO signing_keys (id, alg, state, public, sealed, created_at) SELECT 1, alg, 'old', $1, sealed, 0 FROM signing_keys WHERE state = 'active'`,
		"a moved row":          `UPDATE signing_keys SET id = 1 WHERE state = 'next'`,
		"another algorithm":    `UPDATE signing_keys SET alg = 'HS256' WHERE state = 'next'`,
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
				published(t, newRing(t, d, 1, quarter))
				if text, err := changed(t, d, change).JWKS(t.Context()); err == nil {
					t.Errorf("it publishes %s", text)
				} else if !strings.Contains(err.Error(), "signing_keys") {
					t.Errorf("%v does not say where to look", err)
				}
			})
		})
	}
}

// A ring that has read the keys before believes no row because of its number.
func TestARunningServerPublishesNoKeyThatAStrangerPutThere(t *testing.T) {
	for name, change := range map[string]string{
		"the active one": `UPDATE signing_keys SET public = $1 WHERE state = 'active'`,
		"the next one":   `UPDATE signing_keys SET public = $1 WHERE state = 'next'`,
		"an old one":     `INSERT INTO signing_keys (id, alg, state, public, sealed, created_at) SELECT 1, alg, 'old', $1, sealed, 0 FROM signing_keys WHERE state = 'active'`,
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				r := newRing(t, d, 1, quarter)
				published(t, r)
				exec(t, d, change, strangersKey(t))
				clock.Advance(time.Minute)
				if text, err := r.JWKS(t.Context()); err == nil {
					t.Errorf("it publishes %s", text)
				}
			})
		})
	}
}

// changed is the ring of a thief who has changed the database of a site: with its secret, or
// with another if nothing was changed.
func changed(t *testing.T, d *db.DB, change string) *signkeys.Ring {
	t.Helper()
	switch {
	case change == "":
		return newRing(t, d, 2, quarter)
	case strings.Contains(change, "$1"):
		exec(t, d, change, strangersKey(t))
	default:
		exec(t, d, change)
	}
	return newRing(t, d, 1, quarter)
}

// strangersKey is a public key that was not made here.
func strangersKey(t *testing.T) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	dbtest.Check(t, err)
	text, err := jose.JSONWebKey{Key: k.Public(), KeyID: "theirs", Algorithm: "ES256", Use: "sig"}.MarshalJSON()
	dbtest.Check(t, err)
	return string(text)
}

func TestWhoWaitsForKeysWaitsNoLongerThanItsContext(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := newRing(t, d, 1, quarter)
		if _, err := r.JWKS(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		published(t, r)
	})
}
