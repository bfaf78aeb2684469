package words_test

import (
	"bytes"
	"html/template"
	"testing"

	"github.com/djauthy/djauthy/internal/words"
)

func TestAMoldSaysWhatTheTemplateSays(t *testing.T) {
	page := template.Must(template.New("").Parse(`<p class="{{.B}}">{{.A}} and {{.B}}, <a href="{{.C}}">{{.A}}</a>{{if .D}}!{{end}}`))
	type values struct{ A, B, C, D string }
	execute := func(v []string) string {
		var b bytes.Buffer
		if err := page.Execute(&b, values{v[0], v[1], v[2], v[3]}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	fields := func(v []string) (all words.Values) {
		for i := range v {
			all = append(all, &v[i])
		}
		return all
	}
	marks := []string{"", "", "", "d"}
	fields(marks[:3]).Mark()
	mold := words.Precompile(execute(marks), 3)
	for _, v := range [][]string{
		{"Ann", "b", "https://example.org/x?a=b", "d"},
		{`<b>"R" & 'D'</b>`, `" onclick="`, "https://example.org/", "d"},
		{"", "", "", "d"},
		marks, // a value that looks like a mark is text
	} {
		if got, want := mold.HTML(fields(v)), execute(v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := words.Precompile("xqMarkOfValue and xqMarkOfValue9qx", 3).Text(nil); got != "xqMarkOfValue and xqMarkOfValue9qx" {
		t.Errorf("half a mark became %q", got)
	}
}
