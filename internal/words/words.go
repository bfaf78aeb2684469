// Package words is the message catalogue: every text that people read, in
// every language, by key.
//
// Texts are in catalogue/*.toml. A missing key is a bug: a test checks all uses, and at run
// time the key itself is shown. The package chooses a language only by a browser's
// Accept-Language.
package words

import (
	"embed"
	"fmt"
	"html"
	"html/template"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"
)

//go:embed catalogue
var files embed.FS

// Languages are the codes of all languages; the first is for browsers that accept none of
// them.
var Languages = []string{"en", "de"}

// Catalogue holds all languages.
type Catalogue struct {
	languages map[string]*Language
	matcher   language.Matcher
	matched   sync.Map // Accept-Language to *Language
	known     atomic.Int32
}

// Language is the texts of one language. It is safe for concurrent use.
type Language struct {
	// Lang is its code, such as "en".
	Lang      string
	messages  map[string]message // texts that depend on no count
	localizer *i18n.Localizer
	counted   sync.Map // countedKey to string: texts that depend on a count
}

// Load returns the catalogue, a part of the program that is read once. An error is a mistake in
// the files.
func Load() (*Catalogue, error) { return loaded() }

var loaded = sync.OnceValues(load)

func load() (*Catalogue, error) {
	bundle := i18n.NewBundle(language.English)
	c := &Catalogue{languages: map[string]*Language{}}
	var tags []language.Tag
	for _, code := range Languages {
		f, err := readCatalogue(code)
		if err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", code, err)
		}
		l := &Language{Lang: code, messages: map[string]message{}, localizer: i18n.NewLocalizer(bundle, code)}
		for _, m := range f.Messages {
			if m.One == "" {
				l.messages[m.ID] = cut(m.Other)
			} else if err := bundle.AddMessages(f.Tag, m); err != nil {
				return nil, fmt.Errorf("catalogue %s: %w", code, err)
			}
		}
		c.languages[code] = l
		tags = append(tags, f.Tag)
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

func readCatalogue(code string) (*i18n.MessageFile, error) {
	path := "catalogue/" + code + ".toml"
	text, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return i18n.ParseMessageFileBytes(text, path, map[string]i18n.UnmarshalFunc{"toml": toml.Unmarshal})
}

// Get returns the language of a code, or the first.
func (c *Catalogue) Get(code string) *Language {
	if l, ok := c.languages[code]; ok {
		return l
	}
	return c.languages[Languages[0]]
}

// Match returns the best language for an Accept-Language header (RFC 9110 12.5.4). Browsers
// send few different ones, so the first thousand results are cached.
func (c *Catalogue) Match(accept string) *Language {
	if len(accept) > 256 {
		accept = ""
	}
	if l, ok := c.matched.Load(accept); ok {
		return l.(*Language)
	}
	_, at := language.MatchStrings(c.matcher, accept)
	l := c.Get(Languages[at])
	if c.known.Add(1) <= 1000 {
		c.matched.Store(strings.Clone(accept), l)
	}
	return l
}

// T returns the text of key with pairs of name and value filled in.
func (l *Language) T(key string, pairs ...any) string {
	m, ok := l.messages[key]
	if !ok {
		return key
	}
	return m.fill(func(name string) string { return fmt.Sprint(valueOf(name, pairs)) })
}

// H is T as HTML: values are escaped and isolated (<bdi>), since a name may run
// in the other direction than the sentence.
func (l *Language) H(key string, pairs ...any) template.HTML {
	m, ok := l.messages[key]
	if !ok {
		return template.HTML(html.EscapeString(key)) //nolint:gosec // escaped
	}
	return template.HTML(m.escaped().fill(func(name string) string { //nolint:gosec // text and values are escaped
		return "<bdi>" + html.EscapeString(fmt.Sprint(valueOf(name, pairs))) + "</bdi>"
	}))
}

type countedKey struct {
	key   string
	count int
}

// N returns the text of key for a count, which is filled in as Count.
func (l *Language) N(key string, count int) string {
	// Counts are seconds and minutes, so that few different ones are cached.
	keep := count >= 0 && count <= 3600
	if keep {
		if s, ok := l.counted.Load(countedKey{key, count}); ok {
			return s.(string)
		}
	}
	s, err := l.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: count, TemplateData: map[string]any{"Count": count}})
	if err != nil && s == "" {
		return key
	}
	if keep {
		l.counted.Store(countedKey{key, count}, s)
	}
	return s
}

// Has reports whether key has a text.
func (l *Language) Has(key string) bool {
	if _, ok := l.messages[key]; ok {
		return true
	}
	_, tag, err := l.localizer.LocalizeWithTag(&i18n.LocalizeConfig{MessageID: key, PluralCount: 2, TemplateData: map[string]any{}})
	return err == nil && strings.HasPrefix(tag.String(), l.Lang)
}
