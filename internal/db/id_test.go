package db_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// newID takes one ID in a transaction of its own.
func newID(t *testing.T, d *db.DB) (id db.ID) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) error { id = tx.NewID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestIDsRiseEvenWhenTheClockFalls(t *testing.T) {
	d, _ := sqlite(t)
	c := &dbtest.Clock{}
	c.Advance(dbtest.Start.Sub(c.Now()))
	d.Now = c.Now
	last := newID(t, d)
	for _, step := range []time.Duration{0, time.Millisecond, -time.Hour, 0, -time.Millisecond, 24 * time.Hour, -48 * time.Hour, time.Second} {
		c.Advance(step)
		for range 1000 {
			id := newID(t, d)
			if id <= last {
				t.Fatalf("after a step of %v: %d came after %d", step, id, last)
			}
			last = id
		}
	}
}

func TestIDsAreUniqueAmongGoroutines(t *testing.T) {
	d, _ := sqlite(t)
	var mu sync.Mutex
	var all []db.ID
	together(8, func(int) {
		for range 500 {
			id := newID(t, d)
			mu.Lock()
			all = append(all, id)
			mu.Unlock()
		}
	})
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 8*500 {
		t.Errorf("%d different IDs of %d", n, 8*500)
	}
}

func TestAnIDTellsItsTimeToTheMillisecond(t *testing.T) {
	d, _ := sqlite(t)
	for _, at := range []time.Time{
		time.UnixMilli(0), time.UnixMilli(1), dbtest.Start, dbtest.Start.Add(999 * time.Microsecond), time.Date(2100, 12, 31, 23, 59, 59, 999e6, time.UTC),
		time.Date(2109, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)),
	} {
		want := at.UTC().Truncate(time.Millisecond)
		first := db.FirstID(at)
		if first < 0 || !first.Time().Equal(want) || first.Time().Location() != time.UTC {
			t.Errorf("FirstID(%v) = %d tells %v", at, first, first.Time())
		}
		if before := first - 1; at.UnixMilli() > 0 && !before.Time().Before(want) {
			t.Errorf("an ID below FirstID(%v) tells %v", at, before.Time())
		}
		db.SetID(d, 0)
		d.Now = func() time.Time { return at }
		if id := newID(t, d); id < first || !id.Time().Equal(want) {
			t.Errorf("an ID made at %v is %d, below %d or tells %v", at, id, first, id.Time())
		}
	}
}

func TestBytesOfIDsAreEightAndInTheirOrder(t *testing.T) {
	a, b := db.Bytes(1), db.Bytes(db.FirstID(dbtest.Start))
	if len(a) != 8 || len(b) != 8 || slices.Compare(a, b) >= 0 || slices.Equal(a, db.Bytes(2)) {
		t.Errorf("%x, %x", a, b)
	}
}
