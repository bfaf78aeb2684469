package upgrade_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/test/program"
)

// An engine saves a database into one small file and makes a database of it again.
type engine struct {
	name  string
	file  string // in a release's directory
	dump  func(t *testing.T, address string) []byte
	fill  func(t *testing.T, address string, dump []byte)
	empty func(t *testing.T) string // the address of a database without anything in it
}

var engines = []engine{
	{name: "sqlite", file: "sqlite.db.gz", dump: dumpSQLite, fill: fillSQLite, empty: emptySQLite},
	{name: "postgres", file: "postgres.sql.gz", dump: dumpPostgres, fill: fillPostgres, empty: emptyPostgres},
}

func engineOf(t *testing.T, name string) engine {
	t.Helper()
	for _, e := range engines {
		if e.name == name {
			return e
		}
	}
	t.Fatalf("there is no engine %s", name)
	return engine{}
}

func emptySQLite(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "djauthy.db")
}

// dumpSQLite is the file without free pages, and with all that stood in the WAL.
func dumpSQLite(t *testing.T, address string) []byte {
	t.Helper()
	path := strings.TrimPrefix(address, "sqlite:")
	execute(t, "sqlite", "file:"+path, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
	text, err := os.ReadFile(path)
	must(t, err)
	return text
}

func fillSQLite(t *testing.T, address string, dump []byte) {
	t.Helper()
	must(t, os.WriteFile(strings.TrimPrefix(address, "sqlite:"), dump, 0o600))
}

func emptyPostgres(t *testing.T) string {
	t.Helper()
	if os.Getenv("DJAUTHY_TEST_POSTGRES") == "" {
		program.Missing(t, "DJAUTHY_TEST_POSTGRES is not set; `make test` sets it")
	}
	return dbtest.URL(t, "postgres")
}

// schemaName stands in a dump where the name of its schema has to.
const schemaName = "djauthy_saved_schema"

// dumpPostgres is the text of pg_dump, in statements that any client can send to any
// later PostgreSQL: without what speaks to psql, and without settings of the session.
func dumpPostgres(t *testing.T, address string) []byte {
	t.Helper()
	base, schema := schemaOf(t, address)
	cmd := exec.CommandContext(t.Context(), program.Need(t, "pg_dump"), "--schema="+schema, "--no-owner", "--no-privileges", "--no-comments", "--inserts", "--rows-per-insert=50", base)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, errs.String())
	}
	var kept strings.Builder
	for line := range strings.Lines(out.String()) {
		left := strings.TrimSpace(line) == ""
		for _, begin := range []string{"--", `\`, "SET ", "SELECT pg_catalog.set_config", "CREATE SCHEMA "} {
			left = left || strings.HasPrefix(line, begin)
		}
		if !left {
			kept.WriteString(line)
		}
	}
	return []byte(strings.ReplaceAll(kept.String(), schema, schemaName))
}

func fillPostgres(t *testing.T, address string, dump []byte) {
	t.Helper()
	_, schema := schemaOf(t, address)
	execute(t, "pgx", address, strings.ReplaceAll(string(dump), schemaName, schema))
}

// schemaOf takes the schema out of an address.
func schemaOf(t *testing.T, address string) (base, schema string) {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	q := u.Query()
	schema = q.Get("search_path")
	q.Del("search_path")
	u.RawQuery = q.Encode()
	return u.String(), schema
}

func execute(t *testing.T, driver, address, statements string) {
	t.Helper()
	d, err := sql.Open(driver, address)
	must(t, err)
	_, err = d.ExecContext(t.Context(), statements)
	must(t, err)
	must(t, d.Close())
}

func pack(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	must(t, err)
	_, err = w.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func unpack(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	must(t, err)
	out, err := io.ReadAll(r)
	must(t, err)
	return out
}
