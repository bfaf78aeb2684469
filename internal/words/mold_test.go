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
	mold := words.NewMold(execute(words.Marks(4)))
	for _, v := range [][]string{
		{"Ann", "b", "https://example.org/x?a=b", "d"},
		{"", "", "", "d"},
		append(words.Marks(3), "d"), // a value that looks like a mark is text
	} {
		if got, want := mold.Text(v), execute(v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := words.NewMold("xqMarkOfValue and xqMarkOfValue9 qx").Text(nil); got != "xqMarkOfValue and xqMarkOfValue9 qx" {
		t.Errorf("half a mark became %q", got)
	}
}
