package signin_test

import (
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/signin"
)

func TestASignInWhoseBudgetsCannotBeGivenBackIsASignIn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		var dropped error
		h.DB.Dropped = func(err error) { dropped = err }
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, "ann@example.org"))
		h.Exec(t, `ALTER TABLE budgets RENAME TO budgets_away`)
		h.Exec(t, `CREATE TABLE budgets AS SELECT * FROM budgets_away WHERE 1 = 0`) // without a key
		link := b.Clicks(t, m.Link)                                                 // takes no budget, gives some back
		want(t, link.Verdict, signin.Accepted)
		want(t, b.IsIn(t), true)
		if dropped == nil {
			t.Error("giving back went well, so this proves nothing")
		}
	})
}

// The server commits, and the answer is lost on the way.
func TestACommitThatIsNotHeardOfLosesNoSignIn(t *testing.T) {
	way := dbtest.NewLossy(t, dbtest.URL(t, "postgres"))
	h := machine(t, way.URL, started())
	h.DB.Rehearse = false
	for part, name := range []string{"the session", "giving back"} {
		b := h.Browser("192.0.2.1")
		m := b.Gets(t, addr(t, []string{"ann@example.org", "ben@example.org"}[part]))
		way.LoseAnswer(2 + part) // the first counts the try
		want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
		if !b.IsIn(t) {
			t.Errorf("the commit of %s is lost, and the session with it", name)
		}
	}
}

func TestACommitThatIsNotHeardOfAddsTheAddress(t *testing.T) {
	way := dbtest.NewLossy(t, dbtest.URL(t, "postgres"))
	h := machine(t, way.URL, started())
	h.DB.Rehearse = false
	b := h.Browser("192.0.2.1")
	want(t, b.Types(t, b.Gets(t, addr(t, "ann@example.org")).Code).Verdict, signin.Accepted)
	m := adds(t, h, b, addr(t, "ann@work.example"))
	way.LoseAnswer(2) // the first counts the try
	e, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By)
	check(t, err)
	want(t, e.Verdict, signin.Added)
	_, user := h.Account(t, addr(t, "ann@work.example"))
	want(t, h.User(t, b), user.ID)
}

func TestNobodyIsToldOfAChangeThatNeverCame(t *testing.T) {
	way := dbtest.NewLossy(t, dbtest.URL(t, "postgres"))
	h := machine(t, way.URL, started())
	h.DB.Rehearse = false
	b := h.Browser("192.0.2.1")
	want(t, b.Types(t, b.Gets(t, addr(t, "ann@example.org")).Code).Verdict, signin.Accepted)
	gains(t, h, b, addr(t, "ann@work.example"))
	told(t, h, "ann@example.org")
	a, _ := h.Account(t, addr(t, "ann@work.example"))
	way.LoseCommit(1)
	if _, err := h.Signin.RemoveAddress(t.Context(), a.ID, b.By); !db.Unavailable(err) {
		t.Fatal(err)
	}
	removes(t, h, b, addr(t, "ann@work.example"))
	heard := toldAll(t, h, "ann@example.org", "ann@work.example")
	if u := undoes(t, h, heard["ann@example.org"], false); !u.Found { // who is there longest may undo
		t.Error("the first message tells of a change that never came")
	}
}

// A sign-in whose commit never reached the database is reported as failed, and the code
// still works.
func TestACommitThatNeverCameIsNoSignIn(t *testing.T) {
	way := dbtest.NewLossy(t, dbtest.URL(t, "postgres"))
	h := machine(t, way.URL, started())
	h.DB.Rehearse = false
	b := h.Browser("192.0.2.1")
	m := b.Gets(t, addr(t, "ann@example.org"))
	way.LoseCommit(2) // the first counts the try
	if e, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By); !db.Unavailable(err) || e.Verdict == signin.Accepted {
		t.Errorf("%v, %v", e.Verdict, err)
	}
	want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
	want(t, b.IsIn(t), true)
}

// Counting the try decides nothing: the failure is reported, and the code still works.
func TestALostCountLeavesTheCodeGood(t *testing.T) {
	way := dbtest.NewLossy(t, dbtest.URL(t, "postgres"))
	h := machine(t, way.URL, started())
	h.DB.Rehearse = false
	b := h.Browser("192.0.2.1")
	m := b.Gets(t, addr(t, "ann@example.org"))
	way.LoseAnswer(1)
	if _, err := h.Signin.SubmitCode(t.Context(), m.Code, b.By); !db.Unavailable(err) {
		t.Errorf("got %v", err)
	}
	want(t, b.Types(t, m.Code).Verdict, signin.Accepted)
}
