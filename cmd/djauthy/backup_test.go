package main

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

const passphrase = "open sesame"

// moved is a site with the same settings and a database of its own.
func moved(s *site, settings ...string) *site {
	return &site{environ: append(slices.Clone(s.environ), settings...)}
}

// contents is every row of the database of a site.
func contents(t testing.TB, url string) map[string][]string {
	t.Helper()
	d, err := db.Existing(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	all := dbtest.Dump(t, d)
	for _, rows := range all {
		slices.Sort(rows)
	}
	return all
}

func setting(s *site, name string) string {
	value := ""
	for _, line := range s.environ {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			value = v
		}
	}
	return value
}

func TestABackupOfARunningServerIsRestoredOnEitherEngine(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		seed := s.addService(t, "shop", "office").Seed
		keys := b.get("/.well-known/jwks.json").body
		file := filepath.Join(t.TempDir(), "backup")
		said := object(t, s.must(t, "backup", file, "--json"))
		if said["checked"] != true || said["rows"].(float64) < 5 {
			t.Errorf("backup says %v", said)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() != int64(said["bytes"].(float64)) {
			t.Errorf("the file: %v, %v", info, err)
		}
		if left := files(t, filepath.Dir(file)); len(left) != 2 {
			t.Errorf("beside the backup lies %v", left)
		}
		for _, engine := range []string{"sqlite", "postgres"} {
			url := dbtest.URL(t, engine)
			mail := openInbox()
			t.Cleanup(mail.close)
			other := moved(s, "DJAUTHY_DATABASE="+url)
			if out := other.must(t, "restore", file); !strings.Contains(out, "Restored") {
				t.Errorf("restore says %s", out)
			}
			// A server on it lets in who was in, knows the seed, and signs with the same keys.
			again := startWith(t, t.TempDir(), mail, "DJAUTHY_DATABASE="+url)
			back := again.browser(t)
			back.cookies = b.cookies
			if !back.in() {
				t.Errorf("%s: the session is lost", engine)
			}
			if got := back.get("/.well-known/jwks.json").body; got != keys {
				t.Errorf("%s: the keys are %s, they were %s", engine, got, keys)
			}
			again.must(t, "users", "show", id)
			if out := again.must(t, "services", "export"); !strings.Contains(out, seed) {
				t.Errorf("%s: the seed is lost: %s", engine, out)
			}
		}
	})
}

func TestCopyMovesFromSQLiteToPostgresAndBack(t *testing.T) {
	t.Parallel()
	s, dir := keyed(t)
	s.must(t, "services", "add", "--name", "a", "--realm", "b")
	first := "sqlite:" + dir + "/d.db"
	pg, back := dbtest.URL(t, "postgres"), dbtest.URL(t, "sqlite")
	out := s.must(t, "copy", "--to", pg)
	if !strings.Contains(out, "from sqlite to postgres") || !strings.Contains(out, filepath.Join(dir, "secret.key")) {
		t.Errorf("copy says %s", out)
	}
	onPG := moved(s, "DJAUTHY_DATABASE="+pg, "DJAUTHY_SECRET_KEY_FILE="+filepath.Join(dir, "secret.key"))
	if out := onPG.must(t, "services", "export"); !strings.Contains(out, `"a"`) {
		t.Errorf("on PostgreSQL: %s", out)
	}
	onPG.must(t, "copy", "--to", back)
	for _, url := range []string{pg, back} {
		if got, want := contents(t, url), contents(t, first); !reflect.DeepEqual(got, want) {
			t.Errorf("copied are\n%v, want\n%v", got, want)
		}
	}
	for _, args := range [][]string{{"copy", "--to", "mysql://x:hush@y/z"}, {"copy", "--to", "sqlite:"}, {"copy", "--to", first}, {"copy"}} {
		if _, errs, code := s.command(args...); code != exitUsage || strings.Contains(errs, "hush") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}

func TestNeitherRestoreNorCopyTouchesADatabaseWithRows(t *testing.T) {
	t.Parallel()
	s, dir := keyed(t)
	file := filepath.Join(t.TempDir(), "backup")
	s.must(t, "backup", file)
	before := contents(t, "sqlite:"+dir+"/d.db")
	full, _ := keyed(t)
	for _, again := range [][]string{nil, {"--again"}} {
		for at, args := range map[*site][]string{s: {"restore", file}, full: {"copy", "--to", "sqlite:" + dir + "/d.db"}} {
			_, errs, code := at.command(append(args, again...)...)
			if code != exitFailed || !strings.Contains(errs, "not empty") || !strings.Contains(errs, "nothing was") {
				t.Errorf("%v: exit %d, %s", args, code, errs)
			}
		}
	}
	if after := contents(t, "sqlite:"+dir+"/d.db"); !reflect.DeepEqual(after, before) {
		t.Errorf("it was changed:\n%v", after)
	}
}

func TestTheKeyComesBackUnderItsPassphraseAlone(t *testing.T) {
	t.Parallel()
	s, dir := keyed(t)
	s.must(t, "services", "add", "--name", "a", "--realm", "b")
	folder := t.TempDir()
	file, words := filepath.Join(folder, "backup"), filepath.Join(folder, "words")
	if err := os.WriteFile(words, []byte(passphrase+"\nand more\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must(t, "backup", file, "--with-key", "--passphrase-file", words)
	target := filepath.Join(t.TempDir(), "data")
	other := moved(s, "DJAUTHY_DATABASE=sqlite:"+target+"/d.db")
	for name, run := range map[string]func() (string, string, int){
		"wrong": func() (string, string, int) {
			return moved(other, passphraseVariable+"=open sesamE").command("restore", file)
		},
		"none": func() (string, string, int) { return other.command("restore", file) },
	} {
		if _, errs, code := run(); code == exitOK || !strings.Contains(errs, "passphrase") {
			t.Errorf("%s: exit %d, %s", name, code, errs)
		}
		if _, err := os.Stat(target); !os.IsNotExist(err) {
			t.Errorf("%s: something was made: %v", name, err)
		}
	}
	if _, errs, code := other.commandFrom(passphrase+"\n", "restore", file); code != exitOK {
		t.Fatalf("exit %d, %s", code, errs)
	}
	key, err := os.ReadFile(filepath.Join(target, "secret.key"))
	want, err2 := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil || err2 != nil || string(key) != string(want) {
		t.Errorf("the key is not as it was: %v, %v", err, err2)
	}
	if info, err := os.Stat(filepath.Join(target, "secret.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if out := other.must(t, "services", "export"); !strings.Contains(out, "seed") {
		t.Errorf("the seed cannot be opened: %s", out)
	}
	// Beside another site's key nothing is restored, and that key stays.
	stranger, at := keyed(t)
	if err := os.Remove(filepath.Join(at, "d.db")); err != nil {
		t.Fatal(err)
	}
	before := files(t, at)
	if _, errs, code := stranger.command("restore", file); code != exitFailed || !strings.Contains(errs, "another secret key") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if after := files(t, at); !slices.Equal(after, before) {
		t.Errorf("before there was %v, after it %v", before, after)
	}
}

func TestABackupWithoutTheKeySaysWhereItLiesAndRestoreWhereItBelongs(t *testing.T) {
	t.Parallel()
	s, dir := keyed(t)
	file, target := filepath.Join(t.TempDir(), "backup"), t.TempDir()
	if out := s.must(t, "backup", file); !strings.Contains(out, filepath.Join(dir, "secret.key")) {
		t.Errorf("backup says %s", out)
	}
	other := moved(s, "DJAUTHY_DATABASE=sqlite:"+target+"/d.db")
	if out := other.must(t, "restore", file); !strings.Contains(out, filepath.Join(target, "secret.key")) {
		t.Errorf("restore says %s", out)
	}
	if _, errs, code := other.command("migrate"); code != exitFailed || !strings.Contains(errs, "the secret key is missing") {
		t.Errorf("without the key: exit %d, %s", code, errs)
	}
	// The key may be lost, the rows are worth saving all the same.
	if err := os.Remove(filepath.Join(dir, "secret.key")); err != nil {
		t.Fatal(err)
	}
	if out := s.must(t, "backup", file+"2"); !strings.Contains(out, "is missing") {
		t.Errorf("backup without the key says %s", out)
	}
	if _, errs, code := s.command("backup", file+"3", "--with-key"); code != exitFailed || !strings.Contains(errs, "the secret key is missing") {
		t.Errorf("--with-key without the key: exit %d, %s", code, errs)
	}
}

func TestABackupReplacesAFileOnlyWhenItIsForced(t *testing.T) {
	t.Parallel()
	s, _ := keyed(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "backup")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{file: "is there already", dir: "is a folder", dir + "/no/backup": "no such file"} {
		if _, errs, code := s.command("backup", path); code != exitFailed || !strings.Contains(errs, says) {
			t.Errorf("%s: exit %d, %s", path, code, errs)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" || len(files(t, dir)) != 2 {
		t.Errorf("it was changed: %q, %v", text, err)
	}
	s.must(t, "backup", file, "--force")
	out := moved(s, "DJAUTHY_DATABASE="+dbtest.URL(t, "sqlite")).must(t, "restore", file)
	if !strings.Contains(out, "Restored") {
		t.Error(out)
	}
}

func TestABackupGoesThroughAPipe(t *testing.T) {
	t.Parallel()
	s, dir := keyed(t)
	out, errs, code := s.command("backup", "-")
	if code != exitOK || !strings.Contains(errs, "not read back") {
		t.Fatalf("exit %d, %s", code, errs)
	}
	url := dbtest.URL(t, "sqlite")
	if _, errs, code := moved(s, "DJAUTHY_DATABASE="+url).commandFrom(out, "restore", "-"); code != exitOK {
		t.Fatalf("exit %d, %s", code, errs)
	}
	if got, want := contents(t, url), contents(t, "sqlite:"+dir+"/d.db"); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
}

func TestADamagedOrNewerBackupIsRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	s, _ := keyed(t)
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	s.must(t, "backup", good)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"cut":   {string(text[:len(text)/2]), "ends too early"},
		"other": {"SQLite format 3\x00 and so on\n", "not a whole djauthy backup"},
		"empty": {"", "not a whole djauthy backup"},
		"newer": {strings.Replace(string(text), "backup 1", "backup 7", 1), "newer djauthy"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		other := moved(s, "DJAUTHY_DATABASE=sqlite:"+dir+"/made/d.db")
		if _, errs, code := other.command("restore", file); code != exitFailed || !strings.Contains(errs, c.says) || !strings.Contains(errs, "nothing was restored") {
			t.Errorf("%s: exit %d, %s", name, code, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); !os.IsNotExist(err) {
		t.Errorf("something was made: %v", err)
	}
}

func TestAnOlderDatabaseIsBackedUpAndRestoredUpToDate(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		url, file := dbtest.URL(t, engine), filepath.Join(t.TempDir(), "backup")
		older(t, url)
		s := &site{environ: []string{"DJAUTHY_DATABASE=" + url, "DJAUTHY_SECRET_KEY=" + testKey}}
		s.must(t, "backup", file)
		if out := s.must(t, "migrate", "--pending"); !strings.Contains(out, "0002") {
			t.Errorf("the backup migrated it: %s", out)
		}
		other := moved(s, "DJAUTHY_DATABASE="+dbtest.URL(t, "sqlite"))
		if out := other.must(t, "restore", file); !strings.Contains(out, "0003_services") {
			t.Errorf("restore says %s", out)
		}
		if out := other.must(t, "users", "list"); !strings.Contains(out, "ann") {
			t.Errorf("users: %s", out)
		}
	}
}

func TestBackupAndCopyMakeNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/data/d.db"}}
	for _, args := range [][]string{{"backup", dir + "/b"}, {"copy", "--to", "sqlite:" + dir + "/c.db"}} {
		if _, errs, code := s.command(args...); code != exitFailed || !strings.Contains(errs, "no database yet") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("they made %v", left)
	}
}

// large is a SQLite database with many users.
func large(t testing.TB, n int64) (s *site, dir string) {
	t.Helper()
	s, dir = func() (*site, string) {
		dir := t.TempDir()
		s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/d.db"}}
		s.must(t, "migrate")
		return s, dir
	}()
	d := dbtest.Open(t, "sqlite:"+dir+"/d.db")
	if err := d.Update(context.Background(), func(tx *db.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			INSERT INTO users (id, username, date_joined) SELECT i, 'u' || i, 0 FROM n`, n)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func TestAKilledBackupLeavesNoFileAndAKilledRestoreIsToldAndDoneAgain(t *testing.T) {
	t.Parallel()
	s, dir := large(t, 60_000)
	folder := t.TempDir()
	file := filepath.Join(folder, "backup")
	p := launch(t, folder, s.environ, "backup", file)
	s.await(t, "it writes", func() bool {
		found, err := filepath.Glob(file + ".partial-*")
		return err == nil && len(found) == 1
	})
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("there is a backup: %v", err)
	}
	// One that is asked to stop leaves nothing at all.
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		quiet := t.TempDir()
		p = launch(t, quiet, s.environ, "backup", quiet+"/b")
		s.await(t, "it writes", func() bool { return len(files(t, quiet)) > 1 })
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if code := p.exit(20 * time.Second); code != exitFailed || len(files(t, quiet)) != 1 {
			t.Errorf("%v: exit %d, it left %v\n%s", sig, code, files(t, quiet), p.stderr)
		}
	}
	s.must(t, "backup", file)
	target := t.TempDir()
	other := moved(s, "DJAUTHY_DATABASE=sqlite:"+target+"/d.db", "DJAUTHY_SECRET_KEY_FILE="+dir+"/secret.key")
	p = launch(t, folder, other.environ, "restore", file)
	s.await(t, "rows are there", func() bool {
		info, err := os.Stat(target + "/d.db-wal")
		return err == nil && info.Size() > 1<<20
	})
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	for _, args := range [][]string{{"serve"}, {"users", "list"}, {"migrate"}, {"restore", file}, {"backup", file + "2"}} {
		if _, errs, code := other.command(args...); code != exitFailed || !strings.Contains(errs, "did not finish") || !strings.Contains(errs, "--again") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
	if out := other.must(t, "restore", file, "--again"); !strings.Contains(out, "Restored") {
		t.Error(out)
	}
	got, want := contents(t, "sqlite:"+target+"/d.db"), contents(t, setting(s, "DJAUTHY_DATABASE"))
	if len(got["users"]) != 60_000 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d users are there", len(got["users"]))
	}
}
