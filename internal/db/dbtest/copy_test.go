package dbtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
)

// What Ready makes has to be what Migrate makes, or tests would pass on a database
// that nobody has.
func TestACopiedDatabaseIsLikeAMigratedOne(t *testing.T) {
	for engine, list := range map[string]string{
		"sqlite": `SELECT name, coalesce(sql, '') FROM sqlite_schema`,
		"postgres": `SELECT table_name || '.' || column_name, rank() OVER (PARTITION BY table_name ORDER BY ordinal_position) ||
				(to_jsonb(c) - '{table_schema,ordinal_position,dtd_identifier}'::text[])::text FROM information_schema.columns c WHERE table_schema = current_schema()
			UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
			UNION ALL SELECT indexname, replace(indexdef, current_schema(), '') FROM pg_indexes WHERE schemaname = current_schema()
			UNION ALL SELECT relname, relkind::text || coalesce(reloptions::text, '') FROM pg_class WHERE relnamespace = current_schema()::regnamespace`,
	} {
		t.Run(engine, func(t *testing.T) {
			migrated, copied := Open(t, URL(t, engine)), Ready(t, engine)
			d, err := db.Open(t.Context(), copied)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			want, got := append(lines(t, migrated, list), kept(t, migrated)...), append(lines(t, d, list), kept(t, d)...)
			if len(want) < 40 {
				t.Fatalf("only %d lines to compare", len(want))
			}
			for _, line := range want {
				if !slices.Contains(got, line) {
					t.Errorf("not copied: %s", line)
				}
			}
			for _, line := range got {
				if !slices.Contains(want, line) {
					t.Errorf("copied, but not so: %s", line)
				}
			}
			if pending, err := d.Pending(t.Context()); err != nil || len(pending) > 0 {
				t.Errorf("pending: %v, %v", pending, err)
			}
		})
	}
}

func lines(t *testing.T, d *db.DB, query string) (all []string) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var name, text string
			err := scan(&name, &text)
			all = append(all, name+": "+text)
			return err
		}, query)
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// kept are the rows, but for the times at which steps were taken.
func kept(t *testing.T, d *db.DB) (all []string) {
	t.Helper()
	for table, rows := range Dump(t, d) {
		for _, row := range rows {
			if table == "migrations" {
				row, _, _ = strings.Cut(row, "applied_at")
			}
			all = append(all, table+": "+row)
		}
	}
	slices.Sort(all)
	return all
}
