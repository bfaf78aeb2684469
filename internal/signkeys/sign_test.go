package signkeys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signkeys"
)

func TestAStrangerVerifiesWhatWasSigned(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		set := published(t, r)
		for range 1200 { // r and s begin with a zero byte once in 256 times
			jwt, kid := signed(t, r)
			got, err := verify(jwt, set)
			dbtest.Check(t, err)
			dbtest.Want(t, got, ann)
			parts := strings.Split(jwt, ".")
			header, err := base64.RawURLEncoding.DecodeString(parts[0])
			dbtest.Check(t, err)
			dbtest.Want(t, string(header), `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`)
			dbtest.Want(t, len(parts[2]), 86) // 64 bytes
		}
		if _, err := r.Sign(t.Context(), "JWT", func() {}); err == nil {
			t.Error("claims that are no JSON are signed")
		}
	})
}

func TestNothingElseVerifies(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		r := newRing(t, d, 1, quarter)
		set := published(t, r)
		jwt, kid := signed(t, r)
		parts := strings.Split(jwt, ".")
		other := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://login.example.org","sub":"ben"}`))
		for name, bad := range map[string]string{
			"other claims": parts[0] + "." + other + "." + parts[2],
			"another typ":  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"`+kid+`","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
			"no signature": parts[0] + "." + parts[1] + ".",
		} {
			if _, err := verify(bad, set); err == nil {
				t.Errorf("a token with %s verifies", name)
			}
		}
		stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		dbtest.Check(t, err)
		for i := range set.Keys {
			set.Keys[i].Key = stranger.Public()
		}
		if _, err := verify(jwt, set); err == nil {
			t.Error("a token verifies with another key")
		}
	})
}

func TestACopyOfTheDatabaseSignsNothing(t *testing.T) {
	for name, change := range map[string]string{
		"without its secret":  "",
		"a moved private key": `UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys WHERE state = 'next') WHERE state = 'active'`,
		"a retired key":       `UPDATE signing_keys SET state = CASE state WHEN 'active' THEN 'old' ELSE 'active' END WHERE state <> 'next'`,
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
				r := newRing(t, d, 1, quarter)
				signed(t, r)
				rotate(t, d, r)
				exec(t, d, `DROP INDEX signing_keys_state`) // within a statement two keys are active
				if jwt, err := changed(t, d, change).Sign(t.Context(), "JWT", ann); err == nil {
					t.Errorf("it signs %s", jwt)
				}
			})
		})
	}
}

func TestTwoProcessesMakeOneKey(t *testing.T) {
	twoProcesses(t, func(t *testing.T, a, b *db.DB, _ *dbtest.Clock) {
		rings := []*signkeys.Ring{newRing(t, a, 1, quarter), newRing(t, b, 1, quarter)}
		var kids sync.Map
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				jwt, err := rings[i%2].Sign(t.Context(), "JWT", ann)
				if err != nil {
					t.Error(err)
					return
				}
				header, _, _ := strings.Cut(jwt, ".")
				kids.Store(header, true)
			})
		}
		all.Wait()
		n := 0
		kids.Range(func(any, any) bool { n++; return true })
		dbtest.Want(t, n, 1)
		keys, err := rings[0].List(t.Context())
		dbtest.Check(t, err)
		dbtest.Want(t, len(keys), 2)
	})
}

func TestSigningReadsNothingInBetween(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			d, err := db.Open(t.Context(), dbtest.Ready(t, engine))
			dbtest.Check(t, err)
			c := dbtest.NewClock()
			d.Now = c.Now
			r := newRing(t, d, 1, quarter)
			_, before := signed(t, r)
			dbtest.Check(t, d.Close())
			c.Advance(1999 * time.Millisecond)
			_, after := signed(t, r)
			dbtest.Want(t, after, before)
			c.Advance(time.Millisecond)
			if _, err := r.Sign(t.Context(), "JWT", ann); err == nil {
				t.Error("it signs without looking whether the key has changed")
			}
		})
	}
}

// A row that cannot be opened, once removed, is replaced.
func TestAKeyThatIsGoneIsReplaced(t *testing.T) {
	for _, state := range []signkeys.State{signkeys.Active, signkeys.Next} {
		dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
			r := newRing(t, d, 1, quarter)
			signed(t, r)
			_, next, _ := list(t, r)
			exec(t, d, `DELETE FROM signing_keys WHERE state = $1`, state)
			c.Advance(2 * time.Second)
			dbtest.Check(t, r.RotateDue(t.Context()))
			jwt, kid := signed(t, r)
			dbtest.Want(t, kid == next, state == signkeys.Active)
			dbtest.Want(t, len(published(t, r).Keys), 2)
			_, err := verify(jwt, published(t, r))
			dbtest.Check(t, err)
		})
	}
}
