package signin_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestOneCodeOpensOneSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, ann)
		out, err := atOnce(h, 200, func(int) (signin.Entered, error) { return h.Signin.SubmitCode(t.Context(), m.Code, b.By) })
		check(t, err)
		onlyOne(t, h, out)
		_, u := h.Account(t, ann)
		in := 0
		for _, e := range h.Events(t, u.ID) {
			if e == audit.SignedIn {
				in++
			}
		}
		want(t, in, 1)
	})
}

func TestOneLinkOpensOneSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		out, err := atOnce(h, 10, func(int) (signin.Entered, error) { return h.Signin.SubmitLink(t.Context(), m.Link, b.By) })
		check(t, err)
		onlyOne(t, h, out)
	})
}

func TestCodesOfTwoAttemptsAtOnceOpenOneSession(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann := addr(t, "ann@example.org")
		all := []*browser{h.Browser("192.0.2.1"), h.Browser("198.51.100.7")}
		codes := []string{all[0].Gets(t, ann).Code, all[1].Gets(t, ann).Code}
		out, err := atOnce(h, 20, func(i int) (signin.Entered, error) {
			return h.Signin.SubmitCode(t.Context(), codes[i%2], all[i%2].By)
		})
		check(t, err)
		onlyOne(t, h, out)
	})
}

// onlyOne checks that one of all submissions signed in, and that the others got a verdict
// that says so.
func onlyOne(t *testing.T, h *house, out []signin.Entered) {
	t.Helper()
	in := 0
	for _, e := range out {
		switch e.Verdict {
		case signin.Accepted:
			in++
		case signin.Used, signin.Exhausted, signin.Expired:
		default:
			t.Errorf("verdict %v", e.Verdict)
		}
	}
	want(t, in, 1)
	want(t, h.Count(t, `SELECT count(*) FROM sessions`), 1)
	want(t, h.Count(t, `SELECT count(*) FROM proofs`), 1)
}

func TestOneIDAskedForAtOnceIsOneAccount(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.Freely()
		ann := addr(t, "ann@example.org")
		_, err := atOnce(h, 20, func(int) (signin.Entered, error) {
			_, err := h.Signin.Start(t.Context(), signin.Request{ID: ann}, h.Browser("192.0.2.1").By)
			return signin.Entered{}, err
		})
		check(t, err)
		want(t, h.Count(t, `SELECT count(*) FROM accounts`), 1)
		want(t, h.Count(t, `SELECT count(*) FROM users`), 1)
		want(t, h.Count(t, `SELECT count(*) FROM attempts`), 20)
		for range 20 {
			want(t, h.Mail(t).To, "ann@example.org")
		}
	})
}

// Two processes that note the same sessions do not wait for each other.
func TestLastSeenIsWrittenInTheOrderOfTheirSessions(t *testing.T) {
	h := momentHouse(t)
	var all []*browser
	for n := range 12 {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, person(t, n))
		all = append(all, b)
	}
	h.Clock.Advance(time.Hour)
	for _, b := range slices.Backward(all) {
		want(t, b.IsIn(t), true)
	}
	dbtest.InOrder(t, h.DB, "sessions", "id", func() error { return h.Signin.Sessions.WriteSeen(t.Context()) })
}

// A sign-in ends the browser's old session: it takes that, and then its proofs.
func TestEndingAllSessionsTakesThemInTheirOrderAndThenTheirProofs(t *testing.T) {
	h := momentHouse(t)
	h.Freely()
	ann := addr(t, "ann@example.org")
	for range 4 {
		h.Browser("192.0.2.1").SignsIn(t, ann)
	}
	// The rows lie in the table in the order of the last write.
	var ids []int64
	h.Update(t, func(tx *db.Tx) error {
		ids = nil
		return tx.Each(func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT id FROM sessions ORDER BY id DESC`)
	})
	for _, id := range ids {
		h.Exec(t, `UPDATE sessions SET expires_at = expires_at + 1 WHERE id = $1`, id)
	}
	_, u := h.Account(t, ann)
	dbtest.InOrder(t, h.DB, "sessions", "id", func() error {
		return h.DB.Update(t.Context(), func(tx *db.Tx) error { _, err := session.EndAll(tx, u.ID, 0); return err })
	}, "proofs")
	want(t, h.Count(t, `SELECT count(*) FROM sessions`), 0)
	want(t, h.Count(t, `SELECT count(*) FROM proofs`), 0)
}

func TestTheSweeperPassesOverSessionsThatSomebodyHolds(t *testing.T) {
	h := momentHouse(t)
	h.Freely()
	for range 4 {
		h.Browser("192.0.2.1").SignsIn(t, addr(t, "ann@example.org"))
	}
	h.Clock.Advance(365 * 24 * time.Hour)
	left := func(sweep func(tx *db.Tx) (int64, db.ID, error)) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return h.DB.Sequence(ctx, db.ReadCommitted(func(tx *db.Tx) error {
				n, _, err := sweep(tx)
				if err == nil && n != 3 {
					t.Errorf("%d of 4 went, one is held", n)
				}
				return err
			}))
		}
	}
	dbtest.PassesOver(t, h.DB, "proofs", "session_id", left(func(tx *db.Tx) (int64, db.ID, error) { return session.SweepProofs(tx, 0, 100) }))
	dbtest.PassesOver(t, h.DB, "sessions", "id", left(func(tx *db.Tx) (int64, db.ID, error) { return h.Signin.Sessions.Sweep(tx, 0, 100) }))
}

// As a sign-in does, which takes the account, and then ends a session.
func TestForgettingTakesThePersonBeforeTheirSessions(t *testing.T) {
	h := momentHouse(t)
	ann := addr(t, "ann@example.org")
	for range 2 {
		h.Browser("192.0.2.1").SignsIn(t, ann)
	}
	_, u := h.Account(t, ann)
	dbtest.InOrder(t, h.DB, "accounts", "id", func() error {
		return h.Deletes(t.Context(), u.ID)
	}, "users", "sessions", "proofs")
}

// Between reading the account and opening the session nobody else's success comes: the
// account is held. Another machine succeeds with it while the code is on its way in.
func TestASuccessElsewhereAtTheSameMomentVoidsTheCode(t *testing.T) {
	here, elsewhere := machines(t)
	here.DB.Rehearse, elsewhere.DB.Rehearse = false, false // or the code comes a second time, after the other
	ann := addr(t, "ann@example.org")
	b := here.Browser("192.0.2.1")
	m := b.Gets(t, ann)
	entered := make(chan signin.Entered, 1)
	failed := make(chan error, 1)
	check(t, elsewhere.DB.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
		if _, err := tx.Exec(`UPDATE accounts SET code_generation = code_generation + 1 WHERE identifier = $1`, ann.Identifier); err != nil {
			return err
		}
		go func() {
			e, err := here.Signin.SubmitCode(t.Context(), m.Code, b.By)
			failed <- err
			entered <- e
		}()
		for waiting := int64(0); waiting == 0; {
			if err := tx.Get(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	})))
	check(t, <-failed)
	want(t, (<-entered).Verdict, signin.Expired)
}
