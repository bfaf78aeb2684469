package db

import "testing"

// fresh opens a new file, which ends with the test.
func fresh(t *testing.T) *liteConn {
	t.Helper()
	l, err := lite(t.TempDir() + "/x.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestPlaceholdersLoseTheirNumbersOnlyInOrder(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":                           "SELECT 1",
		"VALUES ($1, $2, $3)":                "VALUES (?, ?, ?)",
		"a = $1 AND b = $1":                  "a = $1 AND b = $1",
		"SET a = $2 WHERE b = $1":            "SET a = $2 WHERE b = $1",
		"$1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11": "? ? ? ? ? ? ? ? ? ? ?",
		"a = $10":                            "a = $10",
	} {
		if got := unnumbered(query); got != want {
			t.Errorf("%s became %s", query, got)
		}
	}
}

func TestPlaceholdersTakeTheArgumentOfTheirNumber(t *testing.T) {
	l := fresh(t)
	args := []any{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}
	for query, want := range map[string]string{
		"SELECT 'x'":           "x",
		"SELECT $1 || $2":      "ab",
		"SELECT $1 || $1":      "aa",
		"SELECT $2 || $1":      "ba",
		"SELECT $10 || $11":    "jk",
		"SELECT $1||$10||$1":   "aja",
		"SELECT $3 -- not $2":  "c",
		"SELECT '$2' || ($4);": "$2d",
	} {
		r, err := l.query(t.Context(), query, args)
		if err != nil {
			t.Fatal(query, err)
		}
		var got string
		if !r.Next() || r.Scan(&got) != nil || got != want {
			t.Errorf("%s is %q, %v", query, got, r.Err())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, wrong := range []string{"SELECT $12", "SELECT $0", "SELECT :a", "SELECT $x"} {
		if _, err := l.query(t.Context(), wrong, args); err == nil {
			t.Errorf("%s has an argument", wrong)
		}
	}
}

func TestValuesOfATableGoInAndOut(t *testing.T) {
	l := fresh(t)
	type named int64
	type word string
	row := func(dest ...any) error {
		t.Helper()
		r, err := l.query(t.Context(), "SELECT $1, $2, $3, $4, $5, $6, $7, $8", []any{int64(1), ID(2), 3, true, "four", word("five"), []byte{6}, named(7)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		if !r.Next() {
			t.Fatal("no row")
		}
		return r.Scan(dest...)
	}
	var a int64
	var b ID
	var c int
	var d bool
	var e string
	var f word
	var g []byte
	var h named
	if err := row(&a, &b, &c, &d, &e, &f, &g, &h); err != nil || a != 1 || b != 2 || c != 3 || !d || e != "four" || f != "five" || string(g) != "\x06" || h != 7 {
		t.Error(a, b, c, d, e, f, g, h, err)
	}
	var small int8
	var free any
	if err := row(&small, &a, &a, &a, &free, &e, &e, &a); err != nil || small != 1 || free != "four" || e != "\x06" {
		t.Error(small, free, e, err)
	}
	for _, wrong := range [][]any{{&e, &b, &c, &d, &e, &f, &g, &h}, {&a, &b, &c, &d, &a, &f, &g, &h}, {&a}, {}} {
		if row(wrong...) == nil {
			t.Errorf("%d places take what does not fit", len(wrong))
		}
	}
	if _, err := l.query(t.Context(), "SELECT $1", []any{struct{}{}}); err == nil {
		t.Error("a struct is stored")
	}
	r, err := l.query(t.Context(), "SELECT NULL", nil)
	if err != nil || !r.Next() || r.Scan(&a) == nil {
		t.Error("nothing became a number", err)
	}
	if err := r.Scan(&g); err != nil || g != nil {
		t.Errorf("nothing became the bytes %v: %v", g, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
