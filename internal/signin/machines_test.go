package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin"
)

// machines are two houses, as two processes have them, on one database.
func machines(t *testing.T) (a, b *house) {
	t.Helper()
	url, clock := dbtest.URL(t, "postgres"), started()
	return machine(t, url, clock), machine(t, url, clock)
}

// started is a clock as dbtest.Run has it.
func started() *dbtest.Clock {
	clock := &dbtest.Clock{}
	for clock.Now().Before(dbtest.Start) {
		clock.Advance(dbtest.Start.Sub(clock.Now())) // at most 292 years a time
	}
	return clock
}

func machine(t *testing.T, url string, clock *dbtest.Clock) *house {
	t.Helper()
	d := dbtest.Open(t, url)
	d.Now, d.Rehearse = clock.Now, true
	h := furnish(t, d, clock)
	h.deliver(t)
	return h
}

func TestTwoMachinesShareEveryBudget(t *testing.T) {
	a, b := machines(t)
	a.nothingKept()
	b.nothingKept()
	ann := addr(t, "ann@example.org")
	either := func(i int) *house { return []*house{a, b}[i%2] }
	for i := range 4 { // one prefix, three messages
		want(t, either(i).refused(t, "192.0.2.1", ann), i == 3)
	}
	for i := range 3 { // one id, five messages
		want(t, either(i).refused(t, "198.51.100."+string(rune('1'+i)), ann), i == 2)
	}
	for i := range 28 { // one address, thirty messages: three are taken
		id := addr(t, string(rune('a'+i%26))+string(rune('a'+i/26))+"@example.net")
		want(t, either(i).refused(t, "192.0.2.1", id), i == 27)
	}
}

func TestTwoMachinesShareTriesAttemptsAndSessions(t *testing.T) {
	a, b := machines(t)
	a.freely()
	b.freely()
	ann := addr(t, "ann@example.org")
	br := a.browser("192.0.2.1")
	m := br.gets(t, ann)
	for i := range 4 {
		want(t, br.at([]*house{a, b}[i%2]).types(t, wrong(m.code)).TriesLeft, 4-i)
	}
	there := br.at(b)
	want(t, there.types(t, m.code).Verdict, signin.Accepted)
	want(t, there.at(a).isIn(t), true)
	want(t, there.at(a).types(t, m.code).Verdict, signin.Again)
	a.clock.Advance(time.Second)
	a.burn(t, ann, 10)
	b.burn(t, ann, 10)
	want(t, len(a.browser("198.51.100.7").gets(t, ann).code), 10)
	want(t, len(there.at(a).gets(t, ann).code), 6) // its browser cookie is known to both
	check(t, b.s.SignOut(t.Context(), there.by))
	want(t, there.at(a).isIn(t), false)
}

func TestOneCodeOpensOneSessionAcrossMachines(t *testing.T) {
	a, b := machines(t)
	br := a.browser("192.0.2.1")
	m := br.gets(t, addr(t, "ann@example.org"))
	out, err := a.atOnce(40, func(i int) (signin.Entered, error) {
		return []*house{a, b}[i%2].s.SubmitCode(t.Context(), m.code, br.by)
	})
	check(t, err)
	a.onlyOne(t, out)
}

func TestTwoMachinesAtOnceGrantNoMoreThanABudgetHolds(t *testing.T) {
	a, b := machines(t)
	a.nothingKept()
	b.nothingKept()
	for _, h := range []*house{a, b} {
		h.s.Settings.SendPerIDPrefix = config.Rates{{N: 100, Per: time.Minute}}
	}
	ann := addr(t, "ann@example.org")
	granted := make(chan struct{}, 40)
	_, err := a.atOnce(40, func(i int) (signin.Entered, error) {
		h := []*house{a, b}[i%2]
		asked, err := h.s.Start(t.Context(), signin.Request{ID: ann}, h.browser("192.0.2.1").by)
		if asked.Wait == 0 {
			granted <- struct{}{}
		}
		return signin.Entered{}, err
	})
	check(t, err)
	// A refused take rolls back what it took, so that a rush may get fewer, never more.
	if n := len(granted); n < 1 || n > 5 {
		t.Errorf("%d messages were granted", n)
	}
	want(t, a.messages(t), len(granted))
}
