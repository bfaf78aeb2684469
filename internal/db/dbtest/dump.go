package dbtest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
)

// Dump is every row of every table as text, by table: bytes both as they are
// and in hexadecimal.
func Dump(t testing.TB, d *db.DB) map[string][]string {
	t.Helper()
	list := `SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, c.cid`
	if d.Engine() == "postgres" {
		list = `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, ordinal_position`
	}
	columns, rows := map[string][]string{}, map[string][]string{}
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		err := tx.Each(func(scan func(...any) error) error {
			var table, column string
			err := scan(&table, &column)
			columns[table] = append(columns[table], column)
			return err
		}, list)
		for table, names := range columns {
			err = errors.Join(err, tx.Each(func(scan func(...any) error) error {
				values, into := make([]any, len(names)), make([]any, len(names))
				for i := range values {
					into[i] = &values[i]
				}
				err := scan(into...)
				rows[table] = append(rows[table], line(names, values))
				return err
			}, `SELECT `+strings.Join(names, ", ")+` FROM `+table+` ORDER BY `+strings.Join(names[:min(2, len(names))], ", ")))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

func line(names []string, values []any) string {
	var b strings.Builder
	for i, v := range values {
		if raw, ok := v.([]byte); ok {
			fmt.Fprintf(&b, "%s=%s %s\n", names[i], raw, hex.EncodeToString(raw))
		} else {
			fmt.Fprintf(&b, "%s=%v\n", names[i], v)
		}
	}
	return b.String()
}
