package db

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestValuesOfAllSizesComeBackAsTheyWere(t *testing.T) {
	l := fresh(t)
	if err := l.run("CREATE TABLE t (text TEXT, bytes BLOB)"); err != nil {
		t.Fatal(err)
	}
	var texts []string
	var blobs [][]byte
	for _, n := range []int{0, 1, 63, 64, 65, 5000, 3, 200_000, 0, 129, 7} {
		text, blob := strings.Repeat("é", n/2)+strings.Repeat("x", n%2), bytes.Repeat([]byte{0, 0xff}, n)
		texts, blobs = append(texts, text), append(blobs, blob)
		if _, err := l.exec(t.Context(), "INSERT INTO t VALUES ($1, $2)", []any{text, blob}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := l.query(t.Context(), "SELECT text, bytes, bytes, text FROM t ORDER BY rowid", nil)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		text  string
		bytes []byte
		free  any
		copy  []byte
	}
	var rows []row
	for r.Next() {
		var one row
		if err := r.Scan(&one.text, &one.bytes, &one.free, &one.copy); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, one)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	// Only now, when SQLite has used its memory for other rows and freed it.
	if err := l.run("DROP TABLE t"); err != nil {
		t.Fatal(err)
	}
	for i, one := range rows {
		free, ok := one.free.([]byte)
		if one.text != texts[i] || !bytes.Equal(one.bytes, blobs[i]) || !ok || !bytes.Equal(free, blobs[i]) || string(one.copy) != texts[i] {
			t.Errorf("row %d came back otherwise", i)
		}
		if one.bytes == nil || free == nil {
			t.Errorf("row %d: no bytes became NULL", i)
		}
	}
	if len(rows) != len(texts) {
		t.Errorf("%d rows of %d", len(rows), len(texts))
	}
}

func TestBytesThatAreNotThereAreNull(t *testing.T) {
	l := fresh(t)
	for _, c := range []struct {
		value any
		kind  string
	}{{nil, "null"}, {[]byte(nil), "null"}, {[]byte{}, "blob"}, {"", "text"}, {false, "integer"}, {time.Time{}, "integer"}} {
		r, err := l.query(t.Context(), "SELECT typeof($1)", []any{c.value})
		if err != nil {
			t.Fatal(err)
		}
		var kind string
		if !r.Next() || r.Scan(&kind) != nil || kind != c.kind {
			t.Errorf("a %#v is stored as %s", c.value, kind)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStatementThatRunsIsNotDisturbed(t *testing.T) {
	l := fresh(t)
	const query = "SELECT $1 FROM (VALUES (1), (2), (3))"
	r, err := l.query(t.Context(), query, []any{"outer"})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if _, err := l.query(t.Context(), query, []any{"inner"}); err == nil {
			t.Fatal("it runs twice at once")
		}
		var got string
		if !r.Next() || r.Scan(&got) != nil || got != "outer" {
			t.Errorf("row %d became %q", n, got)
		}
	}
	if r.Next() || r.Err() != nil {
		t.Error("more rows than there are", r.Err())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = l.query(t.Context(), query, []any{"again"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStatementRunsAgainAfterItFailed(t *testing.T) {
	l := fresh(t)
	if _, err := l.exec(t.Context(), "CREATE TABLE t (n INTEGER PRIMARY KEY); -- and a row\nINSERT INTO t VALUES (1);\n-- the end\n", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n     any
		fails bool
	}{{1, true}, {2, false}, {2, true}, {struct{}{}, true}, {3, false}} {
		_, err := l.exec(t.Context(), "INSERT INTO t VALUES ($1)", []any{c.n})
		if (err != nil) != c.fails {
			t.Errorf("%v: %v", c.n, err)
		}
		r, err := l.query(t.Context(), "INSERT INTO t VALUES ($1) RETURNING n", []any{1})
		if err != nil || r.Next() || r.Err() == nil || !strings.Contains(r.Err().Error(), "UNIQUE constraint failed: t.n (1555)") {
			t.Errorf("a row that is there: %v, %v", err, r.Err())
		}
		if err := r.Close(); err != nil {
			t.Error("the failure comes twice:", err)
		}
	}
	var n int
	r, err := l.query(t.Context(), "SELECT count(*) FROM t", nil)
	if err != nil || !r.Next() || r.Scan(&n) != nil || n != 3 {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
