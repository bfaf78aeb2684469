package db_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
)

func TestAFullDiskInAGroupFailsOnlyWhoDoesNotFit(t *testing.T) {
	d, _ := sqlite(t)
	if err := d.Update(t.Context(), put("0 acknowledged", "1")); err != nil {
		t.Fatal(err)
	}
	limitTo(t, d, 20)
	errs := group(t, d,
		func() error { return d.Update(t.Context(), put("1 small", "1")) },
		func() error { return d.Update(t.Context(), fill("2 large", 4<<20)) },
		func() error {
			return d.Sequence(t.Context(), db.ReadCommitted(put("3 counted", "1")), db.Serializable(fill("4 large", 4<<20)))
		},
		func() error { return d.Update(t.Context(), put("5 small", "1")) },
	)
	if errs[0] != nil || errs[3] != nil {
		t.Errorf("innocent members failed: %v, %v", errs[0], errs[3])
	}
	if !db.Unavailable(errs[1]) || !db.Unavailable(errs[2]) {
		t.Errorf("who did not fit got %v and %v, want unavailable", errs[1], errs[2])
	}
	// Or this test would prove nothing: SQLite did end the transaction by itself.
	if errs[1] == nil || !strings.Contains(errs[1].Error(), "ended by the engine") || !strings.Contains(errs[1].Error(), "full") {
		t.Errorf("the error is %v", errs[1])
	}
	wantKeys(t, d, "0 acknowledged", "1 small", "5 small")
	limitTo(t, d, 10000)
	if err := d.Update(t.Context(), fill("6 large", 4<<20)); err != nil {
		t.Errorf("with room again: %v", err)
	}
	wantKeys(t, d, "0 acknowledged", "1 small", "5 small", "6 large")
}

// House, idea 2: never on the bare connection.
func TestNothingIsWrittenOutsideATransactionThatTheFullDiskEnded(t *testing.T) {
	d, _ := sqlite(t)
	limitTo(t, d, 20)
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		if fill("large", 4<<20)(tx) == nil {
			t.Error("there was room")
		}
		return put("stray", "1")(tx) // goes on, wrongly
	})
	if err == nil {
		t.Error("an update whose transaction was gone says it is durable")
	}
	wantKeys(t, d)
	if err := d.Update(t.Context(), put("later", "1")); err != nil {
		t.Error(err)
	}
	wantKeys(t, d, "later")
}

// The commit itself fails, as with a disk that fills up in its middle: here a
// foreign key that is looked at only then.
func TestACommitThatFailsFailsOnlyWhoIsAtFault(t *testing.T) {
	d, _ := sqlite(t)
	errs := group(t, d,
		func() error { return d.Update(t.Context(), put("1", "1")) },
		func() error {
			return d.Update(t.Context(), func(tx *db.Tx) error {
				if _, err := tx.Exec(`PRAGMA defer_foreign_keys = 1`); err != nil {
					return err
				}
				_, err := tx.Exec(`INSERT INTO accounts (id, user_id, implementation, identifier) VALUES (1, 1, 'email', 'a@example.org')`)
				return errors.Join(err, put("2", "1")(tx))
			})
		},
		func() error { return d.Update(t.Context(), put("3", "1")) },
	)
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("innocent members failed: %v, %v", errs[0], errs[2])
	}
	if errs[1] == nil || !strings.Contains(errs[1].Error(), "commit:") {
		t.Errorf("the member at fault got %v", errs[1])
	}
	wantKeys(t, d, "1", "3")
}

// ulimited marks the process whose files may not grow over a few megabytes.
const ulimited = "DJAUTHY_TEST_ULIMITED"

// A write that the system refuses, in a process of its own: the limit holds for
// every file of a process.
func TestAWriteThatTheSystemRefusesFailsOnlyWhoDoesNotFit(t *testing.T) {
	if os.Getenv(ulimited) == "" {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 8192; exec "$0" "$@"`, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), ulimited+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	d, _ := sqlite(t)
	if err := d.Update(t.Context(), put("0 acknowledged", "1")); err != nil {
		t.Fatal(err)
	}
	errs := group(t, d,
		func() error { return d.Update(t.Context(), put("1 small", "1")) },
		func() error { return d.Update(t.Context(), fill("2 large", 32<<20)) },
		func() error { return d.Update(t.Context(), put("3 small", "1")) },
	)
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("innocent members failed: %v, %v", errs[0], errs[2])
	}
	if !db.Unavailable(errs[1]) {
		t.Errorf("who did not fit got %v", errs[1])
	}
	wantKeys(t, d, "0 acknowledged", "1 small", "3 small")
	if err := d.Update(t.Context(), put("4 small", "1")); err != nil {
		t.Error(err)
	}
}
