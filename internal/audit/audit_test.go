package audit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

const (
	ann = db.ID(1)
	ben = db.ID(2)
)

// write adds n lines for a user, a second apart; their prefixes count from 0.
func write(t testing.TB, d *db.DB, c *dbtest.Clock, user db.ID, n int) {
	t.Helper()
	for i := range n {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			return audit.Write(tx, user, audit.Person(user), audit.SignedIn, audit.Client{Prefix: fmt.Sprint(i), Agent: "Firefox/Linux"})
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Advance(time.Second)
	}
}

// pages reads a user's whole history and returns the prefixes of each page.
func pages(t testing.TB, d *db.DB, user db.ID, limit int) (all [][]string) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error {
		for before := db.ID(0); ; {
			lines, next, err := audit.Of(tx, user, before, limit)
			if err != nil {
				return err
			}
			var page []string
			for _, l := range lines {
				page = append(page, l.Client.Prefix)
			}
			all = append(all, page)
			if next == 0 {
				return nil
			}
			if before != 0 && next >= before {
				return fmt.Errorf("the pages go from %d to %d", before, next)
			}
			before = next
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestALineTellsWhatWasWritten(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		at := c.Now()
		write(t, d, c, ann, 1)
		var lines []audit.Line
		err := d.View(t.Context(), func(tx *db.Tx) (err error) { lines, _, err = audit.Of(tx, ann, 0, 10); return err })
		want := audit.Line{At: at, Event: audit.SignedIn, Client: audit.Client{Prefix: "0", Agent: "Firefox/Linux"}}
		if err != nil || len(lines) != 1 || lines[0] != want {
			t.Errorf("%+v, %v", lines, err)
		}
	})
}

func TestPagesGoFromTheNewestToTheEndWithoutGaps(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		write(t, d, c, ben, 3)
		write(t, d, c, ann, 6)
		for limit, want := range map[int]string{
			1: "[[5] [4] [3] [2] [1] [0] []]", 4: "[[5 4 3 2] [1 0]]", 6: "[[5 4 3 2 1 0] []]", 7: "[[5 4 3 2 1 0]]",
		} {
			if got := fmt.Sprint(pages(t, d, ann, limit)); got != want {
				t.Errorf("%d a page: %s, want %s", limit, got, want)
			}
		}
		if got := pages(t, d, 3, 10); len(got) != 1 || len(got[0]) != 0 {
			t.Errorf("who has no history has %v", got)
		}
	})
}

func TestLinesOfOneMomentKeepTheirOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			for i := range 50 {
				if err := audit.Write(tx, ann, audit.Visitor, audit.CodeWrong, audit.Client{Prefix: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Concat(pages(t, d, ann, 7)...)
		for i, prefix := range got {
			if prefix != fmt.Sprint(49-i) {
				t.Fatalf("the order is %v", got)
			}
		}
	})
}

func TestForgetRemovesOneHistoryWhole(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		write(t, d, c, ann, 3)
		write(t, d, c, ben, 2)
		if err := d.Update(t.Context(), func(tx *db.Tx) error { return audit.Forget(tx, ann) }); err != nil {
			t.Fatal(err)
		}
		if a, b := pages(t, d, ann, 10), pages(t, d, ben, 10); len(a[0]) != 0 || len(b[0]) != 2 {
			t.Errorf("left are %v and %v", a, b)
		}
	})
}

func TestSweepRemovesOldLinesInSteps(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		write(t, d, c, ann, 7)
		cut := c.Now()
		write(t, d, c, ben, 2)
		var steps []int64
		for n := int64(-1); n != 0; steps = append(steps, n) {
			err := d.Update(t.Context(), func(tx *db.Tx) (err error) { n, err = audit.Sweep(tx, cut, 5); return err })
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(steps, []int64{5, 2, 0}) || len(pages(t, d, ann, 10)[0]) != 0 || len(pages(t, d, ben, 10)[0]) != 2 {
			t.Errorf("steps %v, left %v and %v", steps, pages(t, d, ann, 10), pages(t, d, ben, 10))
		}
	})
}

func TestASignInIsOneRowAndTwoLines(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		asked, answered := audit.Client{Prefix: "asked", Agent: "Firefox/Linux"}, audit.Client{Prefix: "answered", Agent: "Safari/iOS"}
		var id db.ID
		do := func(fn func(tx *db.Tx) error) {
			t.Helper()
			if err := d.Update(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
			c.Advance(time.Second)
		}
		at := c.Now()
		do(func(tx *db.Tx) error {
			id = tx.NewID()
			return audit.Begin(tx, id, ann, audit.Visitor, audit.CodeSent, asked)
		})
		do(func(tx *db.Tx) error { return audit.Write(tx, ann, audit.Visitor, audit.CodeWrong, asked) })
		do(func(tx *db.Tx) error { return audit.Finish(tx, id, ann, audit.SignedIn, answered) })
		do(func(tx *db.Tx) error { return audit.Finish(tx, id, ann, audit.SignedIn, answered) })   // there is one: a line of its own
		do(func(tx *db.Tx) error { return audit.Finish(tx, id, ben, audit.SignedIn, answered) })   // somebody else's row
		do(func(tx *db.Tx) error { return audit.Finish(tx, id+1, ann, audit.SignedIn, answered) }) // no such row
		want := []audit.Line{
			{At: at.Add(5 * time.Second), Event: audit.SignedIn, Client: answered},
			{At: at.Add(3 * time.Second), Event: audit.SignedIn, Client: answered},
			{At: at.Add(2 * time.Second), Event: audit.SignedIn, Client: answered},
			{At: at.Add(time.Second), Event: audit.CodeWrong, Client: asked},
			{At: at, Event: audit.CodeSent, Client: asked},
		}
		for limit := 1; limit < 7; limit++ {
			var all []audit.Line
			for before, more := db.ID(0), true; more; more = before != 0 {
				var page []audit.Line
				from := before
				do(func(tx *db.Tx) (err error) { page, before, err = audit.Of(tx, ann, from, limit); return err })
				if len(page) > limit {
					t.Errorf("a page of %d has %d lines", limit, len(page))
				}
				all = append(all, page...)
			}
			if !slices.Equal(all, want) {
				t.Errorf("%d a page: %+v", limit, all)
			}
		}
		if n := len(pages(t, d, ben, 10)[0]); n != 1 {
			t.Errorf("ben has %d lines", n)
		}
	})
}

// Lines of one place stay on one page, or the next would leave some out.
func TestLinesThatShareTheirPlaceShareTheirPage(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		ids := make([]db.ID, 4)
		update := func(fn func(tx *db.Tx, i int) error) {
			t.Helper()
			for i := range ids {
				if err := d.Update(t.Context(), func(tx *db.Tx) error { return fn(tx, i) }); err != nil {
					t.Fatal(err)
				}
			}
			c.Advance(time.Second)
		}
		update(func(tx *db.Tx, i int) error {
			ids[i] = tx.NewID()
			return audit.Begin(tx, ids[i], ann, audit.Visitor, audit.CodeSent, audit.Client{Prefix: "sent"})
		})
		update(func(tx *db.Tx, i int) error {
			return audit.Finish(tx, ids[i], ann, audit.SignedIn, audit.Client{Prefix: "in"})
		})
		all := pages(t, d, ann, 2)
		if got := fmt.Sprint(all[0], slices.Concat(all...)); got != "[in in in in] [in in in in sent sent sent sent]" {
			t.Errorf("%s", got)
		}
	})
}

// Whoever holds a session could else write a page of lines between the code and the sign-in
// of another browser, and hide that on a later page.
func TestASignInStandsWhereItHappenedHoweverMuchLiesBetween(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB, c *dbtest.Clock) {
		var id db.ID
		update := func(fn func(tx *db.Tx) error) {
			t.Helper()
			if err := d.Update(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
		}
		write(t, d, c, ann, 3)
		update(func(tx *db.Tx) error {
			id = tx.NewID()
			return audit.Begin(tx, id, ann, audit.Visitor, audit.CodeSent, audit.Client{Prefix: "sent"})
		})
		c.Advance(time.Second)
		write(t, d, c, ann, 20)
		update(func(tx *db.Tx) error { return audit.Finish(tx, id, ann, audit.SignedIn, audit.Client{Prefix: "in"}) })
		c.Advance(time.Second)
		write(t, d, c, ann, 2)
		want := "[1 0 in 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0 sent 2 1 0]"
		for _, limit := range []int{1, 2, 3, 5, 26, 27, 28, 50} {
			all := pages(t, d, ann, limit)
			if got := fmt.Sprint(slices.Concat(all...)); got != want {
				t.Errorf("%d a page: %s, want %s", limit, got, want)
			}
			for _, page := range all {
				if len(page) > limit {
					t.Errorf("a page of %d has %d lines", limit, len(page))
				}
			}
		}
		// By a clock that was set back it does not come before its code.
		c.Advance(-time.Hour)
		update(func(tx *db.Tx) error {
			id = tx.NewID()
			return audit.Begin(tx, id, ben, audit.Visitor, audit.CodeSent, audit.Client{Prefix: "sent"})
		})
		c.Advance(-time.Hour)
		update(func(tx *db.Tx) error { return audit.Finish(tx, id, ben, audit.SignedIn, audit.Client{Prefix: "in"}) })
		if got := fmt.Sprint(slices.Concat(pages(t, d, ben, 1)...)); got != "[in sent]" && got != "[sent in]" {
			t.Errorf("by a clock that was set back: %s", got)
		}
	})
}
