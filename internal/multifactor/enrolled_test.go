package multifactor_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/multifactor"
	"github.com/djauthy/djauthy/internal/seal"
)

// site is the Relying Party of these tests.
var site = multifactor.Relying{Name: "Example", ID: "example.org", Origin: "https://login.example.org"}

// house has people with what they have enrolled.
type house struct {
	*multifactor.Enrolled
	t     testing.TB
	db    *db.DB
	clock *dbtest.Clock
}

// enrolled runs fn on both engines.
func enrolled(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) { fn(t, &house{enrolledAt(t, site), t, d, c}) })
}

func enrolledAt(t testing.TB, site multifactor.Relying) *multifactor.Enrolled {
	t.Helper()
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	dbtest.Check(t, err)
	e, err := multifactor.NewEnrolled(keys, site)
	dbtest.Check(t, err)
	return e
}

// do runs fn in a transaction.
func (h *house) do(fn func(tx *db.Tx) error) {
	h.t.Helper()
	dbtest.Check(h.t, h.db.Update(h.t.Context(), fn))
}

// user makes a user with an address that was proved.
func (h *house) user(name string) (u accounts.User) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		id := accounts.ID{Implementation: accounts.Email, Identifier: name + "@example.org"}
		if _, u, err = accounts.Add(tx, id); err != nil {
			return err
		}
		s, err := accounts.StatusOf(tx, id)
		if err != nil {
			return err
		}
		return accounts.RecordSuccess(tx, s, id, accounts.Address(id.Identifier))
	})
	return u
}

// all are the authenticators of a user that count.
func (h *house) all(u accounts.User) (all []multifactor.Authenticator) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		all, err = multifactor.Authenticators(tx, u.ID)
		return err
	})
	return all
}

// one is the only authenticator of a user that counts.
func (h *house) one(u accounts.User) multifactor.Authenticator {
	h.t.Helper()
	all := h.all(u)
	if len(all) != 1 {
		h.t.Fatalf("there are %d authenticators", len(all))
	}
	return all[0]
}

// rows is a hash of what is stored of authenticators, to see that nothing changed.
func (h *house) rows() string {
	h.t.Helper()
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(dbtest.Dump(h.t, h.db)["authenticators"], "\n"))))
}

func (h *house) remove(u accounts.User, id db.ID) {
	h.t.Helper()
	h.do(func(tx *db.Tx) error {
		_, err := multifactor.Remove(tx, u.ID, id)
		return err
	})
}

func (h *house) restore(u accounts.User, id db.ID) {
	h.t.Helper()
	h.do(func(tx *db.Tx) error { return multifactor.Restore(tx, u.ID, id) })
}

// checked is the verdict on a code of an app or a recovery code.
func (h *house) checked(u accounts.User, kind multifactor.Factor, typed string) (a multifactor.Authenticator, v multifactor.Verdict) {
	h.t.Helper()
	h.do(func(tx *db.Tx) (err error) {
		a, v, err = h.Check(tx, u.ID, kind, typed)
		return err
	})
	return a, v
}

// moveSeal puts what is sealed in one row into another, as somebody could who can write into
// the database.
func (h *house) moveSeal(from, to multifactor.Authenticator) {
	h.t.Helper()
	h.do(func(tx *db.Tx) error {
		n, err := tx.Exec(`UPDATE authenticators SET sealed = (SELECT sealed FROM authenticators WHERE id = $1) WHERE id = $2`, from.ID, to.ID)
		if err == nil && n != 1 {
			err = errors.New("there is no such row")
		}
		return err
	})
}

// connect opens the connections to PostgreSQL, or the first transactions would wait for them
// and never meet.
func (h *house) connect() {
	h.t.Helper()
	if h.db.Engine() != "postgres" {
		return
	}
	const connections = 16
	errs := make([]error, connections)
	var open, done sync.WaitGroup
	open.Add(connections)
	for i := range connections {
		done.Go(func() {
			arrive := sync.OnceFunc(open.Done)
			errs[i] = h.db.View(h.t.Context(), func(*db.Tx) error {
				arrive()
				open.Wait()
				return nil
			})
			arrive()
		})
	}
	done.Wait()
	dbtest.Check(h.t, errors.Join(errs...))
}

// overlap runs second in a transaction that begins before that of first is over, and on
// PostgreSQL is done before, unless it waits for it.
func (h *house) overlap(first, second func(tx *db.Tx) error) {
	h.t.Helper()
	h.db.Rehearse = false
	defer func() { h.db.Rehearse = true }()
	done := make(chan error, 1)
	begin := sync.OnceFunc(func() { go func() { done <- h.db.Sequence(h.t.Context(), db.ReadCommitted(second)) }() })
	err := h.db.Sequence(h.t.Context(), db.ReadCommitted(func(tx *db.Tx) error {
		if err := first(tx); err != nil {
			return err
		}
		for begin(); h.db.Engine() == "postgres" && len(done) == 0; {
			var waits int
			err := tx.Get(`SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))`).Scan(&waits)
			if err != nil || waits > 0 {
				return err
			}
		}
		return nil
	}))
	dbtest.Check(h.t, errors.Join(err, <-done))
}

// atOnce runs fn n times at once, each in transactions of both kinds in turn, and counts the
// verdicts.
func (h *house) atOnce(n int, fn func(tx *db.Tx, i int) (multifactor.Verdict, error)) (count map[multifactor.Verdict]int) {
	h.t.Helper()
	h.db.Rehearse = false // which is no race
	defer func() { h.db.Rehearse = true }()
	h.connect()
	kinds := []func(func(*db.Tx) error) db.Part{db.Serializable, db.ReadCommitted}
	out, errs := make([]multifactor.Verdict, n), make([]error, n)
	ready := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-ready
			errs[i] = h.db.Sequence(h.t.Context(), kinds[i%2](func(tx *db.Tx) (err error) {
				out[i], err = fn(tx, i)
				return err
			}))
		})
	}
	close(ready)
	wg.Wait()
	dbtest.Check(h.t, errors.Join(errs...))
	count = map[multifactor.Verdict]int{}
	for _, v := range out {
		count[v]++
	}
	return count
}
