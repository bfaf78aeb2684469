package db

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Kind is the type of a column's values, the same on both engines.
type Kind string

// Kinds of columns: int64, string and []byte in Go.
const (
	KindInt  Kind = "int"
	KindText Kind = "text"
	KindBlob Kind = "blob"
)

// kinds maps the engines' own types.
var kinds = map[string]Kind{"INTEGER": KindInt, "BIGINT": KindInt, "TEXT": KindText, "BLOB": KindBlob, "BYTEA": KindBlob}

// A Column is a column of a Table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// A Table is a table as the database's own catalogue describes it, for what has to
// work on every table without knowing its meaning: backup, restore and copy.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	Key     []string `json:"key"` // the columns of the primary key, in its order
}

// stepsTable records the schema itself. It is written by migrating and is none of
// Tables; see Tx.Taken.
const stepsTable = "migrations"

// Tables returns every table that the steps have made, a table after those that it
// references. They are read from the catalogue, so a step that adds one needs no
// change here. Tables of others in the same PostgreSQL schema are left out.
func (tx *Tx) Tables() ([]Table, error) {
	ours, err := madeBySteps(stepsOf(tx.db.engine))
	if err != nil {
		return nil, err
	}
	list, references := tx.db.engine.catalogue()
	all, err := tx.columns(list, ours)
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	err = tx.Each(func(scan func(...any) error) error {
		var from, to string
		err := scan(&from, &to)
		needs[from] = append(needs[from], to)
		return err
	}, references)
	return referencedFirst(all, needs), err
}

// columns reads the tables named in ours, ordered by name.
func (tx *Tx) columns(list string, ours map[string]bool) (all []Table, err error) {
	place := map[string]int64{} // of a column in the primary key
	err = tx.Each(func(scan func(...any) error) error {
		var table, column, kind string
		var key int64
		if err := scan(&table, &column, &kind, &key); err != nil || !ours[table] {
			return err
		}
		if len(all) == 0 || all[len(all)-1].Name != table {
			all = append(all, Table{Name: table})
		}
		t := &all[len(all)-1]
		k, ok := kinds[strings.ToUpper(kind)]
		if !ok {
			return fmt.Errorf("column %s of table %s has the type %s, which package db does not know", column, table, kind)
		}
		t.Columns = append(t.Columns, Column{column, k})
		if key > 0 {
			t.Key = append(t.Key, column)
			place[table+"."+column] = key
		}
		return nil
	}, list)
	for _, t := range all {
		slices.SortFunc(t.Key, func(a, b string) int { return cmp.Compare(place[t.Name+"."+a], place[t.Name+"."+b]) })
	}
	return all, err
}

// referencedFirst orders tables so that one comes after those it needs. A cycle,
// which no step makes, is left in the order of names.
func referencedFirst(all []Table, needs map[string][]string) (ordered []Table) {
	done := map[string]bool{}
	var add func(t Table)
	add = func(t Table) {
		if done[t.Name] {
			return
		}
		done[t.Name] = true
		for _, other := range all {
			if slices.Contains(needs[t.Name], other.Name) {
				add(other)
			}
		}
		ordered = append(ordered, t)
	}
	for _, t := range all {
		add(t)
	}
	return ordered
}

// makes finds the tables that a step makes or gives another name.
var makes = regexp.MustCompile(`(?im)(?:^\s*CREATE TABLE (?:IF NOT EXISTS )?|RENAME TO )"?(\w+)"?`)

func madeBySteps(dir string) (map[string]bool, error) {
	ours := map[string]bool{}
	names, err := migrationNames(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrationFiles, path.Join(dir, name+".sql"))
		if err != nil {
			return nil, err
		}
		for _, m := range makes.FindAllStringSubmatch(string(text), -1) {
			ours[m[1]] = true
		}
	}
	return ours, nil
}

// Count returns how many rows a table has.
func (tx *Tx) Count(t Table) (n int64, err error) {
	err = tx.Get(`SELECT count(*) FROM ` + quoted(t.Name)).Scan(&n)
	return n, err
}

// AnyRow reports whether a table has a row.
func (tx *Tx) AnyRow(t Table) (bool, error) {
	found := false
	err := tx.Each(func(func(...any) error) error { found = true; return nil }, `SELECT 1 FROM `+quoted(t.Name)+` LIMIT 1`)
	return found, err
}

// EachRow calls fn with the values of every row, in the order of the primary key,
// which is the same on both engines: bytes of UTF-8 for texts. The values are
// int64, string, []byte or nil, and the slice is used again for the next row.
func (tx *Tx) EachRow(t Table, fn func(values []any) error) error {
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	return tx.Each(func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			values[i] = t.Columns[i].Kind.value(v)
		}
		return fn(values)
	}, `SELECT `+names(t.Columns)+` FROM `+quoted(t.Name)+` ORDER BY `+tx.order(t))
}

// value is what a driver read, as the kind's own Go type: a driver may give a text
// as bytes, and no bytes as nothing.
func (k Kind) value(v any) any {
	b, isBytes := v.([]byte)
	switch {
	case isBytes && k == KindText:
		return string(b)
	case isBytes && b == nil:
		return []byte{}
	}
	return v
}

func (tx *Tx) order(t Table) string {
	var parts []string
	for _, column := range t.Key {
		part := quoted(column)
		if i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column }); i >= 0 && t.Columns[i].Kind == KindText {
			part += tx.db.engine.byBytes()
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "1"
	}
	return strings.Join(parts, ", ")
}

// insertMost bounds the values of one INSERT, of which SQLite takes 32,766, and
// insertRows its rows, beyond which it gets no faster.
const (
	insertMost = 30_000
	insertRows = 100
)

// InsertRows adds rows to a table, their values in the order of its columns.
func (tx *Tx) InsertRows(t Table, rows [][]any) error {
	most := max(1, min(insertRows, insertMost/len(t.Columns)))
	for some := range slices.Chunk(rows, most) {
		var args []any
		for _, row := range some {
			args = append(args, row...)
		}
		if _, err := tx.Exec(insertion(t, len(some)), args...); err != nil {
			return err
		}
	}
	return nil
}

func insertion(t Table, rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", quoted(t.Name), names(t.Columns))
	n := 0
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for i := range t.Columns {
			if i > 0 {
				b.WriteString(", ")
			}
			n++
			fmt.Fprintf(&b, "$%d", n)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func names(columns []Column) string {
	var all []string
	for _, c := range columns {
		all = append(all, quoted(c.Name))
	}
	return strings.Join(all, ", ")
}

// quoted is an identifier that may be a word of SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// catalogue returns the query for the columns of all tables (table, column, type,
// place in the primary key or 0) and that for foreign keys (table, referenced).
func (e *sqlite) catalogue() (columns, references string) {
	return `SELECT m.name, c.name, c.type, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid`,
		`SELECT m.name, f."table" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
}

func (e *sqlite) byBytes() string { return "" }

func (e *postgres) catalogue() (columns, references string) {
	const here = `(SELECT oid FROM pg_namespace WHERE nspname = current_schema())`
	return `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
			COALESCE((SELECT k.place FROM pg_index i, unnest(i.indkey::int[]) WITH ORDINALITY k (column_number, place)
				WHERE i.indrelid = c.oid AND i.indisprimary AND k.column_number = a.attnum), 0)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = ` + here + ` AND c.relkind IN ('r', 'p') ORDER BY c.relname::text COLLATE "C", a.attnum`,
		`SELECT c.relname::text, f.relname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
			WHERE k.contype = 'f' AND c.relnamespace = ` + here
}

func (e *postgres) byBytes() string { return ` COLLATE "C"` }
