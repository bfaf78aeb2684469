package delivery

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"path"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"

	"github.com/djauthy/djauthy/internal/accounts"
	"github.com/djauthy/djauthy/internal/outbox"
	"github.com/djauthy/djauthy/internal/words"
)

// Message is one message to one person, before it is rendered.
type Message struct {
	// To is the recipient: the channel, and the identifier there in the spelling to which
	// the message is delivered.
	To   accounts.ID
	Kind string // the templates mail/KIND.*: "code", "test", "added", "removed", "merged", "undone"
	Lang string
	Text Text
}

// payload is a message as the outbox stores it. Its field names are in databases.
type payload struct {
	Channel, To, Kind, Lang string
	Text                    Text
}

func (p payload) message() Message {
	return Message{To: accounts.ID{Implementation: p.Channel, Identifier: p.To}, Kind: p.Kind, Lang: p.Lang, Text: p.Text}
}

// Job is the message for the outbox. After notAfter it is useless.
func (m Message) Job(notAfter time.Time) outbox.Job {
	to := m.To.Identifier
	return outbox.Job{
		Kind: m.To.Implementation, Recipient: m.To.Masked(), Lane: m.lane(), NotAfter: notAfter,
		Payload: payload{Channel: m.To.Implementation, To: to, Kind: m.Kind, Lang: m.Lang, Text: m.Text},
	}
}

// lane is what has one receiver: of mail the server of the domain, of other channels the one
// server that the channel knows.
func (m Message) lane() string {
	if m.To.Implementation != accounts.Email {
		return m.To.Implementation
	}
	return m.To.Domain()
}

// Text is the values in a message.
type Text struct {
	Code    string
	Site    string // brand name
	Host    string // of the public URL, for autofill bound to the origin
	Browser string
	Place   string
	At      string // when it was requested, HH:MM and zone
	Minutes int    // how long the code is valid
	Link    string
	NotMe   string
	// Elsewhere: without NotMe, the message to another address has it.
	Elsewhere bool   `json:",omitempty"`
	Address   string // that was added or removed, masked
	// Question is asked beside the code where the channel can; nil: none is.
	Question *Question `json:",omitempty"`
}

// shown is Text as the templates of all kinds see it.
type shown struct {
	*words.Language
	Code, Site, Host, Browser, Place, At, Life, Link, NotMe, Address string

	Elsewhere bool
}

func (t Text) in(l *words.Language) *shown {
	return &shown{
		Language: l, Code: t.Code, Site: t.Site, Host: t.Host, Browser: t.Browser, Place: t.Place, At: t.At,
		Life: l.N("mail.code.life", t.Minutes), Link: t.Link, NotMe: t.NotMe, Address: t.Address,
	}
}

func (s *shown) values() words.Values {
	return words.Values{&s.Code, &s.Site, &s.Host, &s.Browser, &s.Place, &s.At, &s.Life, &s.Link, &s.NotMe, &s.Address}
}

// Worded is a message as it is sent.
type Worded struct {
	ID      string // unique, letters and digits
	To      string
	Subject string
	Text    string
	HTML    string
	Date    time.Time
	Code    string // alone; "" in messages without one
	Minutes int    // how long the code is valid
	// Question is for channels on which people can answer; nil: there is none.
	Question *Question `json:",omitempty"`
}

// wording turns messages into text in every language.
type wording struct {
	texts *words.Catalogue
	kinds map[templateKey]func() (kind, error) // made at its first message
}

// templateKey selects a text. How its reader can say "it was not me" changes its structure,
// which a placeholder cannot express.
type templateKey struct {
	lang, kind string
	undo       undo
}

// undo is how the reader of a message can say "it was not me".
type undo int

const (
	nowhere   undo = iota // but to the administrator
	elsewhere             // by the message to another address
	byLink
)

func (t Text) undo() undo {
	switch {
	case t.NotMe != "":
		return byLink
	case t.Elsewhere:
		return elsewhere
	}
	return nowhere
}

// kind is a kind of message in one language.
type kind struct{ subject, text, html words.Precompiled }

// newWording finds mail/*.{subject.txt,txt,html} of files, which become precompiled texts for
// each language, and each way to say "it was not me". What they share is in mail/frame.{txt,html}.
func newWording(files fs.FS, texts *words.Catalogue) (*wording, error) {
	w := &wording{texts, map[templateKey]func() (kind, error){}}
	names, err := fs.Glob(files, "mail/*.subject.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		base := strings.TrimSuffix(name, ".subject.txt")
		for _, code := range words.Languages {
			for _, undo := range []undo{nowhere, elsewhere, byLink} {
				w.kinds[templateKey{code, strings.TrimPrefix(base, "mail/"), undo}] = sync.OnceValues(func() (kind, error) { return parseKind(files, base, undo, texts.Get(code)) })
			}
		}
	}
	return w, nil
}

func parseKind(files fs.FS, base string, u undo, l *words.Language) (k kind, err error) {
	plain, err := texttemplate.ParseFS(files, base+".subject.txt", base+".txt", "mail/frame.txt")
	if err != nil {
		return k, err
	}
	rich, err := htmltemplate.ParseFS(files, base+".html", "mail/frame.html")
	if err != nil {
		return k, err
	}
	name, marked := path.Base(base), Text{}.in(l)
	marked.values().Mark()
	if u != byLink {
		marked.NotMe = ""
	}
	marked.Elsewhere = u == elsewhere
	var subject, text, page bytes.Buffer
	if err := plain.ExecuteTemplate(&subject, name+".subject.txt", marked); err != nil {
		return k, err
	}
	if err := plain.ExecuteTemplate(&text, name+".txt", marked); err != nil {
		return k, err
	}
	if err := rich.ExecuteTemplate(&page, "frame", marked); err != nil {
		return k, err
	}
	n := len(marked.values())
	return kind{words.Precompile(strings.TrimSpace(subject.String()), n), words.Precompile(text.String(), n), words.Precompile(page.String(), n)}, nil
}

func (w *wording) word(m Message) (Worded, error) {
	l := w.texts.Get(m.Lang)
	made, ok := w.kinds[templateKey{l.Lang, m.Kind, m.Text.undo()}]
	if !ok {
		return Worded{}, fmt.Errorf("message of unknown kind %q", m.Kind)
	}
	k, err := made()
	if err != nil {
		return Worded{}, err
	}
	values := m.Text.in(l).values()
	return Worded{To: m.To.Identifier, Subject: k.subject.Text(values), Text: k.text.Text(values), HTML: k.html.HTML(values), Code: m.Text.Code, Minutes: m.Text.Minutes, Question: m.Text.Question}, nil
}
