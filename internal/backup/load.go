package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/djauthy/djauthy/internal/db"
)

// Target is a database to fill, and how.
type Target struct {
	DB *db.DB
	// Again clears a database that an earlier restore or copy left unfinished.
	Again bool
	// Last, if set, runs after all rows were written and read back. Its failure is that
	// of Restore or Copy.
	Last     func() error
	Progress Progress
}

// Restore fills an empty database with the rows of a backup and reads them back. The
// schema is that of the backup; Migrate brings it up to date. If it fails, the database
// is left without tables; if the process dies, opening the database returns
// db.ErrUnfinished. It returns db.ErrNotEmpty for a database that has rows.
func (t Target) Restore(ctx context.Context, r io.Reader) (Contents, error) {
	return t.fill(ctx, func(to sink) (Contents, error) { return replay(ctx, r, to, "restoring", t.Progress) })
}

// Copy fills an empty database with a snapshot of another one and reads it back. It fails
// as Restore does.
func (t Target) Copy(ctx context.Context, from *db.DB) (Contents, error) {
	return t.fill(ctx, func(to sink) (Contents, error) { return dump(ctx, from, Header{}, to, "copying", t.Progress) })
}

func (t Target) fill(ctx context.Context, from func(sink) (Contents, error)) (Contents, error) {
	l := &loader{ctx: ctx, target: t}
	c, err := from(l)
	if err == nil {
		err = l.check(c.Tables)
	}
	if err == nil && t.Last != nil {
		err = t.Last()
	}
	if err == nil {
		err = l.load.Finish(ctx)
	}
	if err != nil && l.load != nil {
		err = errors.Join(err, l.load.Abandon(context.WithoutCancel(ctx)))
	}
	return c, err
}

const (
	// loadRows and loadBytes bound what waits in memory for one transaction.
	loadRows  = 5000
	loadBytes = 4 << 20
)

// loader is the sink that fills a database.
type loader struct {
	ctx    context.Context
	target Target
	load   *db.Load   // nil before begin
	schema []db.Table // of the target
	tables []db.Table // received from the source; the last is the one being filled
	rows   [][]any
	bytes  int
}

func (l *loader) begin(h Header) (err error) {
	if l.load, err = l.target.DB.BeginLoad(l.ctx, h.Steps, l.target.Again); err != nil {
		return err
	}
	return l.target.DB.View(l.ctx, func(tx *db.Tx) (err error) { l.schema, err = tx.Tables(); return err })
}

// table finds the table in the target's schema. Both have to have the same columns, in any
// order: values are assigned by column name.
func (l *loader) table(t db.Table) error {
	for _, ours := range l.schema {
		if ours.Name == t.Name && sameColumns(ours.Columns, t.Columns) {
			l.tables = append(l.tables, t)
			return nil
		}
	}
	return fmt.Errorf("%w: its table %s is not as its steps make it", ErrFormat, t.Name)
}

func sameColumns(a, b []db.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for _, c := range a {
		if !slices.Contains(b, c) {
			return false
		}
	}
	return true
}

func (l *loader) row(values []any, encoded []byte) error {
	l.rows = append(l.rows, slices.Clone(values))
	l.bytes += len(encoded)
	if len(l.rows) < loadRows && l.bytes < loadBytes {
		return nil
	}
	return l.flush()
}

func (l *loader) flush() error {
	if len(l.rows) == 0 {
		return nil
	}
	t := l.tables[len(l.tables)-1]
	err := l.load.Insert(l.ctx, t, l.rows)
	clear(l.rows)
	l.rows, l.bytes = l.rows[:0], 0
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	return nil
}

func (l *loader) end(Sum) error { return l.flush() }

// check reads everything back, with the columns in the source's order, and compares it
// table by table. Every table of the schema has to be among them.
func (l *loader) check(want []Sum) error {
	if len(l.tables) != len(l.schema) {
		return fmt.Errorf("%w: it has %d tables, and its steps make %d", ErrFormat, len(l.tables), len(l.schema))
	}
	var got []Sum
	all, done := int64(0), int64(0)
	for _, s := range want {
		all += s.Rows
	}
	err := l.target.DB.View(l.ctx, func(tx *db.Tx) error {
		if err := tx.Unhurried(); err != nil {
			return err
		}
		for _, t := range l.tables {
			s, err := dumpTable(l.ctx, tx, t, discard{}, func(n int64) { l.target.Progress.report("reading back", done+n, all) })
			if err != nil {
				return fmt.Errorf("read back the table %s: %w", t.Name, err)
			}
			got, done = append(got, s), done+s.Rows
		}
		return nil
	})
	if err != nil {
		return err
	}
	return same(got, want)
}
