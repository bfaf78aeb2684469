package door_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// told sends a request to a handler that returns what it read of the form's field.
func told(t *testing.T, field, kind, body string, header http.Header) (status int, text string) {
	t.Helper()
	d, err := door.New(door.Options{
		PublicURL: "https://login.example", Log: slog.New(slog.DiscardHandler), Observe: func(string, string, int, time.Duration) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.App.Post("/", func(c *fiber.Ctx) error { return c.SendString(door.FormValue(c, field)) })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header = header
	r.Header.Set("Content-Type", kind)
	a, err := d.App.Test(r, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	answer, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(answer)
}

// Row 65: several lines are one list, so that no coding hides behind another line.
func TestAPackedBodyIsRefusedWhicheverLineSaysSo(t *testing.T) {
	for _, lines := range [][]string{{"gzip"}, {"identity", "gzip"}, {"", "gzip"}, {"identity, identity", "identity", "br"}} {
		if status, _ := told(t, "id", "application/x-www-form-urlencoded", "id=ann", http.Header{"Content-Encoding": lines}); status != http.StatusUnsupportedMediaType {
			t.Errorf("%q is answered with %d", lines, status)
		}
	}
	status, text := told(t, "id", "application/x-www-form-urlencoded", "id=ann", http.Header{"Content-Encoding": {"identity", "Identity"}})
	if status != http.StatusOK || text != "ann" {
		t.Errorf("identity is answered with %d, %q", status, text)
	}
}

func TestOfAMultipartFormAHundredPartsAreRead(t *testing.T) {
	form := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\nvalue\r\n", i+1)
		}
		return b.String() + "--x--\r\n"
	}
	for field, want := range map[string]string{"f1": "value", "f100": "value", "f101": "", "f300": ""} {
		if _, text := told(t, field, "multipart/form-data; boundary=x", form(300), http.Header{}); text != want {
			t.Errorf("%s is %q, want %q", field, text, want)
		}
	}
}
