package browser_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/djauthy/djauthy/test/program"
)

const shots = "../shots"

var axe = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	return string(text), err
})

// arrived are the names of the pages that were looked at.
var arrived sync.Map

// arrive looks at the page, once for each name.
func (b *browser) arrive(name string) {
	b.t.Helper()
	b.quiet()
	b.guarded(name)
	if _, before := arrived.LoadOrStore(name, true); before {
		return
	}
	b.aside(func() {
		for _, dark := range []bool{false, true} {
			for _, width := range []int64{1280, 768, 320} {
				l := look{width: width, height: map[int64]int64{320: 640, 768: 1024, 1280: 800}[width], dark: dark, phone: width == 320}
				b.hold(l)
				b.fits(name, width)
				b.shoot(fmt.Sprintf("%s-%d-%s", name, width, map[bool]string{false: "light", true: "dark"}[dark]))
			}
			b.axe(name)
		}
		b.hold(b.as)
	})
}

// guarded requires the headers that keep a page to itself.
func (b *browser) guarded(name string) {
	b.t.Helper()
	header := map[string]string{}
	for key, value := range b.header {
		header[strings.ToLower(key)] = fmt.Sprint(value)
	}
	csp := header["content-security-policy"]
	if csp == "" || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
		b.t.Errorf("%s: Content-Security-Policy is %q", name, csp)
	}
	if !strings.Contains(header["cache-control"], "no-store") {
		b.t.Errorf("%s: Cache-Control is %q", name, header["cache-control"])
	}
}

// axe requires that axe-core finds nothing.
func (b *browser) axe(name string) {
	b.t.Helper()
	script, err := axe()
	if err != nil {
		program.Missing(b.t, "axe-core is not there; test/deps installs it: "+err.Error())
	}
	b.do(chromedp.Evaluate[chromedp.Void](script + "; undefined"))
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`axe.run(document, {resultTypes: ["violations"]}).then(r =>
		r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: axe-core: %v", name, err)
	}
	for _, violation := range found {
		b.t.Errorf("%s: axe-core: %s", name, violation)
	}
}

// fits requires that nothing sticks out sideways, and on a phone that fingers
// hit what they aim at. Links within a sentence are as high as its lines.
func (b *browser) fits(name string, width int64) {
	b.t.Helper()
	for _, e := range eval[[]string](b, `(() => {
		const wide = document.documentElement.clientWidth;
		const out = [...document.querySelectorAll("body *")].filter(e => {
			const r = e.getBoundingClientRect();
			const unseen = e.closest("thead, .unseen")?.getBoundingClientRect().width <= 1; // clipped, for screen readers
			return r.width > 1 && (r.right > wide + 1 || r.left < -1) && !unseen;
		}).map(e => e.outerHTML.slice(0, 120));
		if (document.documentElement.scrollWidth > wide) out.push("the page scrolls sideways");
		return out;
	})()`) {
		b.t.Errorf("%s at %d: sticks out: %s", name, width, e)
	}
	if width > 320 {
		return
	}
	for _, e := range eval[[]string](b, `[...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")].filter(e => {
		const r = e.getBoundingClientRect();
		const inSentence = e.matches("a") && [...e.parentElement.childNodes].some(n => n.nodeType == 3 && n.data.trim());
		const labelled = e.closest("label.choice");
		return r.width > 0 && r.height < 43.5 && !inSentence && !(labelled && labelled.getBoundingClientRect().height >= 43.5);
	}).map(e => Math.round(e.getBoundingClientRect().height) + " px: " + e.outerHTML.slice(0, 120))`) {
		b.t.Errorf("%s: too low for a finger: %s", name, e)
	}
}

// shoot takes a picture of the whole page.
func (b *browser) shoot(name string) []byte {
	b.t.Helper()
	size := eval[[]float64](b, `[document.documentElement.clientWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]`)
	r, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: new(true), OptimizeForSpeed: new(true),
		Clip: &page.Viewport{Width: size[0], Height: size[1], Scale: 1},
	})
	if err != nil {
		b.t.Fatalf("picture of %s: %v", name, err)
	}
	keep(b.t, filepath.Join(shots, name+".png"), r.Data)
	return r.Data
}

func keep(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
