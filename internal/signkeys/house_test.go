package signkeys_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/signkeys"
)

const (
	day     = 24 * time.Hour
	quarter = 90 * day
)

// newRing is a process's ring on a database. Rings of the same secret are those of one site.
func newRing(t testing.TB, d *db.DB, secret byte, rotate time.Duration) *signkeys.Ring {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{secret}, seal.KeySize))
	dbtest.Check(t, err)
	return signkeys.New(d, keys, rotate, slog.New(slog.DiscardHandler))
}

// twoProcesses runs fn with two processes on one database, by one clock.
func twoProcesses(t *testing.T, fn func(t *testing.T, a, b *db.DB, c *dbtest.Clock)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url, c := dbtest.Ready(t, engine), dbtest.NewClock()
			a, b := dbtest.Open(t, url), dbtest.Open(t, url)
			for _, d := range []*db.DB{a, b} {
				d.Now, d.Rehearse = c.Now, true
			}
			fn(t, a, b, c)
		})
	}
}

// list returns the KIDs of all keys by their state; old ones are counted.
func list(t testing.TB, r *signkeys.Ring) (active, next string, old int) {
	t.Helper()
	all, err := r.List(t.Context())
	dbtest.Check(t, err)
	for _, k := range all {
		switch k.State {
		case signkeys.Active:
			active = k.KID
		case signkeys.Next:
			next = k.KID
		case signkeys.Old:
			old++
		}
	}
	return active, next, old
}

// rotate lets the next key sign, as an administrator does. Rings that have read the keys see it
// two seconds later.
func rotate(t testing.TB, d *db.DB, r *signkeys.Ring) (k signkeys.Key) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
		k, err = r.Rotate(tx)
		return err
	}); err != nil {
		t.Error(err)
	}
	return k
}

type claims struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
}

var ann = claims{"https://login.example.org", "<ann & ben>"}

// signed returns a token and the kid of the key that signed it.
func signed(t testing.TB, r *signkeys.Ring) (jwt, kid string) {
	t.Helper()
	jwt, err := r.Sign(t.Context(), "at+jwt", ann)
	dbtest.Check(t, err)
	s, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.ES256})
	dbtest.Check(t, err)
	return jwt, s.Signatures[0].Header.KeyID
}

// published is the set of keys as a stranger reads it.
func published(t testing.TB, r *signkeys.Ring) (set jose.JSONWebKeySet) {
	t.Helper()
	text, err := r.JWKS(t.Context())
	dbtest.Check(t, err)
	dbtest.Check(t, json.Unmarshal(text, &set))
	return set
}

// verify verifies a token as a stranger does, with the key that the token names.
func verify(jwt string, set jose.JSONWebKeySet) (c claims, err error) {
	s, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return c, err
	}
	keys := set.Key(s.Signatures[0].Header.KeyID)
	if len(keys) != 1 {
		return c, errors.New("the set has not one key of this kid")
	}
	payload, err := s.Verify(keys[0])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	return c, err
}

func exec(t testing.TB, d *db.DB, query string, args ...any) {
	t.Helper()
	dbtest.Check(t, d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}))
}
