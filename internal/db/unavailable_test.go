package db_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/djauthy/djauthy/internal/db"
)

// wantSentence checks that an error is there, begins in plain words and fits on
// one line, and tells no password.
func wantSentence(t *testing.T, name string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %q does not say %q", name, err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: more than one line: %q", name, err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: it tells the password: %q", name, err)
	}
}

func TestAPlaceThatCannotHoldADatabaseIsSaidInOneSentence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		says []string
	}{
		"a file as folder":       {filepath.Join(file, "d.db"), []string{"open database: cannot make the folder " + file, "not a directory"}},
		"a folder as file":       {dir, []string{"open database: cannot write the file " + dir, "is a directory"}},
		"a read-only folder":     {"/proc/sys/d.db", []string{"open database: cannot write the file /proc/sys/d.db"}},
		"a folder not to make":   {"/proc/none/d.db", []string{"open database: cannot make the folder /proc/none"}},
		"a file of another kind": {file, []string{"open database: cannot", file, "not a database"}},
	} {
		d, err := db.Open(t.Context(), "sqlite:"+c.path)
		if err == nil {
			_ = d.Close()
		}
		wantSentence(t, name, err, c.says...)
	}
}

func TestTheDatabaseIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "d.db")
	d := open(t, "sqlite:"+path)
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{filepath.Dir(path), path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v", p, info.Mode())
		}
	}
}

func TestAPathWithOddCharactersIsThatPath(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory", "a%20b.db", "a#b.db", "ä+&=;'\".db"} {
		path := filepath.Join(t.TempDir(), name)
		d := open(t, "sqlite:"+path)
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 && !walHas(path) {
			t.Errorf("%s: nothing was written there: %v", name, err)
		}
	}
}

func walHas(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

func TestAReadOnlyDatabaseIsUnavailableAndWorksWhenItIsNot(t *testing.T) {
	d, _ := sqlite(t)
	set := func(to string) {
		if err := db.OnWriter(d, `PRAGMA query_only = `+to); err != nil {
			t.Fatal(err)
		}
	}
	set("1")
	if err := d.Update(t.Context(), put("a", "1")); !db.Unavailable(err) {
		t.Errorf("got %v", err)
	}
	set("0")
	if err := d.Update(t.Context(), put("b", "1")); err != nil {
		t.Error(err)
	}
	wantKeys(t, d, "b")
}

func TestAFaultOfOursIsNotUnavailable(t *testing.T) {
	d, _ := sqlite(t)
	for name, fn := range map[string]func(*db.Tx) error{
		"syntax":     func(tx *db.Tx) error { _, err := tx.Exec(`SELEKT`); return err },
		"constraint": func(tx *db.Tx) error { _, err := tx.Exec(`INSERT INTO meta (key) VALUES ('a')`); return err },
		"own error":  func(*db.Tx) error { return errOops },
		"panic":      func(*db.Tx) error { panic("boom") },
	} {
		if err := d.Update(t.Context(), fn); err == nil || db.Unavailable(err) {
			t.Errorf("%s: %v is unavailable", name, err)
		}
	}
	if db.Unavailable(nil) {
		t.Error("no error is unavailable")
	}
}

func TestWhatPassesOnPostgresIsUnavailableAndAFaultOfOursIsNot(t *testing.T) {
	for code, want := range map[string]bool{ // PostgreSQL's appendix A
		"08006": true,  // connection_failure
		"25006": true,  // read_only_sql_transaction
		"25P03": true,  // idle_in_transaction_session_timeout
		"40001": true,  // serialization_failure
		"40P01": true,  // deadlock_detected
		"53100": true,  // disk_full
		"53300": true,  // too_many_connections
		"55P03": true,  // lock_not_available
		"57014": true,  // query_canceled, as by statement_timeout
		"57P01": true,  // admin_shutdown
		"58030": true,  // io_error
		"22P02": false, // invalid_text_representation
		"23505": false, // unique_violation
		"42P01": false, // undefined_table
	} {
		if is := db.Unavailable(fmt.Errorf("statement: %w", &pgconn.PgError{Code: code})); is != want {
			t.Errorf("%s: %v", code, is)
		}
	}
}
