package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/words"
	"github.com/djauthy/djauthy/templates"
)

// views are the parsed pages by file name.
type views struct {
	pages   map[string]*template.Template
	buffers sync.Pool
}

// loadViews parses every page with the layout and the partials, so that a
// mistake in one stops the start.
func loadViews() (*views, error) {
	v := &views{pages: map[string]*template.Template{}}
	v.buffers.New = func() any { return new(bytes.Buffer) }
	frame, err := template.ParseFS(templates.FS, "layout.html", "partials/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	err = fs.WalkDir(templates.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "layout.html" || strings.HasPrefix(path, "partials/") || strings.HasPrefix(path, "mail/") {
			return err
		}
		page, err := frame.Clone()
		if err == nil {
			v.pages[path], err = page.ParseFS(templates.FS, path)
		}
		return err
	})
	return v, err
}

// base is what every page has.
type base struct {
	*words.Language
	Brand                    Brand
	CSS, JS, Icon, AccentCSS string
	Problem                  string // what went wrong, in words; "" is nothing
	Notice                   string // what went well
	SignedIn                 bool
	now                      time.Time
}

// Ago is a time told relative, and exact for who asks.
func (b base) Ago(t time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // no part comes from outside
		t.Format(time.RFC3339), t.Format("2006-01-02 15:04:05 MST"), template.HTMLEscapeString(b.Language.Ago(b.now.Sub(t)))))
}

// Clock is a time of day.
func (b base) Clock(t time.Time) string { return t.Format("15:04 MST") }

// base makes what every page has, in the language of the person or the browser.
func (s *Server) base(c *fiber.Ctx) base {
	sess, _ := s.session(c) // a page that needs one was guarded; others only lose a link
	b := base{
		Language: s.language(c), Brand: s.Options.Brand, SignedIn: sess.ID != 0, now: s.DB.Now().UTC(),
		CSS: s.files.url("djauthy.css"), JS: s.files.url("djauthy.js"), Icon: s.files.url("favicon.svg"), AccentCSS: s.files.url("accent.css"),
	}
	return b
}

// page writes a page.
func (s *Server) page(c *fiber.Ctx, name string, data any) error {
	buf := s.views.buffers.Get().(*bytes.Buffer)
	defer s.views.buffers.Put(buf)
	buf.Reset()
	if err := s.views.pages[name].ExecuteTemplate(buf, "layout", data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	c.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	return c.Send(buf.Bytes())
}
