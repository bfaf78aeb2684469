package words_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/djauthy/djauthy/internal/words"
)

// text is an entry of a catalogue: one form, or one for each count.
type text struct{ one, other string }

func (x text) counted() bool { return x.one != "" }

func texts(t *testing.T, code string) map[string]text {
	t.Helper()
	b, err := os.ReadFile("catalogue/" + code + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := toml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]text{}
	for key, v := range doc {
		switch v := v.(type) {
		case string:
			all[key] = text{other: v}
		case map[string]any:
			x := text{fmt.Sprint(v["one"]), fmt.Sprint(v["other"])}
			if len(v) != 2 || v["one"] == nil || v["other"] == nil {
				t.Errorf("%s: %s has forms other than one and other", code, key)
			}
			all[key] = x
		default:
			t.Errorf("%s: %s is no text", code, key)
		}
	}
	return all
}

var (
	braces      = regexp.MustCompile(`\{\{.*?\}\}`)
	placeholder = regexp.MustCompile(`^\{\{\.([A-Z]\w*)\}\}$`)
)

// placeholders are the names in a text, sorted, each once.
func placeholders(t *testing.T, key, s string) (names []string) {
	t.Helper()
	for _, b := range braces.FindAllString(s, -1) {
		m := placeholder.FindStringSubmatch(b)
		if m == nil {
			t.Errorf("%s: %s is no plain placeholder", key, b)
			continue
		}
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryLanguageHasTheSameTextsWithTheSamePlaceholders(t *testing.T) {
	first := texts(t, words.Languages[0])
	for _, code := range words.Languages[1:] {
		other := texts(t, code)
		for key, x := range first {
			y, ok := other[key]
			if !ok {
				t.Errorf("%s is missing in %s", key, code)
				continue
			}
			if x.counted() != y.counted() {
				t.Errorf("%s depends on a count in one language only", key)
			}
			want := placeholders(t, key, x.other)
			if got := placeholders(t, key, y.other); !slices.Equal(got, want) {
				t.Errorf("%s fills in %v in %s, %v in the first", key, got, code, want)
			}
		}
		for key := range other {
			if _, ok := first[key]; !ok {
				t.Errorf("%s is in %s alone", key, code)
			}
		}
	}
}

func TestTextsAreWhole(t *testing.T) {
	for _, code := range words.Languages {
		for key, x := range texts(t, code) {
			if strings.TrimSpace(x.other) == "" || strings.TrimSpace(x.other) != x.other && key != "error.prefix" || strings.ContainsAny(x.other+x.one, "\n\r<>") {
				t.Errorf("%s in %s is %q", key, code, x.other)
			}
			if !x.counted() {
				continue
			}
			want := placeholders(t, key, x.other)
			for _, name := range placeholders(t, key, x.one) {
				if !slices.Contains(want, name) {
					t.Errorf("%s in %s fills in %s for one alone", key, code, name)
				}
			}
			if slices.ContainsFunc(want, func(n string) bool { return n != "Count" }) {
				t.Errorf("%s in %s depends on a count and fills in more than it", key, code)
			}
		}
	}
}

func TestEveryTextThatIsAskedForIsThereInEveryLanguage(t *testing.T) {
	all := uses(t)
	if len(all) < 150 {
		t.Errorf("only %d uses were found", len(all))
	}
	for _, code := range words.Languages {
		there := texts(t, code)
		l := catalogue(t).Get(code)
		for _, u := range all {
			x, ok := there[u.key]
			if !ok {
				t.Errorf("%s asks for %s, which %s has not", u.where, u.key, code)
				continue
			}
			if !l.Has(u.key) {
				t.Errorf("Has does not know %s", u.key)
			}
			if x.counted() != (u.method == "N") {
				t.Errorf("%s asks for %s by %s", u.where, u.key, u.method)
			}
		}
	}
}

// A value that is not handed over leaves a hole in the sentence.
func TestEveryUseHandsOverAllValues(t *testing.T) {
	there := texts(t, words.Languages[0])
	for _, u := range uses(t) {
		if u.method == "N" {
			continue // fills in Count alone
		}
		want := placeholders(t, u.key, there[u.key].other)
		for _, name := range want {
			if !slices.Contains(u.names, name) {
				t.Errorf("%s asks for %s without %s", u.where, u.key, name)
			}
		}
	}
}

func TestEveryTextIsAskedFor(t *testing.T) {
	asked := map[string]bool{}
	for _, u := range uses(t) {
		asked[u.key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(texts(t, words.Languages[0]))) {
		if !asked[key] {
			t.Errorf("nobody asks for %s", key)
		}
	}
}
