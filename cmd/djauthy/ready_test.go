package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/store"
)

// files are the names and sizes of all that lies in a folder.
func files(t testing.TB, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			path += fmt.Sprint(" ", info.Size())
		}
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// onDatabase are commands that need a database.
func onDatabase(dir string) [][]string {
	return [][]string{
		{"check"},
		{"sweep"},
		{"users", "list"},
		{"users", "show", "ann@people.example"},
		{"users", "add", "ann@people.example"},
		{"users", "delete", "ann@people.example"},
		{"users", "export", "ann@people.example"},
		{"services", "add", "--name", "a", "--realm", "b"},
		{"services", "list"},
		{"services", "export"},
		{"services", "apps"},
		{"services", "realms", "list"},
		{"services", "import", filepath.Join(dir, "rows.csv")},
		{"createsuperuser", "--name", "root"},
	}
}

func TestCommandsMakeNoFolderDatabaseOrKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"rows.csv": "name,realm,seed\n", "empty.db": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, dir)
	for _, place := range []string{"none.db", "no/folder/d.db", "empty.db"} {
		s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + filepath.Join(dir, place)}}
		for _, args := range onDatabase(dir) {
			out, errs, code := s.command(args...)
			if code != exitFailed || !strings.Contains(out+errs, "there is no database yet at "+filepath.Join(dir, place)) || !strings.Contains(out+errs, "djauthy migrate") {
				t.Errorf("%v on %s: exit %d\n%s%s", args, place, code, out, errs)
			}
		}
		if out := s.must(t, "migrate", "--pending"); !strings.Contains(out, "0001_start") {
			t.Errorf("migrate --pending on %s: %s", place, out)
		}
	}
	if after := files(t, dir); !slices.Equal(after, before) {
		t.Errorf("before there was\n%v, after it\n%v", before, after)
	}
}

func TestMigrateMakesTheDatabaseAndTheKeyOfANewSite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/d.db"}}
	s.must(t, "migrate")
	for _, name := range []string{"d.db", "secret.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	s.must(t, "users", "add", "ann@people.example")
}

// older is a database at the first step, with a row.
func older(t testing.TB, url string) {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.BeginLoad(t.Context(), []db.Step{{Name: "0001_start", Applied: 1}}, false)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(l.Finish(t.Context()), d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO users (id, username, date_joined) VALUES (7, 'ann', 1)`)
		return err
	}), d.Close())
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyServeAndMigrateChangeASchema(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := dbtest.URL(t, engine)
			older(t, url)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "rows.csv"), []byte("name,realm,seed\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := &site{environ: []string{"DJAUTHY_DATABASE=" + url, "DJAUTHY_SECRET_KEY=" + testKey}}
			for _, args := range onDatabase(dir) {
				out, errs, code := s.command(args...)
				if code != exitFailed || !strings.Contains(out+errs, "older than this djauthy") || !strings.Contains(out+errs, "djauthy migrate") || !strings.Contains(out+errs, "backup FILE") {
					t.Errorf("%v: exit %d\n%s%s", args, code, out, errs)
				}
			}
			if out := s.must(t, "migrate", "--pending"); !strings.Contains(out, "0002") {
				t.Errorf("something migrated it: %s", out)
			}
			s.must(t, "migrate")
			if out := s.must(t, "users", "list"); !strings.Contains(out, "ann") {
				t.Errorf("after migrate: %s", out)
			}
		})
	}
}

func TestAPostgresDatabaseWithoutTablesIsLeftWithout(t *testing.T) {
	t.Parallel()
	s := &site{environ: []string{"DJAUTHY_DATABASE=" + dbtest.URL(t, "postgres"), "DJAUTHY_SECRET_KEY=" + testKey}}
	for range 2 {
		if out, errs, code := s.command("users", "list"); code != exitFailed || !strings.Contains(errs, "no tables yet") {
			t.Errorf("exit %d\n%s%s", code, out, errs)
		}
	}
}

// site of a database and its key in a folder of their own, with one person.
func keyed(t *testing.T) (s *site, dir string) {
	t.Helper()
	dir = t.TempDir()
	s = &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/d.db", "DJAUTHY_LISTEN=127.0.0.1:" + freePort()}}
	s.must(t, "migrate")
	s.must(t, "users", "add", "ann@people.example")
	return s, dir
}

func TestAKeyThatIsMissingOrWrongStopsEverythingAndNoOtherIsMade(t *testing.T) {
	t.Parallel()
	_, other := keyed(t)
	for name, c := range map[string]struct {
		spoil func(path string) error
		says  []string
	}{
		"missing":  {os.Remove, []string{"the secret key is missing", "backup", "move the database away"}},
		"empty":    {func(path string) error { return os.Truncate(path, 0) }, []string{"0 bytes", "backup"}},
		"short":    {func(path string) error { return os.WriteFile(path, []byte("short\n"), 0o600) }, []string{"5 bytes", "backup"}},
		"a folder": {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, []string{"is a directory", "backup"}},
		"a dead link": {
			func(path string) error { return errors.Join(os.Remove(path), os.Symlink(path+".gone", path)) },
			[]string{"the secret key is missing"},
		},
		"of another database": {
			func(path string) error {
				text, err := os.ReadFile(filepath.Join(other, "secret.key"))
				return errors.Join(err, os.WriteFile(path, text, 0o600))
			},
			[]string{"another secret key", "backup"},
		},
	} {
		s, dir := keyed(t)
		path := filepath.Join(dir, "secret.key")
		if err := c.spoil(path); err != nil {
			t.Fatal(err)
		}
		before := files(t, dir)
		for _, args := range [][]string{{"serve"}, {"migrate"}, {"users", "list"}, {"check"}, {"services", "add", "--name", "a", "--realm", "b"}} {
			out, errs, code := s.command(args...)
			if code != exitFailed {
				t.Errorf("%s: %v: exit %d", name, args, code)
			}
			for _, word := range append(c.says, path) {
				if !strings.Contains(out+errs, word) {
					t.Errorf("%s: %v does not say %q:\n%s%s", name, args, word, out, errs)
				}
			}
		}
		if after := files(t, dir); !slices.Equal(after, before) {
			t.Errorf("%s: before there was\n%v, after it\n%v", name, before, after)
		}
	}
}

func TestAKeyMadeJustBeforeAStopIsTakenAtTheNextStart(t *testing.T) {
	t.Parallel()
	s, dir := keyed(t)
	d := dbtest.Open(t, "sqlite:"+dir+"/d.db")
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM meta WHERE key = 'key_fingerprint'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.must(t, "migrate")
	known, err := store.Fingerprint(t.Context(), d)
	if err != nil || known == "" {
		t.Errorf("the key is not remembered: %v", err)
	}
	// Rows without the name of a key are no new site, either.
	if err := d.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(`DELETE FROM meta`); return err }); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "secret.key")); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := s.command("migrate"); code != exitFailed || !strings.Contains(errs, "the secret key is missing") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestASecretKeyFileThatIsMissingLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/data/d.db", "DJAUTHY_SECRET_KEY_FILE=" + dir + "/gone"}}
	for _, args := range [][]string{{"serve"}, {"migrate"}} {
		if _, errs, code := s.command(args...); code != exitFailed || !strings.Contains(errs, dir+"/gone") || !strings.Contains(errs, "secret_key_file") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("it left %v", left)
	}
}

func TestServersThatStartTogetherOnANewSiteAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all []*process
	for range 4 {
		all = append(all, launch(t, dir, []string{"DJAUTHY_LISTEN=127.0.0.1:" + freePort()}, "migrate"))
	}
	for _, p := range all {
		if code := p.exit(20 * time.Second); code != exitOK {
			t.Errorf("exit %d: %s", code, p.stderr)
		}
	}
	if p := launch(t, dir, nil, "users", "list"); p.exit(20*time.Second) != exitOK {
		t.Errorf("afterwards: %s", p.stderr)
	}
}
