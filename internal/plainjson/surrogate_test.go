package plainjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/plainjson"
)

func TestHalfASurrogatePairIsFound(t *testing.T) {
	for text, want := range map[string]bool{
		``: false, `\`: false, `"\`: false, `"a"`: false, `"\n\\\""`: false, `"\u0041"`: false, `"\ud7ff\ue000"`: false,
		`"\ud83d\ude00"`: false, `"\uD83D\uDE00"`: false, `"\\ud800"`: false, `"\ud83d\ude00\ud83d\ude00"`: false,
		`"\ud800"`: true, `"\udbff"`: true, `"\uDC00"`: true, `"\udfff"`: true, `"\ud800x"`: true, `"\ud800\n"`: true, `"\ud800\u0041"`: true,
		`"\ud800\ud800\udc00"`: true, `"\ude00\ud83d"`: true, `"\\\ud800"`: true, `{"\ud800":1}`: true, `"\ud83d\ude00\udc00"`: true, `"\ud83d\ude0`: true,
	} {
		if got := plainjson.LoneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}

// What encoding/json reads unchanged has no half, and the other way round.
func FuzzLoneSurrogate(f *testing.F) {
	for _, text := range []string{`"\ud800"`, `"\ud83d\ude00"`, `"\\ud800\u0041"`, `"\ufffd"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) || strings.Contains(text, "\ufffd") || strings.Contains(strings.ToLower(text), `\ufffd`) {
			return
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return
		}
		replaced := strings.Contains(fmt.Sprint(v), "\ufffd")
		if got := plainjson.LoneSurrogate([]byte(text)); replaced && !got {
			t.Errorf("%s: half a pair is not found", text)
		} else if _, whole := v.(string); whole && got && !replaced {
			t.Errorf("%s: there is no half a pair", text)
		}
	})
}
