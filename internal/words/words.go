// Package words is the message catalogue: every text that people read, in
// every language, by key.
//
// Texts stand in catalogue/*.toml. A key that is missing is a fault of ours: a
// test walks all uses, and at run time the key itself is shown. The package
// does not decide which language somebody gets beyond matching what their
// browser asks for.
package words

import (
	"embed"
	"fmt"
	"html"
	"html/template"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"
)

//go:embed catalogue
var files embed.FS

// Languages are the codes of the languages there are; the first is the one for
// everybody who asks for none of them.
var Languages = []string{"en", "de"}

// Catalogue holds all languages.
type Catalogue struct {
	languages map[string]*Language
	matcher   language.Matcher
}

// Language speaks one language. It may be used by many goroutines.
type Language struct {
	// Lang is its code, such as "en".
	Lang      string
	plain     map[string]string // messages without placeholders
	localizer *i18n.Localizer
}

// Load reads the catalogue. An error is a fault in the files.
func Load() (*Catalogue, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	c := &Catalogue{languages: map[string]*Language{}}
	var tags []language.Tag
	for _, code := range Languages {
		f, err := bundle.LoadMessageFileFS(files, "catalogue/"+code+".toml")
		if err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", code, err)
		}
		l := &Language{Lang: code, plain: map[string]string{}, localizer: i18n.NewLocalizer(bundle, code)}
		for _, m := range f.Messages {
			if m.One == "" && !strings.Contains(m.Other, "{{") {
				l.plain[m.ID] = m.Other
			}
		}
		c.languages[code] = l
		tags = append(tags, f.Tag)
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

// Get returns the language of a code, or the first.
func (c *Catalogue) Get(code string) *Language {
	if l, ok := c.languages[code]; ok {
		return l
	}
	return c.languages[Languages[0]]
}

// Match returns the language that an Accept-Language header likes best (RFC
// 9110 12.5.4).
func (c *Catalogue) Match(accept string) *Language {
	if len(accept) > 256 {
		accept = ""
	}
	_, at := language.MatchStrings(c.matcher, accept)
	return c.Get(Languages[at])
}

// T returns the text of key with pairs of name and value filled in.
func (l *Language) T(key string, pairs ...any) string {
	if s, ok := l.plain[key]; ok {
		return s
	}
	return l.localize(key, nil, data(pairs))
}

// N is T for a text that depends on a count, which is filled in as Count.
func (l *Language) N(key string, count int, pairs ...any) string {
	d := data(pairs)
	d["Count"] = count
	return l.localize(key, count, d)
}

// H is T as HTML: values are escaped and isolated (<bdi>), since a name may run
// in the other direction than the sentence.
func (l *Language) H(key string, pairs ...any) template.HTML {
	d := data(pairs)
	const open, close = "\uE000", "\uE001" // private use: no text has them
	for k, v := range d {
		s := strings.NewReplacer(open, "", close, "").Replace(fmt.Sprint(v))
		d[k] = open + s + close
	}
	s := html.EscapeString(l.localize(key, nil, d))
	return template.HTML(strings.NewReplacer(open, "<bdi>", close, "</bdi>").Replace(s)) //nolint:gosec // escaped above
}

// Has reports whether key has a text.
func (l *Language) Has(key string) bool {
	_, tag, err := l.localizer.LocalizeWithTag(&i18n.LocalizeConfig{MessageID: key, PluralCount: 2, TemplateData: map[string]any{}})
	return err == nil && strings.HasPrefix(tag.String(), l.Lang)
}

func (l *Language) localize(key string, count any, d map[string]any) string {
	s, err := l.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: count, TemplateData: d})
	if err != nil && s == "" {
		return key
	}
	return s
}

func data(pairs []any) map[string]any {
	d := make(map[string]any, len(pairs)/2+1)
	for i := 0; i+1 < len(pairs); i += 2 {
		d[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return d
}
