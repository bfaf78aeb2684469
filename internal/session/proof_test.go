package session_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/session"
)

func store(d *db.DB) *session.Store {
	return session.New(d, session.Settings{Idle: time.Hour, Absolute: 24 * time.Hour}, slog.New(slog.DiscardHandler))
}

// open opens a session of user 7 by a code to account 8.
func open(t *testing.T, s *session.Store) (token seal.Token) {
	t.Helper()
	update(t, s.DB, func(tx *db.Tx) error {
		token = session.NewToken(tx)
		_, err := s.Open(tx, token, 7, session.Proof{Factor: "email", Account: 8}, audit.Client{})
		return err
	})
	return token
}

func update(t *testing.T, d *db.DB, fn func(*db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}

func proofs(t *testing.T, d *db.DB, id db.ID) (all []session.Proof) {
	t.Helper()
	update(t, d, func(tx *db.Tx) (err error) {
		all, err = session.Proofs(tx, session.Session{ID: id})
		return err
	})
	return all
}

func count(t *testing.T, d *db.DB, query string, args ...any) (n int) {
	t.Helper()
	update(t, d, func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) })
	return n
}

func TestSweepProofsWalksPastThoseThatCount(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		s, now := store(d), clock.Now()
		for i := range 10 {
			id := db.ID(open(t, s).ID)
			update(t, d, func(tx *db.Tx) error {
				return session.AddProof(tx, id, 7, session.Proof{Factor: "email", Account: 8, Verified: now.Add(-time.Hour), Expires: now.Add(time.Duration(i%2) * time.Millisecond)})
			})
		}
		var from db.ID
		var total int64
		for steps := 0; ; steps++ {
			var n int64
			var next db.ID
			update(t, d, func(tx *db.Tx) (err error) {
				n, next, err = session.SweepProofs(tx, from, 4)
				return err
			})
			if n > 4 {
				t.Fatalf("%d went at once", n)
			}
			total += n
			from = next
			if next == 0 {
				want(t, steps, 3) // 4 + 4 + 2 rows, and the end
				break
			}
		}
		want(t, total, 5)
		want(t, count(t, d, `SELECT count(*) FROM proofs`), 5)
		want(t, count(t, d, `SELECT count(*) FROM proofs WHERE expires_at <= $1`, now), 0)
	})
}

func TestAProofEndsWithItsTimeAndWithItsSession(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		s := store(d)
		token, other := open(t, s), open(t, s)
		id := db.ID(token.ID)
		p := session.Proof{Factor: "email", Account: 8, Verified: clock.Now(), Expires: clock.Now().Add(24 * time.Hour)}
		want(t, len(proofs(t, d, id)), 1)
		want(t, proofs(t, d, id)[0], p)
		p = session.Proof{Factor: "email", Account: 8, Verified: clock.Now().Add(time.Minute), Expires: clock.Now().Add(time.Hour)}
		update(t, d, func(tx *db.Tx) error { return session.AddProof(tx, id, 7, p) })
		want(t, len(proofs(t, d, id)), 1)
		want(t, proofs(t, d, id)[0], p)
		clock.Advance(time.Hour)
		want(t, len(proofs(t, d, id)), 0)
		want(t, len(proofs(t, d, db.ID(other.ID))), 1) // a proof in one session lifts no other
		clock.Advance(-time.Hour)
		update(t, d, func(tx *db.Tx) error { return session.End(tx, token) })
		want(t, len(proofs(t, d, id)), 0)
		want(t, len(proofs(t, d, db.ID(other.ID))), 1)
	})
}

func TestAProofIsAsOldAsTheSignInItRestsOn(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		s := store(d)
		for ago, verified := range map[time.Duration]time.Duration{3 * time.Hour: 3 * time.Hour, -time.Minute: 0} {
			var token seal.Token
			at := clock.Now().Truncate(time.Second)
			update(t, d, func(tx *db.Tx) error {
				token = session.NewToken(tx)
				_, err := s.Open(tx, token, 7, session.Proof{Factor: "openid", Account: 8, Upstream: session.Upstream{AuthTime: at.Add(-ago)}}, audit.Client{})
				return err
			})
			all := proofs(t, d, db.ID(token.ID))
			want(t, len(all), 1)
			if off := all[0].Verified.Sub(at.Add(-verified)).Abs(); off > time.Second {
				t.Errorf("after a sign-in there %s ago the proof is of %s", ago, all[0].Verified)
			}
		}
	})
}

func TestASessionHoldsOneProofOfEachAccountAndAuthenticator(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		s := store(d)
		id, other := db.ID(open(t, s).ID), db.ID(open(t, s).ID)
		at, until := clock.Now(), clock.Now().Add(time.Hour)
		add := func(in db.ID, p session.Proof) {
			p.Verified, p.Expires = at, until
			update(t, d, func(tx *db.Tx) error { return session.AddProof(tx, in, 7, p) })
		}
		add(id, session.Proof{Factor: "email", Account: 9})
		add(id, session.Proof{Factor: "passkey", Authenticator: 8, UserVerified: true})
		add(id, session.Proof{Factor: "openid", Account: 10, Provider: "corp", Upstream: session.Upstream{AMR: "otp", ACR: "x", AuthTime: at}})
		add(other, session.Proof{Factor: "passkey", Authenticator: 8})
		all := proofs(t, d, id)
		want(t, len(all), 4)
		want(t, all[3], session.Proof{Factor: "passkey", Authenticator: 8, UserVerified: true, Verified: at, Expires: until})
		want(t, all[2], session.Proof{Factor: "openid", Account: 10, Provider: "corp", Upstream: session.Upstream{AMR: "otp", ACR: "x", AuthTime: at}, Verified: at, Expires: until})
		add(id, session.Proof{Factor: "passkey", Authenticator: 8}) // anew, and without verification
		want(t, proofs(t, d, id)[3].UserVerified, false)

		update(t, d, func(tx *db.Tx) error { return session.DropProofs(tx, 6, 0, 8) }) // somebody else's
		want(t, len(proofs(t, d, id)), 4)
		update(t, d, func(tx *db.Tx) error { return session.DropProofs(tx, 7, 0, 8) })
		want(t, len(proofs(t, d, id)), 3)
		want(t, len(proofs(t, d, other)), 1)
		update(t, d, func(tx *db.Tx) error { return session.EndOfAccount(tx, 7, 9, 0) })
		want(t, len(proofs(t, d, id)), 2)
	})
}
