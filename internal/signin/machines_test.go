package signin_test

import (
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin"
	"github.com/djauthy/djauthy/internal/signin/signintest"
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
	h := signintest.Furnish(t, d, clock)
	h.Deliver(t)
	return h
}

func TestTwoMachinesShareEveryBudget(t *testing.T) {
	a, b := machines(t)
	a.NothingKept()
	b.NothingKept()
	ann := addr(t, "ann@example.org")
	either := func(i int) *house { return []*house{a, b}[i%2] }
	for i := range 4 { // one prefix, three messages
		want(t, refused(t, either(i), "192.0.2.1", ann), i == 3)
	}
	for i := range 3 { // one id, five messages
		want(t, refused(t, either(i), "198.51.100."+string(rune('1'+i)), ann), i == 2)
	}
	for i := range 28 { // one address, thirty messages: three are taken
		id := addr(t, string(rune('a'+i%26))+string(rune('a'+i/26))+"@example.net")
		want(t, refused(t, either(i), "192.0.2.1", id), i == 27)
	}
}

func TestTwoMachinesShareTriesAttemptsAndSessions(t *testing.T) {
	a, b := machines(t)
	a.Freely()
	b.Freely()
	ann := addr(t, "ann@example.org")
	br := a.Browser("192.0.2.1")
	m := br.Gets(t, ann)
	for i := range 4 {
		want(t, br.At([]*house{a, b}[i%2]).Types(t, wrong(m.Code)).TriesLeft, 4-i)
	}
	there := br.At(b)
	want(t, there.Types(t, m.Code).Verdict, signin.Accepted)
	want(t, there.At(a).IsIn(t), true)
	want(t, there.At(a).Types(t, m.Code).Verdict, signin.Again)
	a.Clock.Advance(time.Second)
	burn(t, a, ann, 10)
	burn(t, b, ann, 10)
	want(t, len(a.Browser("198.51.100.7").Gets(t, ann).Code), 10)
	want(t, len(there.At(a).Gets(t, ann).Code), 6) // its browser cookie is known to both
	check(t, b.SignsOut(t.Context(), there.By))
	want(t, there.At(a).IsIn(t), false)
}

func TestOneCodeOpensOneSessionAcrossMachines(t *testing.T) {
	a, b := machines(t)
	br := a.Browser("192.0.2.1")
	m := br.Gets(t, addr(t, "ann@example.org"))
	out, err := atOnce(a, 40, func(i int) (signin.Entered, error) {
		return []*house{a, b}[i%2].Signin.SubmitCode(t.Context(), m.Code, br.By)
	})
	check(t, err)
	onlyOne(t, a, out)
}

func TestTwoMachinesAtOnceGrantNoMoreThanABudgetHolds(t *testing.T) {
	a, b := machines(t)
	a.NothingKept()
	b.NothingKept()
	for _, h := range []*house{a, b} {
		h.Signin.Settings.SendPerIDPrefix = config.Rates{{N: 100, Per: time.Minute}}
	}
	ann := addr(t, "ann@example.org")
	granted := make(chan struct{}, 40)
	_, err := atOnce(a, 40, func(i int) (signin.Entered, error) {
		h := []*house{a, b}[i%2]
		asked, err := h.Signin.Start(t.Context(), signin.Request{ID: ann}, h.Browser("192.0.2.1").By)
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
	want(t, a.Messages(t), len(granted))
}
