package db_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
)

// commits counts the commits in a database's write-ahead log. A frame has a
// header of 24 bytes; the one that ends a transaction has the size of the
// database in it, all others 0 (sqlite.org/fileformat2.html, 4.1).
func commits(t *testing.T, path string) (n int) {
	t.Helper()
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	page := int(binary.BigEndian.Uint32(wal[8:]))
	salt := wal[16:24]
	for at := 32; at+24+page <= len(wal) && string(wal[at+8:at+16]) == string(salt); at += 24 + page {
		if binary.BigEndian.Uint32(wal[at+4:]) != 0 {
			n++
		}
	}
	return n
}

func TestUpdatesThatWaitShareOneCommit(t *testing.T) {
	d, path := sqlite(t)
	before := commits(t, path)
	updates := make([]func() error, db.GroupSize)
	for i := range updates {
		updates[i] = func() error { return d.Update(t.Context(), put(fmt.Sprintf("%03d", i), "1")) }
	}
	for i, err := range group(t, d, updates...) {
		if err != nil {
			t.Errorf("update %d: %v", i, err)
		}
	}
	// One is the Update that kept them waiting.
	if n := commits(t, path) - before; n > 2 {
		t.Errorf("%d updates took %d commits, want 2", len(updates), n)
	}
	if n := len(keys(t, d)); n != len(updates) {
		t.Errorf("%d of %d updates are there", n, len(updates))
	}
}

func TestAnAnsweredUpdateIsOnDiskForOthers(t *testing.T) {
	d, path := sqlite(t)
	const callers, each = 16, 20
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				key := fmt.Sprintf("%02d.%02d", i, j)
				if err := d.Update(t.Context(), put(key, "1")); err != nil {
					t.Error(err)
					return
				}
				var value string
				err := d.View(t.Context(), func(tx *db.Tx) error { return tx.Get(`SELECT value FROM meta WHERE key = $1`, key).Scan(&value) })
				if err != nil {
					t.Errorf("%s was acknowledged but is not there: %v", key, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(keys(t, d)); n != callers*each {
		t.Errorf("%d of %d updates are there", n, callers*each)
	}
	// A copy of the files as they lie on disk, as after a crash, has all of it.
	copied := t.TempDir() + "/d.db"
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	crashed, err := db.Open(t.Context(), "sqlite:"+copied)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(keys(t, crashed)); n != callers*each {
		t.Errorf("%d of %d updates are in a copy of the files", n, callers*each)
	}
	if err := crashed.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAContextThatEndsBeforeItsTurnTakesOnlyItsOwnUpdateBack(t *testing.T) {
	d, _ := sqlite(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := false
	errs := group(t, d,
		func() error {
			return d.Update(t.Context(), func(tx *db.Tx) error { cancel(); return put("before", "1")(tx) })
		},
		func() error { return d.Update(ctx, func(tx *db.Tx) error { ran = true; return put("gone", "1")(tx) }) },
		func() error { return d.Update(t.Context(), put("after", "1")) },
	)
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("others failed: %v", errs)
	}
	if !errors.Is(errs[1], context.Canceled) || ran {
		t.Errorf("the cancelled update ran: %v, error %v", ran, errs[1])
	}
	wantKeys(t, d, "after", "before")
}

func TestAContextThatEndsInTheMiddleHarmsNobody(t *testing.T) {
	d, _ := sqlite(t)
	ctx, cancel := context.WithCancel(t.Context())
	errs := group(t, d,
		func() error { return d.Update(t.Context(), put("before", "1")) },
		func() error {
			return d.Update(ctx, func(tx *db.Tx) error {
				cancel()
				// Long enough for an interrupt to reach the statement.
				_, err := tx.Exec(`INSERT INTO meta (key, value) SELECT 'm' || value, '1' FROM (
					WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 20000) SELECT value FROM n)`)
				return err
			})
		},
		func() error { return d.Update(t.Context(), put("after", "1")) },
	)
	if err := errors.Join(errs...); err != nil {
		t.Errorf("a cancelled context in the middle of a group: %v", err)
	}
	if n := len(keys(t, d)); n != 20002 {
		t.Errorf("%d rows, want 20002: each member whole", n)
	}
}

func TestAPanicInAGroupLeavesTheOthersWhole(t *testing.T) {
	d, _ := sqlite(t)
	errs := group(t, d,
		func() error { return d.Update(t.Context(), put("a", "1")) },
		func() error {
			return d.Update(t.Context(), func(tx *db.Tx) error {
				if err := put("b", "1")(tx); err != nil {
					return err
				}
				panic("boom")
			})
		},
		func() error {
			return d.Update(t.Context(), func(tx *db.Tx) error { return errors.Join(put("c", "1")(tx), errOops) })
		},
		func() error { return d.Update(t.Context(), put("d", "1")) },
	)
	if errs[0] != nil || errs[3] != nil {
		t.Errorf("innocent members failed: %v", errs)
	}
	if errs[1] == nil || !strings.Contains(errs[1].Error(), "boom") || !errors.Is(errs[2], errOops) {
		t.Errorf("members at fault: %v, %v", errs[1], errs[2])
	}
	wantKeys(t, d, "a", "d")
}

func TestCloseWaitsForQueuedUpdates(t *testing.T) {
	path := t.TempDir() + "/d.db"
	d, err := db.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Update(t.Context(), func(tx *db.Tx) error { close(held); <-release; return put("held", "1")(tx) }); err != nil {
			t.Error(err)
		}
	})
	<-held
	for i := range 5 {
		wg.Go(func() {
			if err := d.Update(t.Context(), put(fmt.Sprint(i), "1")); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, "updates to queue", func() bool { return db.Queued(d) == 5 })
	closed := make(chan error)
	go func() { closed <- d.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed under an update: %v", err)
	default:
	}
	close(release)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	again, err := db.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	wantKeys(t, again, "0", "1", "2", "3", "4", "held")
}
