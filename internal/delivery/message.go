package delivery

import (
	"bytes"
	"fmt"
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

// Text is what the templates of all kinds fill in.
type Text struct {
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

// view is what a template sees.
type view struct {
	*words.Language
	Text
}

// wording turns messages into text in every language.
type wording struct {
	texts *words.Catalogue
	kinds map[string]kind
}

type kind struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// newWording parses mail/*.{subject.txt,txt,html} of files.
func newWording(files fs.FS, texts *words.Catalogue) (*wording, error) {
	w := &wording{texts, map[string]kind{}}
	names, err := fs.Glob(files, "mail/*.subject.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		base := strings.TrimSuffix(name, ".subject.txt")
		var k kind
		if k.subject, err = texttemplate.ParseFS(files, name); err != nil {
			return nil, err
		}
		if k.text, err = texttemplate.ParseFS(files, base+".txt"); err != nil {
			return nil, err
		}
		if k.html, err = htmltemplate.ParseFS(files, base+".html"); err != nil {
			return nil, err
		}
		w.kinds[strings.TrimPrefix(base, "mail/")] = k
	}
	return w, nil
}

func (w *wording) word(m Message) (Worded, error) {
	k, ok := w.kinds[m.Kind]
	if !ok {
		return Worded{}, fmt.Errorf("message of unknown kind %q", m.Kind)
	}
	v := view{w.texts.Get(m.Lang), m.Text}
	var subject, text, html bytes.Buffer
	if err := k.subject.Execute(&subject, v); err != nil {
		return Worded{}, err
	}
	if err := k.text.Execute(&text, v); err != nil {
		return Worded{}, err
	}
	if err := k.html.Execute(&html, v); err != nil {
		return Worded{}, err
	}
	return Worded{To: m.To, Subject: strings.TrimSpace(subject.String()), Text: text.String(), HTML: html.String()}, nil
}
