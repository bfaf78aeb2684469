package directory_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/directory"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/session"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signin/signintest"
)

func TestDeletingTakesAFreshProof(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		ann := signintest.Addr(t, "ann@example.org")
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, ann)
		h.Clock.Advance(session.FreshFor + time.Millisecond)
		ok, err := h.Directory.DeleteOwn(t.Context(), b.Owner())
		dbtest.Check(t, err)
		dbtest.Want(t, ok, false)
		dbtest.Want(t, b.IsIn(t), true)

		// A proof in another browser lifts nothing here.
		other := h.Browser("198.51.100.7")
		other.SignsIn(t, ann)
		ok, err = h.Directory.DeleteOwn(t.Context(), b.Owner())
		dbtest.Check(t, err)
		dbtest.Want(t, ok, false)
		h.Clock.Advance(session.FreshFor)
		ok, err = h.Directory.DeleteOwn(t.Context(), other.Owner())
		dbtest.Check(t, err)
		dbtest.Want(t, ok, true)
		dbtest.Want(t, b.IsIn(t), false)
		dbtest.Want(t, other.IsIn(t), false)
	})
}

func TestDeletingForgetsEverything(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		h.Freely()
		ann, bob := signintest.Addr(t, "ann@example.org"), signintest.Addr(t, "bob@example.org")
		h.Browser("203.0.113.1").SignsIn(t, bob)
		h.Clock.Advance(time.Second)
		b, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		open := other.Gets(t, ann)
		b.SignsIn(t, ann)
		dbtest.Check(t, h.Directory.SaveSettings(t.Context(), b.Owner(), "Annabel", "Lee", "de"))
		h.Clock.Advance(time.Second)
		late := other.GetsAgain(t)
		user := h.User(t, b)
		ok, err := h.Directory.DeleteOwn(t.Context(), b.Owner())
		dbtest.Check(t, err)
		dbtest.Want(t, ok, true)
		for _, query := range []string{
			`SELECT count(*) FROM users WHERE id = $1`, `SELECT count(*) FROM accounts WHERE user_id = $1`, `SELECT count(*) FROM sessions WHERE user_id = $1`,
			`SELECT count(*) FROM proofs WHERE user_id = $1`, `SELECT count(*) FROM audit WHERE subject_id = $1`,
		} {
			dbtest.Want(t, h.Count(t, query, user), 0)
		}
		for table, rows := range h.Dump(t) {
			text := strings.Join(rows, "\n")
			if table != "attempts" && strings.Contains(text, "ann@") || strings.Contains(text, "Annabel") {
				t.Errorf("the person is still in %s", table)
			}
		}

		// Attempts under way lead nowhere.
		for _, m := range []signintest.Mail{open, late} {
			dbtest.Want(t, other.Types(t, m.Code).Verdict, signin.Expired)
			dbtest.Want(t, other.Clicks(t, m.Link).Verdict, signin.Gone)
		}
		other.Disowns(t, late.NotMe, true)
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM sessions`), 1)

		// Who comes back is somebody new.
		h.Clock.Advance(time.Second)
		other.By.Attempt = h.Browser("").By.Attempt
		e := h.Browser("192.0.2.1").SignsIn(t, ann)
		if e.User == user {
			t.Error("the same user came back")
		}
	})
}

func TestAPersonsOwnChangesHaveABudget(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		h.DB.Rehearse = false // many changes, each rehearsed elsewhere
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		user := h.User(t, b)
		before := len(h.Events(t, user))
		ways := []func() error{
			func() error { return h.Directory.SaveSettings(t.Context(), b.Owner(), "A", "B", "en") },
			func() error { return h.Directory.EndSession(t.Context(), b.Owner(), 1) },
			func() error { return h.Directory.EndOthers(t.Context(), b.Owner()) },
			func() error { _, err := h.Directory.ExportOwn(t.Context(), b.Owner()); return err },
		}
		for i := range 100 {
			dbtest.Check(t, ways[i%len(ways)]())
		}
		for _, way := range ways {
			var often directory.TooOften
			if err := way(); !errors.As(err, &often) || often.Wait <= 0 || often.Wait > 2*time.Second {
				t.Errorf("the 101st in a minute: %v", err)
			}
		}
		dbtest.Want(t, len(h.Events(t, user)), before+100)
		// What is refused is not done either.
		var often directory.TooOften
		if err := h.Directory.SaveSettings(t.Context(), b.Owner(), "Too", "Often", "de"); !errors.As(err, &often) {
			t.Errorf("a change after all that: %v", err)
		}
		p, err := h.Directory.Profile(t.Context(), user)
		dbtest.Check(t, err)
		dbtest.Want(t, p.User.Name(), "A B")
		// Who has copied a session cannot keep its owner from ending it.
		elsewhere := h.Browser("192.0.2.1")
		elsewhere.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		dbtest.Check(t, h.Directory.EndOthers(t.Context(), elsewhere.Owner()))
		dbtest.Want(t, b.IsIn(t), false)
		b = elsewhere
		before = len(h.Events(t, user))
		other := h.Browser("192.0.2.1")
		other.SignsIn(t, signintest.Addr(t, "ben@example.org"))
		dbtest.Check(t, h.Directory.SaveSettings(t.Context(), other.Owner(), "C", "D", "de"))
		for range 24 * 60 {
			h.Clock.Advance(time.Minute)
			_ = h.Directory.SaveSettings(t.Context(), b.Owner(), "A", "B", "en")
		}
		if n := len(h.Events(t, user)) - before; n > 2*300 {
			t.Errorf("%d lines of history in a day", n)
		}
	})
}

func TestALongHistoryIsForgottenInPieces(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		user, other := h.User(t, b), accounts.UserID(7)
		h.Update(t, func(tx *db.Tx) error {
			var err error
			for range 3500 {
				err = errors.Join(err, audit.Write(tx, db.ID(user), audit.Visitor, audit.CodeSent, audit.Client{}))
			}
			return errors.Join(err, audit.Write(tx, db.ID(other), audit.Visitor, audit.CodeSent, audit.Client{}))
		})
		// Only the first thousand go with the person: who waits for the writer waits no longer.
		h.Update(t, func(tx *db.Tx) error { return audit.Forget(tx, db.ID(user)) }) // as in the transaction of Delete
		if n := h.Count(t, `SELECT count(*) FROM audit WHERE subject_id = $1`, user); n < 2500 || n > 2600 {
			t.Errorf("%d lines are left", n)
		}
		dbtest.Check(t, h.Deletes(t.Context(), user))
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM audit WHERE subject_id = $1`, user), 0)
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM audit WHERE subject_id = $1`, other), 1)
		dbtest.Want(t, h.Count(t, `SELECT count(*) FROM forgotten`), 0)
	})
}

// busyWriter keeps the writer busy until the test ends.
func busyWriter(t *testing.T, h *signintest.House) {
	t.Helper()
	busy, done, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		_ = h.DB.Update(context.Background(), func(*db.Tx) error {
			once.Do(func() { close(busy) })
			<-done
			return nil
		})
	}()
	<-busy
	t.Cleanup(func() { close(done); <-ended })
}

func TestWhatIsOnlyLookedAtWaitsForNoWriter(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		first := h.MakesFirst(t)
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		user, wants := h.User(t, b), multifactor.Thing{Kind: multifactor.Action, Name: multifactor.DeleteAccount}
		waits := h.Browser("192.0.2.2")
		m := waits.Gets(t, signintest.Addr(t, "ben@example.org"))
		h.Clock.Advance(time.Hour / 2) // that the session was seen is due to be written
		busyWriter(t, h)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for name, look := range map[string]func() error{
			"a session":        func() error { _, err := h.Signin.Sessions.Check(ctx, b.By.Session); return err },
			"a proof":          func() error { _, err := h.Access.Access(ctx, b.By.Session, wants); return err },
			"a profile":        func() error { _, err := h.Directory.Profile(ctx, user); return err },
			"a history":        func() error { _, _, err := h.Directory.History(ctx, user, 0, 10); return err },
			"what is exported": func() error { _, err := h.Exports(ctx, user); return err },
			"an attempt":       func() error { _, err := h.Signin.Wait(ctx, waits.By); return err },
			"a link":           func() error { _, err := h.Signin.Link(ctx, m.Link, b.By); return err },
			"it was not me":    func() error { _, err := h.Signin.NotMe(ctx, m.NotMe, false, b.By); return err },
			"the first token":  func() error { _, err := h.Signin.IsAdminToken(ctx, first); return err },
		} {
			if err := look(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAProfileListsFiveHundredSessions(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		h.Update(t, func(tx *db.Tx) error {
			var err error
			for range 600 {
				_, one := tx.Exec(`INSERT INTO sessions (id, secret_hash, user_id, account_id, last_seen_at, expires_at, prefix, agent)
					SELECT $1, secret_hash, user_id, account_id, last_seen_at, expires_at, prefix, agent FROM sessions WHERE id = $2`, tx.NewID(), b.By.Session.ID)
				err = errors.Join(err, one)
			}
			return err
		})
		p, err := h.Directory.Profile(t.Context(), h.User(t, b))
		dbtest.Check(t, err)
		dbtest.Want(t, len(p.Sessions), 500)
	})
}

func TestWhatAPersonDoesIsInTheirHistory(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		b := h.Browser("192.0.2.1")
		b.SignsIn(t, signintest.Addr(t, "ann@example.org"))
		user := h.User(t, b)
		dbtest.Check(t, h.Directory.SaveSettings(t.Context(), b.Owner(), "A", "B", "en"))
		dbtest.Check(t, h.Directory.EndSession(t.Context(), b.Owner(), 1))
		dbtest.Check(t, h.Directory.EndOthers(t.Context(), b.Owner()))
		_, err := h.Directory.ExportOwn(t.Context(), b.Owner())
		dbtest.Check(t, err)
		dbtest.Check(t, h.SignsOut(t.Context(), b.By))
		all := h.Events(t, user)
		wanted := []audit.Event{audit.SignedIn, audit.SettingsChange, audit.SessionEnded, audit.SessionsEnded, audit.Exported, audit.SignedOut}
		if !slices.Equal(all[len(all)-len(wanted):], wanted) {
			t.Errorf("history is %v", all)
		}
	})
}

func TestAProfileShowsOwnAccountsAndLiveSessions(t *testing.T) {
	signintest.Run(t, func(t *testing.T, h *signintest.House) {
		ann := signintest.Addr(t, "ann@example.org")
		b, other := h.Browser("192.0.2.1"), h.Browser("198.51.100.7")
		b.SignsIn(t, ann)
		h.Clock.Advance(12 * time.Hour)
		other.SignsIn(t, ann)
		h.Browser("203.0.113.9").SignsIn(t, signintest.Addr(t, "bob@example.org"))
		p, err := h.Directory.Profile(t.Context(), h.User(t, other))
		dbtest.Check(t, err)
		dbtest.Want(t, len(p.Accounts), 1)
		dbtest.Want(t, p.Accounts[0].Addr, ann)
		dbtest.Want(t, len(p.Sessions), 1)
		dbtest.Want(t, p.Sessions[0].ID, db.ID(other.By.Session.ID))
		dbtest.Want(t, p.Sessions[0].Created(), h.Clock.Now())
		_, err = h.Directory.Profile(t.Context(), accounts.UserID(1))
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("a profile of nobody: %v", err)
		}
	})
}
