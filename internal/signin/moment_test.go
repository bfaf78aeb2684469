package signin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin"
)

// What two do at the same moment, on PostgreSQL: one transaction holds a row, the
// others come to it and wait, and then it goes on.

// holding runs hold in a transaction, then begin, and commits when n sessions wait for a
// lock in a statement that begins so.
func holding(t *testing.T, h *house, statement string, n int, hold func(tx *db.Tx) error, begin func()) {
	t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- h.DB.Sequence(t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
			if err := hold(tx); err != nil {
				return err
			}
			close(held)
			<-free
			return nil
		}))
	}()
	<-held
	begin()
	for deadline := time.Now().Add(20 * time.Second); ; {
		waiting := h.Count(t, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`, statement+"%")
		if waiting >= n {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d wait", waiting, n)
		}
		time.Sleep(time.Millisecond)
	}
	close(free)
	check(t, <-done)
}

func momentHouse(t *testing.T) *house {
	h := machine(t, dbtest.URL(t, "postgres"), started())
	h.DB.Rehearse = false
	return h
}

func TestTheTokenOfBeforeARestartDoesNotUseUpTheNewOne(t *testing.T) {
	h := momentHouse(t)
	old := h.MakesFirst(t)
	b := h.Browser("192.0.2.1")
	m := asksFirst(t, b, addr(t, "ann@example.org"), old)
	entered := make(chan signin.Entered, 1)
	holding(t, h, "DELETE FROM meta", 1, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE meta SET value = $2 WHERE key = $1`, "first_admin", strings.Repeat("0", 64)+" 99999999999999")
		return err
	}, func() {
		go func() { e, _ := h.Signin.SubmitCode(t.Context(), m.Code, b.By); entered <- e }()
	})
	want(t, (<-entered).Verdict, signin.Accepted)
	want(t, superusers(t, h), 0)
	want(t, h.Count(t, `SELECT count(*) FROM meta WHERE key = 'first_admin'`), 1)
}

func TestOfTwoWhoComeToTheTokensRowAtOnceOneIsPromoted(t *testing.T) {
	h := momentHouse(t)
	token := h.MakesFirst(t)
	entered := make(chan signin.Entered, 2)
	var all []*browser
	var codes []string
	for i, id := range []string{"ann@example.org", "ben@example.org"} {
		all = append(all, h.Browser([]string{"192.0.2.1", "192.0.2.2"}[i]))
		codes = append(codes, asksFirst(t, all[i], addr(t, id), token).Code)
	}
	holding(t, h, "DELETE FROM meta", 2, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE meta SET value = value WHERE key = $1`, "first_admin")
		return err
	}, func() {
		for i, b := range all {
			go func() { e, _ := h.Signin.SubmitCode(t.Context(), codes[i], b.By); entered <- e }()
		}
	})
	for range all {
		want(t, (<-entered).Verdict, signin.Accepted)
	}
	want(t, superusers(t, h), 1)
}

// Of two concurrent requests one finds the id's tries spent and makes the attempt long;
// the other, which did not, locks its row later.
func TestAnAttemptThatBecameLongMeanwhileStaysLong(t *testing.T) {
	h := momentHouse(t)
	h.Freely()
	b := h.Browser("192.0.2.1")
	short := b.Gets(t, addr(t, "ann@example.org"))
	asked := make(chan error, 1)
	holding(t, h, "SELECT id, secret_hash", 1, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE attempts SET has_short = 0`)
		return err
	}, func() {
		go func() { _, err := h.Signin.Resend(t.Context(), b.By); asked <- err }()
	})
	check(t, <-asked)
	long := h.Mail(t)
	want(t, len(long.Code), 10)
	want(t, h.Count(t, `SELECT count(*) FROM attempts WHERE has_short = 1`), 0)
	want(t, b.Types(t, short.Code).Verdict, signin.Misshapen) // no try, and nothing compared
	want(t, b.Types(t, long.Code).Verdict, signin.Accepted)
}

func TestTheRightCodeOnceMoreIsADoubleClickInItsOwnSessionAlone(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ann, ben := addr(t, "ann@example.org"), addr(t, "ben@example.org")
		b, other := h.Browser("192.0.2.1"), h.Browser("192.0.2.2")
		m := b.Gets(t, ann)
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		other.SignsIn(t, ben)
		want(t, b.Types(t, m.Code).Verdict, signin.Again)
		for name, session := range map[string]*browser{"another session": other, "no session": h.Browser("192.0.2.3")} {
			twice := b.At(h)
			twice.By.Session = session.By.Session
			if v := twice.Types(t, m.Code).Verdict; v != signin.Used {
				t.Errorf("%s is answered with %v", name, v)
			}
		}
		forged := b.At(h)
		forged.By.Session.Secret[0] ^= 1
		want(t, forged.Types(t, m.Code).Verdict, signin.Used)
		want(t, b.Types(t, wrong(m.Code)).Verdict, signin.Used)
		check(t, h.SignsOut(t.Context(), b.By))
		want(t, b.Types(t, m.Code).Verdict, signin.Used)
	})
}
