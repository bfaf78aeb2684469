package page

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

// views are the parsed pages, by file name.
type views struct {
	pages   func() (pages, error) // parsed at the first use
	buffers sync.Pool
}

type pages map[string]*template.Template

func newViews() *views {
	v := &views{pages: sync.OnceValues(loadPages)}
	v.buffers.New = func() any { return new(bytes.Buffer) }
	return v
}

// loadPages parses every page with the layout and the partials.
func loadPages() (pages, error) {
	frame, err := template.ParseFS(templates.FS, "layout.html", "partials/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	all := pages{}
	err = fs.WalkDir(templates.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "layout.html" || strings.HasPrefix(path, "partials/") || strings.HasPrefix(path, "mail/") {
			return err
		}
		page, err := frame.Clone()
		if err != nil {
			return err
		}
		if page, err = page.ParseFS(templates.FS, path); err != nil {
			return err
		}
		all[path] = page
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return all, nil
}

// Base is what every page has.
type Base struct {
	*words.Language
	Brand                    Brand
	CSS, JS, Icon, AccentCSS string
	Style                    template.CSS // in place of these, for a page that loads nothing
	Root                     string       // before the path of a link: "", or public_url on a page of another host
	Problem                  string       // what went wrong, as a text; "": nothing
	AtField                  bool         // the problem stands at the page's one field, and nowhere else
	Notice                   string       // what was done
	Alert                    string       // what went wrong before this page, with none of its fields
	SignedIn                 bool
	now                      time.Time
}

// Ago is a time relative to now, with the exact time as its title.
func (b Base) Ago(t time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // no part comes from outside
		t.Format(time.RFC3339), t.Format("2006-01-02 15:04:05 MST"), template.HTMLEscapeString(b.Language.Ago(b.now.Sub(t)))))
}

// AgoText is Ago without the exact time.
func (b Base) AgoText(t time.Time) string { return b.Language.Ago(b.now.Sub(t)) }

// Clock is a time of day.
func (b Base) Clock(t time.Time) string { return t.Format("15:04 MST") }

// LinkWords is the text of a message's link: what it does, or the link itself.
func (b Base) LinkWords(link string) string {
	switch {
	case strings.Contains(link, "/login/link/"):
		return b.T("mailbox.sign_in")
	case strings.Contains(link, "/login/not-me/"):
		return b.T("notme.submit")
	}
	return link
}

// Base makes the Base of a page, in the language of the person or the browser.
func (s *Site) Base(c *fiber.Ctx) Base {
	sess, _ := s.Session(c) // a page that needs one has a guard; others only lack a link
	return s.base(s.Language(c), sess.ID != 0)
}

func (s *Site) base(l *words.Language, signedIn bool) Base {
	return Base{
		Language: l, Brand: s.Options.Brand, SignedIn: signedIn, now: s.Now().UTC(),
		CSS: s.files.url("djauthy.css"), JS: s.files.url("djauthy.js"), Icon: s.files.url("favicon.svg"), AccentCSS: s.files.url("accent.css"),
	}
}

// Others are the languages that the page is not in.
func (b Base) Others() []string {
	return slices.DeleteFunc(slices.Clone(words.Languages), func(l string) bool { return l == b.Lang })
}

// WithField is the Base of a page with one field, at which its problem stands.
func (b Base) WithField() Base {
	b.AtField = true
	return b
}

func (Base) page() {}

// View is what a page shows: a Base and more.
type View interface{ page() }

// At makes times relative to now.
func (b Base) At(now time.Time) Base {
	b.now = now
	return b
}

// Write responds with a page: the template of that name, executed with data.
func (s *Site) Write(c *fiber.Ctx, name string, data View) error {
	buf := s.views.buffers.Get().(*bytes.Buffer)
	defer s.views.buffers.Put(buf)
	buf.Reset()
	if err := s.views.execute(buf, name, data); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	c.Response().SetBody(buf.Bytes()) // a copy: the buffer goes back to the pool
	return nil
}

func (v *views) execute(buf *bytes.Buffer, name string, data View) error {
	all, err := v.pages()
	if err != nil {
		return err
	}
	t := all[name]
	if t == nil {
		return fmt.Errorf("page %s: there is no template of this name", name)
	}
	if err := t.ExecuteTemplate(buf, "layout", data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	return nil
}

// Precompiled responds with a page whose template is executed once for each form; further
// requests only substitute values. values are the fields that differ between requests with
// one form, and marked is the page with placeholders in them; everything else depends on
// form alone.
func (s *Site) Precompiled(c *fiber.Ctx, name string, form any, values words.Values, marked func() View) error {
	type key struct {
		name string
		form any
	}
	text, ok := s.precompiled.Load(key{name, form})
	if !ok {
		var made bytes.Buffer
		if err := s.views.execute(&made, name, marked()); err != nil {
			return err
		}
		text, _ = s.precompiled.LoadOrStore(key{name, form}, words.Precompile(made.String(), len(values)))
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.SendString(text.(words.Precompiled).HTML(values))
}
