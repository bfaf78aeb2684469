package services_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/seal"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// home is the network that services call from unless a test says otherwise.
const home = "192.0.2.1"

// house is a service on an empty database, with the settings' own defaults.
type house struct {
	d     *db.DB
	clock *dbtest.Clock
	s     *services.Service
}

// run runs fn on every engine.
func run(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) { fn(t, newHouse(t, d, c)) })
}

// newHouse is a service on a database; two of one database are two processes.
func newHouse(t testing.TB, d *db.DB, c *dbtest.Clock) *house {
	t.Helper()
	keys, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	check(t, err)
	return &house{d, c, services.New(d, keys, services.Settings{Window: 3}, slog.New(slog.DiscardHandler))}
}

func (h *house) update(t testing.TB, fn func(tx *db.Tx) error) {
	t.Helper()
	check(t, h.d.Update(t.Context(), fn))
}

func (h *house) view(t testing.TB, fn func(tx *db.Tx) error) {
	t.Helper()
	check(t, h.d.View(t.Context(), fn))
}

func (h *house) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	h.view(t, func(tx *db.Tx) error { return tx.Get(query, args...).Scan(&n) })
	return n
}

// budgets is how many rows of budgets there are.
func (h *house) budgets(t testing.TB) int {
	t.Helper()
	return h.count(t, `SELECT count(*) FROM budgets`)
}

// refusals is how many wrong tokens an entry's history tells of.
func (h *house) refusals(t testing.TB, e services.Entry) int {
	t.Helper()
	return h.count(t, `SELECT count(*) FROM audit WHERE subject_kind = 'service' AND subject_id = $1 AND event = $2`, e.ID, audit.ServiceRefused)
}

func (h *house) tryAdd(t testing.TB, d services.Draft) (e services.Entry, err error) {
	t.Helper()
	err = h.d.Update(t.Context(), func(tx *db.Tx) (err error) {
		e, err = h.s.Add(tx, d, audit.By{Actor: audit.Command})
		return err
	})
	return e, err
}

func (h *house) add(t testing.TB, name, realm string) services.Entry {
	t.Helper()
	e, err := h.tryAdd(t, services.Draft{Name: name, Realm: realm})
	check(t, err)
	return e
}

// addPair adds a service that may verify, and one for it to verify.
func (h *house) addPair(t testing.TB) (shop, printer services.Entry) {
	t.Helper()
	return h.add(t, "shop", services.AuthRealm), h.add(t, "printer", "office")
}

func (h *house) get(t testing.TB, e services.Entry) (now services.Entry) {
	t.Helper()
	h.view(t, func(tx *db.Tx) (err error) { now, err = h.s.Any(tx, e.ID); return err })
	return now
}

// token is that of a seed at a moment so many steps from now.
func (h *house) token(t testing.TB, seed string, off int64) string {
	t.Helper()
	raw, err := totp.ParseSeed(seed)
	check(t, err)
	return totp.Code(raw, totp.Step(h.clock.Now())+off)
}

// wrong is a token that is none of the seed's for a long while.
func (h *house) wrong(t testing.TB, seed string) string {
	t.Helper()
	good := []string{}
	for off := int64(-10); off <= 10; off++ {
		good = append(good, h.token(t, seed, off))
	}
	for n := range 100 {
		if token := fmt.Sprintf("%06d", n); !slices.Contains(good, token) {
			return token
		}
	}
	panic("no wrong token left")
}

// triple is what an entry shows of itself now.
func (h *house) triple(t testing.TB, e services.Entry) services.Triple {
	t.Helper()
	return services.Triple{Name: e.Name, Realm: e.Realm, Token: h.token(t, e.Seed, 0)}
}

// guess is what somebody shows who knows no seed.
func (h *house) guess(t testing.TB, e services.Entry) services.Triple {
	t.Helper()
	return services.Triple{Name: e.Name, Realm: e.Realm, Token: h.wrong(t, e.Seed)}
}

func from(network string, show services.Triple) services.Caller {
	return services.Caller{Triple: show, Network: network, Client: func() audit.Client { return audit.Client{Prefix: network, Agent: "test"} }}
}

func (h *house) verify(t testing.TB, by services.Caller, claim *services.Triple) services.Verdict {
	t.Helper()
	v, err := h.s.Verify(t.Context(), by, claim)
	check(t, err)
	return v
}

// calls has an entry call from a network with its token of now.
func (h *house) calls(t testing.TB, e services.Entry, network string) services.Verdict {
	t.Helper()
	return h.verify(t, from(network, h.triple(t, e)), nil)
}

// guesses has somebody on a network try a wrong token.
func (h *house) guesses(t testing.TB, e services.Entry, network string) services.Verdict {
	t.Helper()
	return h.verify(t, from(network, h.guess(t, e)), nil)
}

// asks has one entry ask about a triple.
func (h *house) asks(t testing.TB, e services.Entry, about services.Triple) services.Verdict {
	t.Helper()
	return h.verify(t, from(home, h.triple(t, e)), &about)
}

// written writes down the uses that wait.
func (h *house) written(t testing.TB) {
	t.Helper()
	check(t, h.s.WriteUses(t.Context()))
}

// atOnce runs fn n times at the same moment and returns the verdicts by number.
func atOnce(t testing.TB, n int, fn func(i int) (services.Verdict, error)) map[services.Verdict]int {
	t.Helper()
	verdicts, begin := make([]services.Verdict, n), make(chan struct{})
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			verdicts[i], errs[i] = fn(i)
		})
	}
	close(begin)
	all.Wait()
	check(t, errors.Join(errs...))
	counts := map[services.Verdict]int{}
	for _, v := range verdicts {
		counts[v]++
	}
	return counts
}

// dump is every row of every table as text.
func (h *house) dump(t testing.TB) map[string][]string {
	t.Helper()
	return dbtest.Dump(t, h.d)
}

// writes is how many rows of each table fn adds or changes.
func (h *house) writes(t testing.TB, fn func()) map[string]int {
	t.Helper()
	before, wrote := h.dump(t), map[string]int{}
	fn()
	for table, rows := range h.dump(t) {
		for _, row := range rows {
			if !slices.Contains(before[table], row) {
				wrote[table]++
			}
		}
	}
	return wrote
}

// untouched fails the test if fn changes a row of any table.
func (h *house) untouched(t testing.TB, fn func()) {
	t.Helper()
	before := h.dump(t)
	if len(before["services"]) == 0 {
		t.Fatal("the dump shows no services")
	}
	fn()
	for table, rows := range h.dump(t) {
		if !slices.Equal(before[table], rows) {
			t.Errorf("%s was written:\n%s\nbefore:\n%s", table, rows, before[table])
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	dbtest.Check(t, err)
}

func want[T comparable](t testing.TB, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("got %v, want %v", got, wanted)
	}
}
