package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
)

// BenchmarkMillionAccounts measures backup, restore and copy of a million people, each
// with a user, an account and a line of history:
//
//	go test ./cmd/djauthy -run '^$' -bench MillionAccounts -benchtime 1x -timeout 30m
//
// It reports the seconds and the greatest memory of each command, which is a process of
// its own.
func BenchmarkMillionAccounts(b *testing.B) {
	const people = 1_000_000
	for b.Loop() {
		dir := b.TempDir()
		s := &site{environ: []string{"DJAUTHY_DATABASE=sqlite:" + dir + "/d.db"}}
		s.must(b, "migrate")
		populate(b, "sqlite:"+dir+"/d.db", people)
		file, pg := filepath.Join(dir, "backup"), dbtest.URL(b, "postgres")
		key := "DJAUTHY_SECRET_KEY_FILE=" + dir + "/secret.key"
		onPG := moved(s, key, "DJAUTHY_DATABASE="+pg)
		measure(b, s, "backup", "backup", file)
		if info, err := os.Stat(file); err == nil {
			b.ReportMetric(float64(info.Size())/1e6, "MB-file")
		}
		measure(b, moved(s, key, "DJAUTHY_DATABASE=sqlite:"+dir+"/r.db"), "restore", "restore", file)
		measure(b, s, "copy-to-postgres", "copy", "--to", pg)
		measure(b, onPG, "copy-to-sqlite", "copy", "--to", "sqlite:"+dir+"/c.db")
	}
}

// populate fills three tables with one statement each.
func populate(b *testing.B, url string, people int64) {
	b.Helper()
	d := dbtest.Open(b, url)
	if err := d.Update(b.Context(), func(tx *db.Tx) error {
		const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `
		for _, query := range []string{
			`INSERT INTO users (id, username, email, is_active, date_joined, last_login)
				SELECT i << 22, printf('u%x', i << 22), printf('person%d@example.org', i), 1, 1700000000000 + i, 1700000000000 + i FROM n`,
			`INSERT INTO accounts (id, user_id, implementation, identifier, is_active, activated_at, last_used_at, codes_valid_from)
				SELECT i << 22 | 1, i << 22, 'email', printf('person%d@example.org', i), 1, 1700000000000 + i, 1700000000000 + i, 1700000000000 + i FROM n`,
			`INSERT INTO audit (id, subject_id, event, prefix, agent, detail) SELECT i << 22 | 2, i << 22, 'signed_in', '192.0.2.0/24', 'Firefox on Linux', '' FROM n`,
		} {
			if _, err := tx.Exec(numbers+query, people); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}

func measure(b *testing.B, s *site, name string, args ...string) {
	b.Helper()
	begun := time.Now()
	p := launch(b, b.TempDir(), s.environ, args...)
	if code := p.exit(15 * time.Minute); code != exitOK {
		b.Fatalf("%s: exit %d\n%s%s", name, code, p.stdout, p.stderr)
	}
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("no account of what the process used")
	}
	took := time.Since(begun)
	b.ReportMetric(took.Seconds(), "s-"+name)
	b.ReportMetric(float64(usage.Maxrss)/1024, "MiB-"+name)
}
