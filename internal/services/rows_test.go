package services_test

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/services"
)

func TestJSONLinesAreReadInBothForms(t *testing.T) {
	const text = `{"id": 3, "name": "shop", "realm": "ungleich-auth", "seed": "` + shopSeed + `", "expires": "2027-01-31T12:00:00Z"}

{"model": "auth.user", "pk": 1, "fields": {"username": "admin"}}
  {"model": "otpauth.otpseed", "pk": 7, "fields": {"name": "dr\u00fccker \"1\" {[", "realm": "office", "seed": "` + printerSeed + `"}}
{"name": "a", "realm": "b", "seed": "C"}`
	for _, text := range []string{text, text + "\n", text + "\n\n", strings.ReplaceAll(text, "\n", "\r\n"), "\n\ufeff"[1:] + text} {
		wantRows(t, mustRead(t, text, false),
			services.Row{Line: 1, ID: 3, Name: "shop", Realm: "ungleich-auth", Seed: shopSeed, Expires: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)},
			services.Row{Line: 3, Skip: "auth.user"},
			services.Row{Line: 4, ID: 7, Name: `drücker "1" {[`, Realm: "office", Seed: printerSeed},
			services.Row{Line: 5, Name: "a", Realm: "b", Seed: "C"})
	}
}

// What the wire's list answers, and what services list --json prints, can be read.
func TestAListOfPlainObjectsIsRead(t *testing.T) {
	wantRows(t, mustRead(t, `[{"id":1,"name":"a","realm":"b","seed":"C"},{"name":"c","realm":"d","seed":"E"}]`, false),
		services.Row{Line: 1, ID: 1, Name: "a", Realm: "b", Seed: "C"}, services.Row{Line: 2, Name: "c", Realm: "d", Seed: "E"})
}

func TestALineThatIsNoObjectIsAProblemOfItsOwn(t *testing.T) {
	const good = `{"name": "a", "realm": "b", "seed": "C"}`
	for _, bad := range []string{`{"name": "a"`, `[]`, `5`, `x`, good + good, good + `,`, `{`, `{"fields": 5}`, `{"model": 5, "fields": {}}`, `{}`, `{"seed": "C"}`, `{"name": "\ud800", "realm": "b", "seed": "C"}`, "{\"name\": \"\xff\", \"realm\": \"b\", \"seed\": \"C\"}"} {
		rows, err := readAll(good+"\n"+bad+"\n"+good+"\n", false)
		if err != nil || len(rows) != 3 || rows[1].Problem == "" || rows[1].Line != 2 || rows[2].Problem != "" || rows[2].Line != 3 {
			t.Errorf("%s: %+v, %v", bad, rows, err)
		}
	}
}

// Half a character is no character, and two names that differ must not become one.
func TestATextThatIsNoUnicodeIsAProblemOfItsRow(t *testing.T) {
	for _, name := range []string{`\ud800`, `x\udc00`, "\xff"} {
		rows, err := readAll(`[{"model": "m", "pk": 1, "fields": {"name": "`+name+`", "realm": "b", "seed": "C"}}, {"name": "\ud83d\ude00", "realm": "b", "seed": "C"}]`, false)
		if err != nil || len(rows) != 2 || rows[0].Problem == "" || rows[1].Problem != "" || rows[1].Name != "😀" {
			t.Errorf("%q: %+v, %v", name, rows, err)
		}
	}
}

// forever never ends.
type forever struct {
	begin, again string
	read         int
}

func (f *forever) Read(p []byte) (n int, err error) {
	defer func() { f.read += n }()
	if f.begin != "" {
		n = copy(p, f.begin)
		f.begin = f.begin[n:]
		return n, nil
	}
	for n < len(p) {
		n += copy(p[n:], f.again)
	}
	return n, nil
}

func TestAFileWithoutAnEndIsNotReadIntoMemory(t *testing.T) {
	const head = "name,realm,seed\n"
	for name, x := range map[string]struct {
		begin, again string
		isCSV        bool
	}{
		"an object":        {`[{"model": "m", "fields": {"name": "`, "x", false},
		"objects within":   {`[{"model": "m", "fields": `, `{"a":`, false},
		"space in one":     {`[{`, " ", false},
		"a line":           {`{"name": "a"`, " ", false},
		"a line of braces": {`{}`, "{}", false},
		"zeros":            {"", "\x00", false},
		"zeros in a list":  {"[", "\x00", false},
		"CSV of zeros":     {"", "\x00", true},
		"a head":           {"name,realm,seed", ",x", true},
		"a CSV line":       {head, "x", true},
		"CSV of commas":    {head, ",", true},
		"an open quote":    {head + `a,b,"`, "x\n", true},
		"quotes":           {head + `a,b,"`, `""`, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &forever{begin: x.begin, again: x.again}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rows, err := services.ReadRows(r, x.isCSV)
			for n := 0; err == nil && n < 10; n++ {
				_, err = rows.Next()
			}
			runtime.ReadMemStats(&after)
			if err == nil || err == io.EOF || r.read > services.MaxRow+64<<10 { //nolint:errorlint // a bare io.EOF is what must not be
				t.Errorf("after %d bytes: %v", r.read, err)
			}
			if name != "zeros" && name != "zeros in a list" && !strings.Contains(err.Error(), map[bool]string{false: "longer than 1048576 bytes", true: "longer than 65536 bytes"}[x.isCSV]) {
				t.Errorf("the error does not say why: %v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("it took %d MiB", used>>20)
			}
		})
	}
}

// A long file costs no more than its longest row.
func TestARowMayBeAsLongAsTheBound(t *testing.T) {
	object := func(n int) string {
		text := `{"name": "a", "realm": "b", "seed": "C", "x": "`
		return text + strings.Repeat("x", n-len(text)-2) + `"}`
	}
	for n, fits := range map[int]bool{services.MaxRow - 1: true, services.MaxRow + 1: false} {
		for _, text := range []string{"[" + object(n) + "," + object(n) + "]", object(n) + "\n" + object(n) + "\n"} {
			if rows, err := readAll(text, false); (err == nil && len(rows) == 2) != fits {
				t.Errorf("of %d bytes: %d rows, %v", n, len(rows), err)
			}
		}
	}
	long := strings.Repeat("x", services.MaxRecord/2)
	if rows, err := readAll("name,realm,seed\n"+strings.Repeat(long+",b,C\n", 4), true); err != nil || len(rows) != 4 {
		t.Errorf("CSV: %d rows, %v", len(rows), err)
	}
}

// Many rows are held at once: of a long one no more than a triple may have.
func TestOfALongRowNoMoreIsKeptThanATripleMayHave(t *testing.T) {
	long := strings.Repeat("é", 10_000)
	for name, c := range map[string]struct {
		text  string
		isCSV bool
	}{
		"list":         {`[{"name": "` + long + `", "realm": "` + long + `", "seed": "` + long + `"}]`, false},
		"lines":        {`{"name": "` + long + `", "realm": "b", "seed": "C"}` + "\n", false},
		"another kind": {`[{"model": "` + long + `", "fields": {}}]`, false},
		"CSV":          {"name,realm,seed\n" + long + ",b,C\n", true},
	} {
		rows, err := readAll(c.text, c.isCSV)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		r := rows[0]
		if n := max(len(r.Name), len(r.Realm), len(r.Seed), len(r.Skip), len(r.Problem)); n > 4*services.MaxText || !utf8.ValidString(r.Name+r.Skip) {
			t.Errorf("%s: %d bytes are kept of a value", name, n)
		}
		if r.Problem == "" && r.Skip == "" {
			t.Errorf("%s: it is taken for a triple", name)
		}
	}
}
