package delivery_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/delivery"
)

// Whatever a message holds, it stays inside its place in the request: in JSON, in a form, in
// the path.
func FuzzHookTemplate(f *testing.F) {
	f.Add(`"a": 1,`, "+41791234567", "123456", "123456\n\nA line")
	f.Add(``, `"}, "to": "evil`, `\`, "\u2028\x00\xff")
	f.Add(``, "../../admin?x#y", "%2F..", "a&to=b")
	f.Fuzz(func(t *testing.T, literal, to, code, text string) {
		literal = strings.NewReplacer("{{", "", "}}", "").Replace(literal) // templates are the administrator's
		for _, h := range []delivery.Hook{
			{URL: "https://gateway.example.org/{{.To}}/send", Body: `{` + literal + `"sent to": "{{.To}}", "text": "{{.Text}}", "code": "{{.Code}}"}`, ContentType: "application/json", Method: "POST"},
			{URL: "https://gateway.example.org/" + strings.NewReplacer("?", "", "#", "").Replace(literal), Body: `sent to={{.To}}&text={{.Text}}&code={{.Code}}`, ContentType: "application/x-www-form-urlencoded", Method: "POST"},
		} {
			s, err := delivery.NewHook(h)
			if err != nil {
				continue
			}
			address, body, err := delivery.Made(s, to, code, text)
			if err != nil {
				continue
			}
			if u, err := url.Parse(address); err != nil || u.Host != "gateway.example.org" || strings.Contains(u.Path, "/../") {
				t.Fatalf("it goes to %q: %v", address, err)
			}
			got := map[string]string{}
			if h.ContentType == "application/json" {
				var all map[string]any
				if err := json.Unmarshal(body, &all); err != nil {
					t.Fatalf("no JSON: %v\n%s", err, body)
				}
				for name, value := range all {
					got[name], _ = value.(string)
				}
			} else {
				all, err := url.ParseQuery(string(body))
				if err != nil || len(all) != 3 {
					t.Fatalf("no form of three: %v\n%s", err, body)
				}
				for name := range all {
					got[name] = all.Get(name)
				}
			}
			for name, want := range map[string]string{"sent to": to, "text": text, "code": code} {
				if got[name] != want && utf8.ValidString(want) {
					t.Fatalf("%s is %q, not %q, in\n%s", name, got[name], want, body)
				}
			}
		}
	})
}
