package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
)

// Ready returns the address of a database of the engine as Migrate leaves an empty
// one. It is a copy: the steps are taken once for each process, since to take them for
// each test would be most of the time of many tests.
func Ready(t testing.TB, engine string) string {
	t.Helper()
	url := URL(t, engine)
	if engine == "sqlite" {
		file, err := migratedFile()
		if err == nil {
			err = os.WriteFile(strings.TrimPrefix(url, "sqlite:"), file, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	script, err := migratedSchema()
	if err == nil {
		_, name, _ := strings.Cut(url, "search_path=")
		err = execRoot(t.Context(), "BEGIN; SET LOCAL search_path = "+name+";\n"+script+";\nCOMMIT")
	}
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// Fresh opens a database of the engine that Ready makes, until the test ends.
func Fresh(t testing.TB, engine string) *db.DB {
	t.Helper()
	return Open(t, Ready(t, engine))
}

// migratedFile is a SQLite file of which only the steps were taken.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "djauthy-migrated-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "d.db")
	if err := migrated("sqlite:"+path, func(*db.DB) error { return nil }); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migratedSchema is the SQL that makes what the steps make in an empty schema.
var migratedSchema = sync.OnceValues(func() (script string, err error) {
	ctx := context.Background()
	name := schemaName()
	if err := execRoot(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, execRoot(ctx, "DROP SCHEMA "+name+" CASCADE")) }()
	err = migrated(os.Getenv(postgres)+"&search_path="+name, func(d *db.DB) (err error) {
		script, err = schemaScript(ctx, d)
		return err
	})
	return script, err
})

// migrated opens and migrates the database at url for fn.
func migrated(url string, fn func(*db.DB) error) (err error) {
	ctx := context.Background()
	d, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if _, err := d.Migrate(ctx); err != nil {
		return err
	}
	return fn(d)
}

// others counts what schemaScript does not know how to write.
const others = `SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind NOT IN ('r', 'i'))
	+ (SELECT count(*) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace)
	+ (SELECT count(*) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal)`

// structure is a schema's tables, keys and indexes as SQL, with the names that they have.
const structure = `
WITH tables AS (SELECT oid, relname, reloptions FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'),
parts AS (
	SELECT attrelid AS of, 0 AS kind, attnum::text AS place, format('%I %s', attname, format_type(atttypid, atttypmod))
		|| coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '') || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END AS text
	FROM tables JOIN pg_attribute ON attrelid = oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attnum > 0 AND NOT attisdropped
	UNION ALL
	SELECT conrelid, 1, conname, format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
	WHERE connamespace = current_schema()::regnamespace AND contype <> 'f' -- those of others may go meanwhile
)
SELECT 1, relname, format('CREATE TABLE %I (%s)', relname, string_agg(text, ', ' ORDER BY kind, length(place), place)) || coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '')
	FROM tables JOIN parts ON of = oid GROUP BY relname, reloptions
UNION ALL
SELECT 2, conname, format('ALTER TABLE %I ADD CONSTRAINT %I %s', relname, conname, pg_get_constraintdef(c.oid))
	FROM pg_constraint c JOIN tables ON tables.oid = conrelid WHERE contype = 'f'
UNION ALL
SELECT 3, indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ' || current_schema() || '.', ' ON ')
	FROM pg_index JOIN tables ON tables.oid = indrelid WHERE NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
ORDER BY 1, 2`

// schemaScript is the SQL that makes a schema like the one of d, with its rows. It
// returns an error for one that has more than tables, keys and indexes.
func schemaScript(ctx context.Context, d *db.DB) (string, error) {
	var all []string
	err := d.View(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.Get(others).Scan(&n); err != nil || n > 0 {
			return errors.Join(err, fmt.Errorf("dbtest: %d sequences, functions or the like: Ready has to learn to copy them", n))
		}
		var tables []string
		if err := tx.Each(func(scan func(...any) error) error {
			var kind int
			var name, text string
			if err := scan(&kind, &name, &text); err != nil {
				return err
			}
			if kind == 1 {
				tables = append(tables, name)
			}
			all = append(all, text)
			return nil
		}, structure); err != nil {
			return err
		}
		for _, name := range tables {
			if err := tx.Each(func(scan func(...any) error) error {
				var text string
				err := scan(&text)
				all = append(all, text)
				return err
			}, `SELECT format('INSERT INTO `+name+` SELECT * FROM json_populate_record(NULL::`+name+`, %L)', row_to_json(r)) FROM `+name+` r`); err != nil {
				return err
			}
		}
		return nil
	})
	return strings.Join(all, ";\n"), err
}

// postgres is the variable with the address of PostgreSQL.
const postgres = "DJAUTHY_TEST_POSTGRES"

// root is who makes and removes schemas.
var root = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("pgx", os.Getenv(postgres)) })

// execRoot runs statements, separated by semicolons, outside any schema of a test.
func execRoot(ctx context.Context, statements string) error {
	d, err := root()
	if err == nil {
		_, err = d.ExecContext(ctx, statements)
	}
	return err
}
