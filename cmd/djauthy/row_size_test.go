package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
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

func TestAQueryOfManyFieldsIsRefused(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.browser(t).get("/login?"+strings.Repeat("a&", 999)+"next=/account").want(t, http.StatusOK, "")
	s.browser(t).get("/login?"+strings.Repeat("a&", 3000)).want(t, http.StatusBadRequest, "")
}
