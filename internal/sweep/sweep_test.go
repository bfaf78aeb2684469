package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/limit"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
)

// fill makes n rows of a kind, the i-th made at a time, in one transaction.
func (h *house) fill(t *testing.T, n int, made time.Time, insert func(tx *db.Tx, id db.ID, i int) error) {
	t.Helper()
	dbtest.Check(t, h.DB.Update(t.Context(), func(tx *db.Tx) error {
		var err error
		for i := range n {
			err = errors.Join(err, insert(tx, db.FirstID(made)+db.ID(i), i))
		}
		return err
	}))
}

// kinds make, for each kind of rows, one that has expired or not.
var kinds = map[string]struct {
	table  string
	over   time.Duration // a row so old has expired, one a second younger has not
	insert func(tx *db.Tx, id db.ID, i int) error
}{
	"attempts": {"attempts", 2*time.Hour + 10*time.Minute, func(tx *db.Tx, id db.ID, _ int) error {
		_, err := tx.Exec(`INSERT INTO attempts (id, secret_hash, browser, implementation, identifier, account_id, is_silent, is_known, first_hash, has_short, next, network, prefix, agent, codes)
			VALUES ($1, $2, $2, 'email', 'old', 0, 0, 0, $2, 1, '', '', '', '', $2)`, id, []byte("x"))
		return err
	}},
	"messages": {"outbox", 24 * time.Hour, func(tx *db.Tx, id db.ID, i int) error {
		_, err := tx.Exec(`INSERT INTO outbox (id, channel, sealed, not_after, due_at, state) VALUES ($1, 'email', $2, 0, 0, $3)`, id, []byte{}, 1+i%3)
		return err
	}},
	"accounts": {"users", 24 * time.Hour, func(tx *db.Tx, id db.ID, i int) error {
		if _, err := tx.Exec(`INSERT INTO users (id, username, date_joined) VALUES ($1, $2, 0)`, id, fmt.Sprint("u", id)); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO accounts (id, user_id, implementation, identifier) VALUES ($1, $1, 'email', $2)`, id, fmt.Sprintf("p%d@example.org", id))
		return err
	}},
	"issuers": {"issuers", 90 * 24 * time.Hour, func(tx *db.Tx, id db.ID, _ int) error {
		_, err := tx.Exec(`INSERT INTO issuers (issuer, client_id, sealed, method, expires_at, used_at) VALUES ($1, '', $2, '', 0, $3)`, fmt.Sprint(id), []byte{}, id.Time())
		return err
	}},
	"keys": {"signing_keys", 30 * 24 * time.Hour, func(tx *db.Tx, id db.ID, _ int) error {
		_, err := tx.Exec(`INSERT INTO signing_keys (id, alg, state, public, sealed, created_at, retired_at) VALUES ($1, 'ES256', 'old', '{}', $2, 0, $3)`, id, []byte{}, id.Time())
		return err
	}},
	"history": {"audit", 365 * 24 * time.Hour, func(tx *db.Tx, id db.ID, _ int) error {
		_, err := tx.Exec(`INSERT INTO audit (id, subject_id, event, prefix, agent, detail) VALUES ($1, 1, 'code_sent', '', '', '')`, id)
		return err
	}},
	"sessions": {"sessions", 12 * time.Hour, func(tx *db.Tx, id db.ID, _ int) error {
		_, err := tx.Exec(`INSERT INTO sessions (id, secret_hash, user_id, account_id, last_seen_at, expires_at, prefix, agent) VALUES ($1, $2, 1, 1, $3, $4, '', '')`,
			id, []byte("x"), id.Time().UnixMilli(), id.Time().Add(720*time.Hour).UnixMilli())
		return err
	}},
	"proofs": {"proofs", 720 * time.Hour, func(tx *db.Tx, id db.ID, _ int) error {
		// Of a session that has not ended, or they would be deleted with it.
		if _, err := tx.Exec(`INSERT INTO sessions (id, secret_hash, user_id, account_id, last_seen_at, expires_at, prefix, agent) VALUES ($1, $2, 2, 1, $3, $3, '', '')`,
			id, []byte("x"), id.Time().Add(10_000*time.Hour)); err != nil {
			return err
		}
		return session.AddProof(tx, id, 1, session.Proof{Factor: "email", Account: 1, Verified: id.Time(), Expires: id.Time().Add(720 * time.Hour)})
	}},
	"budgets": {"budgets", 15 * time.Minute, func(tx *db.Tx, id db.ID, i int) error {
		return limit.Block(tx, "test", fmt.Sprint(id, i), id.Time().Add(15*time.Minute))
	}},
}

func TestWhatIsOverGoesAndTheRestStays(t *testing.T) {
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				now := h.Clock.Now()
				h.fill(t, 170, now.Add(-k.over-time.Second), k.insert) // several chunks
				h.fill(t, 30, now.Add(-k.over+time.Second), k.insert)
				if counts := h.once(t); !maps.Equal(counts, map[string]int64{kind: 170}) {
					t.Errorf("counted %v", counts)
				}
				dbtest.Want(t, h.told[kind], 170)
				dbtest.Want(t, h.Count(t, `SELECT count(*) FROM `+k.table), 30)
				if kind == "accounts" {
					dbtest.Want(t, h.Count(t, `SELECT count(*) FROM accounts`), 30)
				}
				dbtest.Want(t, len(h.once(t)), 0)
			})
		})
	}
}

func TestAttemptsGoWithTheirCodes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for i := range 5 {
			h.asks(t, fmt.Sprintf("p%d@example.org", i))
		}
		h.Clock.Advance(2*time.Hour + 10*time.Minute)
		h.asks(t, "young@example.org")
		h.Clock.Advance(time.Second)
		counts := h.once(t)
		dbtest.Want(t, counts["attempts"], 5)
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM attempts`), 1)
	})
}

func TestAnAttemptThatCanStillGoOnStays(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		by, _ := h.asks(t, "ann@example.org")
		h.Clock.Advance(time.Hour - time.Second) // the last moment for one more code of it
		asked, err := h.Signin.Resend(t.Context(), by)
		dbtest.Check(t, err)
		dbtest.Want(t, asked.Attempt, by.Attempt)
		m := h.Mail(t)
		h.Clock.Advance(10*time.Minute - time.Second)
		h.once(t)
		e, err := h.Signin.SubmitCode(t.Context(), m.Code, by)
		dbtest.Check(t, err)
		dbtest.Want(t, e.Verdict, signin.Accepted)
	})
}

// Somebody who never proved their address requests a code again, a day later.
func TestTheSweeperTakesNoAccountBetweenAskAndAnswer(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.asks(t, "ann@example.org")
		h.Clock.Advance(h.sweeper.Settings.UnprovedAccounts + time.Hour)
		by, code := h.asks(t, "ann@example.org")
		h.Clock.Advance(h.sweeper.Settings.CodeLife - time.Second)
		h.once(t)
		e, err := h.Signin.SubmitCode(t.Context(), code, by)
		dbtest.Check(t, err)
		if e.Verdict != signin.Accepted {
			t.Errorf("the right code is answered with %v after a sweep", e.Verdict)
		}
		// An account for which codes are requested and never submitted is removed in the end.
		h.asks(t, "ben@example.org")
		h.Clock.Advance(h.sweeper.Settings.UnprovedAccounts + time.Hour)
		h.asks(t, "ben@example.org")
		h.once(t)
		h.Clock.Advance(signin.Kept(h.sweeper.Settings.CodeLife) + time.Second)
		h.once(t)
		err = h.DB.View(t.Context(), func(tx *db.Tx) error {
			_, _, err := accounts.Find(tx, accounts.ID{Implementation: accounts.Email, Identifier: "ben@example.org"})
			return err
		})
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("an account that nobody proved is there after its time: %v", err)
		}
	})
}

func TestUsersWhoStayAreNeverSwept(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.signsIn(t, "proved@example.org")
		h.asks(t, "unproved@example.org")
		h.asks(t, "invited@example.org")
		h.asks(t, "deactivated@example.org")
		h.asks(t, "root@example.org")
		for address, change := range map[string]func(tx *db.Tx, u accounts.UserID) error{
			"invited@example.org":     accounts.Invite,
			"deactivated@example.org": func(tx *db.Tx, u accounts.UserID) error { return accounts.Deactivate(tx, u) },
			"root@example.org":        func(tx *db.Tx, u accounts.UserID) error { return accounts.SetSuperuser(tx, u, true) },
		} {
			dbtest.Check(t, h.DB.Update(t.Context(), func(tx *db.Tx) error {
				_, u, err := accounts.Find(tx, accounts.ID{Implementation: accounts.Email, Identifier: address})
				if err != nil {
					return err
				}
				return change(tx, u.ID)
			}))
		}
		h.Clock.Advance(1000 * time.Hour)
		dbtest.Want(t, h.once(t)["accounts"], 1)
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM users`), 4)
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM accounts`), 4)
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM accounts WHERE identifier LIKE 'unproved%'`), 0)
	})
}

func TestSessionsInUseStay(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		by := h.signsIn(t, "ann@example.org")
		h.signsIn(t, "bob@example.org")
		h.Clock.Advance(11 * time.Hour)
		h.Exec(t, `UPDATE sessions SET last_seen_at = $2 WHERE id = $1`, by.Session.ID, h.Clock.Now().UnixMilli())
		h.Clock.Advance(2 * time.Hour)
		dbtest.Want(t, h.once(t)["sessions"], 1)
		_, err := h.Signin.Sessions.Check(t.Context(), by.Session)
		dbtest.Check(t, err)
	})
}

func TestAWalkGoesOnWhereItStopped(t *testing.T) {
	d := dbtest.Fresh(t, "sqlite")
	clock := &dbtest.Clock{}
	for clock.Now().Before(dbtest.Start) {
		clock.Advance(dbtest.Start.Sub(clock.Now()))
	}
	d.Now = clock.Now
	h := furnish(t, d, clock)
	// More rows that are kept than one sweep looks at, which is WalkMost and a chunk, and
	// behind them an expired one.
	const many = 30_000
	h.sweeper.Settings.WalkMost = 10_000
	h.Exec(t, `INSERT INTO budgets (key, spent_to, last_take) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT CAST(printf('%016d', i) AS BLOB), $2, 1 FROM n`, many, clock.Now().Add(time.Hour).UnixMicro())
	h.Exec(t, `INSERT INTO budgets (key, spent_to, last_take) VALUES ($1, 0, 1)`, []byte{0xff})
	dbtest.Want(t, len(h.once(t)), 0)
	goes := func() (n int64) { // until the whole table was walked
		for range 4 {
			n += h.once(t)["budgets"]
		}
		return n
	}
	dbtest.Want(t, goes(), 1)
	h.Exec(t, `INSERT INTO budgets (key, spent_to, last_take) VALUES ($1, 0, 1)`, []byte{0})
	dbtest.Want(t, goes(), 1) // it begins again
}

func TestSignInsPassWhileMuchIsSwept(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		now := h.Clock.Now()
		for _, kind := range []string{"attempts", "messages", "accounts", "history", "sessions", "proofs", "budgets"} {
			h.fill(t, 1500, now.Add(-kinds[kind].over-time.Second), kinds[kind].insert)
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = h.sweeper.Run(ctx) })
		defer wg.Wait()
		defer stop()
		var all []signin.Requester
		for i := range 30 {
			all = append(all, h.signsIn(t, fmt.Sprintf("new%d@example.net", i)))
		}
		for deadline := time.Now().Add(time.Minute); ; {
			left := h.Count(t, `SELECT (SELECT count(*) FROM attempts WHERE identifier = 'old') + (SELECT count(*) FROM audit WHERE subject_id = 1) +
				(SELECT count(*) FROM sessions WHERE user_id = 1) + (SELECT count(*) FROM proofs WHERE user_id = 1) +
				(SELECT count(*) FROM accounts WHERE identifier LIKE 'p%')`)
			if left == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d rows are still there", left)
			}
			<-time.After(20 * time.Millisecond)
		}
		for _, by := range all {
			_, err := h.Signin.Sessions.Check(t.Context(), by.Session)
			dbtest.Check(t, err)
		}
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM users`), 30)
	})
}

func TestASweepThatIsStoppedSaysSo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.sweeper.Once(over); !errors.Is(err, context.Canceled) {
			t.Errorf("Once says %v", err)
		}
		dbtest.Check(t, h.sweeper.Run(over))
	})
}
