package words_test

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/words"
)

func catalogue(t testing.TB) *words.Catalogue {
	t.Helper()
	c, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMatchSpeaksWhatTheBrowserLikesBest(t *testing.T) {
	c := catalogue(t)
	for accept, want := range map[string]string{
		"": "en", "*": "en", "en": "en", "en-GB": "en", "de": "de", "DE": "de", "de-CH": "de", "de-CH,de;q=0.9": "de", "de-AT, en;q=0.5": "de",
		"gsw,de;q=0.8": "de", "en-US,en;q=0.9,de;q=0.8": "en", "de;q=0.1,en;q=0.9": "en", "en;q=0.1,de;q=0.9": "de",
		"fr": "en", "fr,de;q=0.5": "de", "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5": "en", "zh-Hant-TW": "en",
		// What no browser sends.
		",,,;;;": "en", "de;q=": "en", "\x00\xff": "en", "<script>": "en", "../../de": "en", "q=1": "en",
		strings.Repeat("de,", 1000): "en", strings.Repeat("x", 100000): "en", strings.Repeat("-", 256): "en",
	} {
		for range 2 { // also from what is kept
			if got := c.Match(accept); got.Lang != want {
				t.Errorf("%.40q speaks %s, want %s", accept, got.Lang, want)
			}
		}
	}
}

func TestManyDifferentHeadersAreAnsweredRight(t *testing.T) {
	c := catalogue(t)
	for i := range 3000 {
		accept := "de;q=0.9,x-" + strings.Repeat("a", i%8+1) + ";q=0." + strings.Repeat("1", i/8%200+1)
		if got := c.Match(accept).Lang; got != "de" && len(accept) <= 256 {
			t.Fatalf("%q speaks %s", accept, got)
		}
	}
	if c.Match("de").Lang != "de" || c.Match("en").Lang != "en" {
		t.Error("after them the common ones are wrong")
	}
}

func TestGetSpeaksTheLanguageOrTheFirst(t *testing.T) {
	c := catalogue(t)
	for code, want := range map[string]string{"en": "en", "de": "de", "": "en", "fr": "en", "DE": "en", "../de": "en"} {
		if got := c.Get(code); got.Lang != want {
			t.Errorf("%q speaks %s, want %s", code, got.Lang, want)
		}
	}
}

func TestAMissingKeyIsShownItself(t *testing.T) {
	l := catalogue(t).Get("de")
	if got := l.T("no.such.key", "A", 1); got != "no.such.key" {
		t.Errorf("T: %q", got)
	}
	if got := l.N("no.such.key", 2); got != "no.such.key" {
		t.Errorf("N: %q", got)
	}
	if got := l.H("no.<such>.key"); got != "no.&lt;such&gt;.key" {
		t.Errorf("H: %q", got)
	}
	if l.Has("no.such.key") || !l.Has("login.title") || !l.Has("ago.days") {
		t.Error("Has is wrong")
	}
}

func TestTFillsInValuesAsTheyAre(t *testing.T) {
	c := catalogue(t)
	for code, want := range map[string]string{"en": "<b>{{.System}} on Li&nux", "de": "<b>{{.System}} auf Li&nux"} {
		if got := c.Get(code).T("browser.on", "Browser", "<b>{{.System}}", "System", "Li&nux"); got != want && code == "en" {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	if got := c.Get("en").T("browser.on", "System", "Linux", "Browser", "Firefox", "Other", "x"); got != "Firefox on Linux" {
		t.Errorf("%q", got)
	}
}

func TestHEscapesAndIsolatesValues(t *testing.T) {
	l := catalogue(t).Get("en")
	for value, want := range map[any]template.HTML{
		"a***n@example.org":           "It is on its way to <bdi>a***n@example.org</bdi>.",
		`<script>alert("1")</script>`: "It is on its way to <bdi>&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;</bdi>.",
		"</bdi><b>":                   "It is on its way to <bdi>&lt;/bdi&gt;&lt;b&gt;</bdi>.",
		"{{.Masked}}":                 "It is on its way to <bdi>{{.Masked}}</bdi>.",
		template.HTML("<b>x</b>"):     "It is on its way to <bdi>&lt;b&gt;x&lt;/b&gt;</bdi>.",
		"\u202eevil":                  "It is on its way to <bdi>\u202eevil</bdi>.",
		"&amp;":                       "It is on its way to <bdi>&amp;amp;</bdi>.",
		7:                             "It is on its way to <bdi>7</bdi>.",
	} {
		if got := l.H("code.lead", "Typed", value); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}

func TestNChoosesTheFormForTheCount(t *testing.T) {
	c := catalogue(t)
	for _, w := range []struct {
		code  string
		count int
		want  string
	}{
		{"en", 1, "One try left."},
		{"en", 2, "2 tries left."},
		{"en", 0, "0 tries left."},
		{"en", 100000, "100000 tries left."},
		{"en", -1, "One try left."},
	} {
		for range 2 {
			if got := c.Get(w.code).N("code.tries_left", w.count); got != w.want && w.count >= 0 {
				t.Errorf("%s %d: %q, want %q", w.code, w.count, got, w.want)
			}
		}
	}
	one, two := c.Get("de").N("code.tries_left", 1), c.Get("de").N("code.tries_left", 2)
	if strings.Contains(one, "1") || !strings.Contains(two, "2") {
		t.Errorf("German: %q, %q", one, two)
	}
}

func TestAgoTellsWholeUnits(t *testing.T) {
	c := catalogue(t)
	for d, want := range map[time.Duration][2]string{
		-time.Hour:                   {"just now", "gerade eben"},
		0:                            {"just now", "gerade eben"},
		999 * time.Millisecond:       {"just now", "gerade eben"},
		time.Second:                  {"one second ago", "vor einer Sekunde"},
		59 * time.Second:             {"59 seconds ago", "vor 59 Sekunden"},
		time.Minute:                  {"one minute ago", "vor einer Minute"},
		119 * time.Second:            {"one minute ago", "vor einer Minute"},
		5 * time.Minute:              {"5 minutes ago", "vor 5 Minuten"},
		time.Hour:                    {"one hour ago", "vor einer Stunde"},
		23*time.Hour + time.Hour - 1: {"23 hours ago", "vor 23 Stunden"},
		24 * time.Hour:               {"yesterday", "gestern"},
		400 * 24 * time.Hour:         {"400 days ago", "vor 400 Tagen"},
	} {
		for i, code := range words.Languages {
			if got := c.Get(code).Ago(d); got != want[i] {
				t.Errorf("%s %v: %q, want %q", code, d, got, want[i])
			}
		}
	}
}

func TestInRoundsUp(t *testing.T) {
	c := catalogue(t)
	for d, want := range map[time.Duration][2]string{
		-time.Hour:              {"in one second", "in einer Sekunde"},
		0:                       {"in one second", "in einer Sekunde"},
		time.Millisecond:        {"in one second", "in einer Sekunde"},
		time.Second:             {"in one second", "in einer Sekunde"},
		1001 * time.Millisecond: {"in 2 seconds", "in 2 Sekunden"},
		59 * time.Second:        {"in 59 seconds", "in 59 Sekunden"},
		time.Minute:             {"in one minute", "in einer Minute"},
		61 * time.Second:        {"in 2 minutes", "in 2 Minuten"},
		3 * time.Minute:         {"in 3 minutes", "in 3 Minuten"},
		time.Hour:               {"in one hour", "in einer Stunde"},
		time.Hour + time.Second: {"in 2 hours", "in 2 Stunden"},
		30 * time.Hour:          {"in 30 hours", "in 30 Stunden"},
	} {
		for i, code := range words.Languages {
			if got := c.Get(code).In(d); got != want[i] {
				t.Errorf("%s %v: %q, want %q", code, d, got, want[i])
			}
		}
	}
}

func TestPlacesAndBrowsersAreNamed(t *testing.T) {
	l := catalogue(t).Get("en")
	for prefix, want := range map[string]string{
		"": "an unknown place", "127.0.0.0/24": "this machine", "::/48": "this machine", "192.0.2.0/24": "network 192.0.2.0/24", "2001:db8::/48": "network 2001:db8::/48",
	} {
		if got := l.Place(prefix); got != want {
			t.Errorf("%q is %q, want %q", prefix, got, want)
		}
	}
	for agent, want := range map[string]string{"": "an unknown browser", "/": "an unknown browser", "/Linux": "an unknown browser", "Firefox": "Firefox", "Firefox/": "Firefox", "Firefox/Linux": "Firefox on Linux"} {
		if got := l.Browser(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
