package delivery

import (
	"bytes"
	"fmt"
	"html"
	htmltemplate "html/template"
	"io/fs"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/djauthy/djauthy/internal/words"
)

// Message is one message to one person, before it is worded.
type Message struct {
	Channel string // the implementation: "email"
	To      string // the identifier there
	Kind    string // the templates mail/KIND.*: "code", "test"
	Lang    string
	Text    Text
}

// Text is what the templates of all kinds fill in. The language is set when the
// message is worded. All fields are its own and none is promoted, for templates
// look those up slowly.
type Text struct {
	*words.Language `json:"-"`

	Code    string
	Site    string // brand name
	Host    string // of the public URL, for autofill bound to the origin
	Browser string
	Place   string
	At      string // when it was asked for, HH:MM and zone
	Minutes int    // how long the code lives
	Link    string
	NotMe   string
}

// Worded is a message as it leaves the house.
type Worded struct {
	ID      string // unique, letters and digits
	To      string
	Subject string
	Text    string
	HTML    string
	Date    time.Time
}

// wording turns messages into text in every language.
type wording struct {
	texts *words.Catalogue
	kinds map[string]kind // by language and name: "en/code"
}

type kind struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// newWording parses mail/*.{subject.txt,txt,html} of files, once for each
// language.
func newWording(files fs.FS, texts *words.Catalogue) (*wording, error) {
	w := &wording{texts, map[string]kind{}}
	names, err := fs.Glob(files, "mail/*.subject.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		base := strings.TrimSuffix(name, ".subject.txt")
		for _, code := range words.Languages {
			k, err := parseKind(files, base, texts.Get(code))
			if err != nil {
				return nil, err
			}
			w.kinds[code+"/"+strings.TrimPrefix(base, "mail/")] = k
		}
	}
	return w, nil
}

func parseKind(files fs.FS, base string, l *words.Language) (k kind, err error) {
	if k.subject, err = texttemplate.ParseFS(files, base+".subject.txt"); err != nil {
		return k, err
	}
	if k.text, err = texttemplate.ParseFS(files, base+".txt"); err != nil {
		return k, err
	}
	if k.html, err = htmltemplate.ParseFS(files, base+".html"); err != nil {
		return k, err
	}
	asIs := func(s string) string { return s }
	l.Settle(k.subject.Tree, nil, asIs)
	l.Settle(k.text.Tree, nil, asIs)
	l.Settle(k.html.Tree, nil, html.EscapeString)
	return k, nil
}

func (w *wording) word(m Message) (Worded, error) {
	l := w.texts.Get(m.Lang)
	k, ok := w.kinds[l.Lang+"/"+m.Kind]
	if !ok {
		return Worded{}, fmt.Errorf("message of unknown kind %q", m.Kind)
	}
	v := m.Text
	v.Language = l
	var subject, text, rich bytes.Buffer
	if err := k.subject.Execute(&subject, v); err != nil {
		return Worded{}, err
	}
	if err := k.text.Execute(&text, v); err != nil {
		return Worded{}, err
	}
	if err := k.html.Execute(&rich, v); err != nil {
		return Worded{}, err
	}
	return Worded{To: m.To, Subject: strings.TrimSpace(subject.String()), Text: text.String(), HTML: rich.String()}, nil
}
