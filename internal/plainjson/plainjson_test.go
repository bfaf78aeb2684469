package plainjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/plainjson"
)

func object(text string) (map[string]string, bool) {
	all := map[string]string{}
	w := plainjson.Over([]byte(text))
	ok := w.Object(func(name, value string) { all[name] = value })
	return all, ok && w.End()
}

func list(text string) ([]string, bool) {
	var all []string
	w := plainjson.Over([]byte(text))
	ok := w.List(func(value string) { all = append(all, value) })
	return all, ok && w.End()
}

func TestPlainJSONIsRead(t *testing.T) {
	for text, want := range map[string]map[string]string{
		`{}`: {}, " {\n} ": {},
		`{"name": "a", "token": 123456}`:              {"name": "a", "token": "123456"},
		"\r{ \"a\"\t:1 ,\n\"b\":\"}\" , \"a\":\"\" }": {"a": "", "b": "}"},
	} {
		if got, ok := object(text); !ok || !maps.Equal(got, want) {
			t.Errorf("%q is read as %q, %t", text, got, ok)
		}
	}
	for text, want := range map[string][]string{`[]`: nil, `[1]`: {"1"}, ` [ "a" , 20 , "" ] `: {"a", "20", ""}} {
		if got, ok := list(text); !ok || !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, %t", text, got, ok)
		}
	}
}

func TestWhatIsNotPlainIsLeft(t *testing.T) {
	for _, value := range []string{
		`"\n"`, `"ü"`, "\"\x7f\"", "\"\t\"", `"`, `-1`, `0`, `01`, `1.5`, `1e3`, `true`, `null`, `[]`, `{}`, ``, `1x`, `"a" "b"`, `"a",`, `1,`,
	} {
		for _, text := range []string{`{"a":` + value + `}`, `{"a":` + value, `{"a":1,` + value + `}`} {
			if got, ok := object(text); ok {
				t.Errorf("%q is read as %q", text, got)
			}
		}
		for _, text := range []string{`[1,` + value + `]`, `[` + value + `,`} {
			if got, ok := list(text); ok {
				t.Errorf("%q is read as %q", text, got)
			}
		}
	}
}

// FuzzWalk looks for texts that encoding/json does not read alike.
func FuzzWalk(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, `{"a":"b","c":1}`, `["a",1]`, `{"a":1,"a":"2"}`, ` { "a" : 10 } `, `["a"]]`, `{"a":1]`, "[\"\x00\"]", `[1,]`, `{,}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := object(text); ok {
			var want map[string]any
			if err := decode(text, &want); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q is read as %q, not %q: %v", text, got, want, err)
			}
		}
		if got, ok := list(text); ok {
			var want []any
			if err := decode(text, &want); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q is read as %q, not %q: %v", text, got, want, err)
			}
		}
	})
}

// decode is encoding/json with numbers as they are written.
func decode(text string, to any) error {
	if !json.Valid([]byte(text)) {
		return errors.New("it is not JSON")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(to)
}

func BenchmarkObject(b *testing.B) {
	text := []byte(`{"auth_name":"shop","auth_realm":"ungleich-auth","auth_token":"123456","name":"ledger","realm":"office","token":"654321"}`)
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			all := map[string]string{}
			plainjson.Over(text).Object(func(name, value string) { all[name] = value })
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		for b.Loop() {
			var all map[string]json.RawMessage
			if err := json.Unmarshal(text, &all); err != nil {
				b.Fatal(err)
			}
		}
	})
}
