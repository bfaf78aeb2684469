package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Row 65.
func TestRow65_APackedBodyIsRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const boundary = "x"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprintf(w, "--%s\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n%s\r\n--%s--\r\n", boundary, strings.Repeat("a", 20<<20), boundary)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	kind := "multipart/form-data; boundary=" + boundary
	for _, coding := range []string{"gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "unknown"} {
		for _, path := range []string{"/login", "/login/code", "/logout", "/account/settings", "/", "/nowhere", "/healthz", "/ungleichotp/verify/", "/verify"} {
			a := s.browser(t).do(http.MethodPost, path, kind, packed.String(), map[string]string{"Content-Encoding": coding})
			if a.status != http.StatusUnsupportedMediaType || a.header.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s at %s is answered with %d", coding, path, a.status)
			}
		}
	}
	a := s.browser(t).do(http.MethodPost, "/login", formKind, form("id", anID()), map[string]string{"Content-Encoding": "identity"})
	a.want(t, http.StatusSeeOther, "/login/code")
}

// Row 65: what twenty requests at once of the largest size make the process grow by.
func TestRow65_ABodyTakesNoMuchMoreThanItsSize(t *testing.T) {
	s := start(t)
	part := "--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n\r\n"
	for name, c := range map[string]struct{ kind, body string }{
		"parts":          {"multipart/form-data; boundary=x", strings.Repeat(part, 60_000/len(part)) + "--x--\r\n"},
		"tiny parts":     {"multipart/form-data; boundary=x", strings.Repeat("--x\r\n\r\n\r\n", 6_000) + "--x--\r\n"},
		"headers":        {"multipart/form-data; boundary=x", "--x\r\n" + strings.Repeat("a:\r\n", 15_000) + "\r\n\r\n--x--\r\n"},
		"quoted":         {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"id\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=41", 20_000) + "\r\n--x--\r\n"},
		"a file":         {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"id\"; filename=\"a\"\r\n\r\n" + strings.Repeat("a", 60_000) + "\r\n--x--\r\n"},
		"fields":         {formKind, strings.Repeat("a&", 32_000)},
		"a like type":    {formKind + "x", strings.Repeat("a&", 32_000)},
		"percent":        {formKind, "id=" + strings.Repeat("%41", 20_000)},
		"nested JSON":    {"application/json", strings.Repeat("[", 60_000)},
		"wide JSON":      {"application/json", "{" + strings.Repeat(`"a":1,`, 10_000) + `"b":1}`},
		"a list in JSON": {"application/json", `{"id":[` + strings.Repeat("1,", 30_000) + "1]}"},
	} {
		for _, path := range []string{"/login", "/ungleichotp/verify/"} {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var wg sync.WaitGroup
			for range 20 {
				b := s.browser(t)
				wg.Go(func() {
					if a := b.do(http.MethodPost, path, c.kind, c.body, nil); a.status < 400 || a.status >= 500 {
						t.Errorf("%s at %s is answered with %d", name, path, a.status)
					}
				})
			}
			wg.Wait()
			runtime.ReadMemStats(&after)
			// What the process has taken from the system, the tests' own clients included.
			if mib := float64(after.Sys-before.Sys) / (1 << 20); mib > 40 {
				t.Errorf("twenty times %s at %s took %.0f MiB", name, path, mib)
			}
		}
	}
}

func TestAQueryOfManyFieldsIsRefused(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.browser(t).get("/login?"+strings.Repeat("a&", 999)+"next=/account").want(t, http.StatusOK, "")
	s.browser(t).get("/login?"+strings.Repeat("a&", 3000)).want(t, http.StatusBadRequest, "")
}
