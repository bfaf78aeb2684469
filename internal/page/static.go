package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/config"
	"github.com/djauthy/djauthy/internal/door"
	"github.com/djauthy/djauthy/static"
)

// files are the static files. The URL of each has the hash of its content, so that a
// browser may cache it forever and never uses an old one.
type files struct {
	byName    map[string]*file
	style     template.CSS // all of the style, for pages that load nothing
	styleHash string       // of style, as a Content-Security-Policy names it
}

type file struct {
	url, kind string
	body      []byte
	zip       func() []byte // gzip, made at the first request
}

// kinds are the media types of static files; the system's list differs from machine to
// machine.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
}

func loadFiles(b *Brand) (*files, error) {
	f := &files{byName: map[string]*file{}}
	names, err := fs.Glob(static.FS, "*.*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		body, err := fs.ReadFile(static.FS, name)
		if err != nil {
			return nil, err
		}
		f.add(name, body)
	}
	if b.Accent != "" {
		f.add("accent.css", fmt.Appendf(nil, ":root{--accent:%s}@media (prefers-color-scheme:dark){:root{--accent:%s}}", b.Accent, config.LightAccent(b.Accent)))
	}
	f.setStyle()
	if b.LogoFile != "" {
		body, err := config.ReadFile(b.LogoFile)
		if err != nil {
			return nil, fmt.Errorf("brand.logo: %w", err)
		}
		name := "logo" + strings.ToLower(filepath.Ext(b.LogoFile))
		f.add(name, body)
		b.Logo = f.url(name)
	}
	return f, nil
}

func (f *files) add(name string, body []byte) {
	sum := sha256.Sum256(body)
	f.byName[name] = &file{
		url: "/static/" + base64.RawURLEncoding.EncodeToString(sum[:9]) + "/" + name, kind: kinds[filepath.Ext(name)], body: body,
		zip: sync.OnceValue(func() []byte { return zipped(body) }),
	}
}

func zipped(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // writing to a buffer never fails
	_ = w.Close()
	return b.Bytes()
}

// url is the URL path of a file, "" if there is none.
func (f *files) url(name string) string {
	if x, ok := f.byName[name]; ok {
		return x.url
	}
	return ""
}

func (f *files) serve(c *fiber.Ctx) error {
	x, ok := f.byName[c.Params("name")]
	if !ok || c.Path() != x.url {
		return door.Fail(http.StatusNotFound)
	}
	c.Set(fiber.HeaderContentType, x.kind)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if strings.Contains(c.Get(fiber.HeaderAcceptEncoding), "gzip") {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(x.zip())
	}
	return c.Send(x.body)
}
