package upgrade_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

// A browser is what a person has of one: where it is and which cookies it keeps.
type browser struct {
	Network string            `json:"network"` // its address, printed by a trusted proxy
	Cookies map[string]string `json:"cookies"`
}

func newBrowser(network string) *browser {
	return &browser{Network: network, Cookies: map[string]string{}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) to() string { return a.header.Get("Location") }

// do makes a request and keeps the cookies of its answer.
func (b *browser) do(t *testing.T, s *program.Site, method, path string, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("X-Forwarded-For", b.Network)
	for name, value := range b.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	must(t, err)
	for _, c := range got.Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.Cookies, c.Name)
		} else {
			b.Cookies[c.Name] = c.Value
		}
	}
	return answer{status: got.StatusCode, header: got.Header, body: string(body)}
}

func (b *browser) get(t *testing.T, s *program.Site, path string) answer {
	t.Helper()
	return b.do(t, s, http.MethodGet, path, nil)
}

// post sends a form of names and values.
func (b *browser) post(t *testing.T, s *program.Site, path string, pairs ...string) answer {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do(t, s, http.MethodPost, path, form)
}

// ask asks for a code.
func (b *browser) ask(t *testing.T, s *program.Site, id string) answer {
	t.Helper()
	if b.Cookies["djauthy_browser"] == "" {
		b.get(t, s, "/login").want(t, http.StatusOK, "")
	}
	return b.post(t, s, "/login", "id", id)
}

func (b *browser) enter(t *testing.T, s *program.Site, code string) answer {
	t.Helper()
	return b.post(t, s, "/login/code", "auth_code", code)
}

// follow opens a mailed link and presses its button, if it has one.
func (b *browser) follow(t *testing.T, s *program.Site, path string) answer {
	t.Helper()
	b.get(t, s, path).want(t, http.StatusSeeOther, "/login/link")
	if page := b.get(t, s, "/login/link"); page.status != http.StatusOK {
		return page
	}
	return b.post(t, s, "/login/link")
}

// email is the address as which the browser is signed in, "" for none.
func (b *browser) email(t *testing.T, s *program.Site) string {
	t.Helper()
	a := b.get(t, s, "/forward-auth")
	switch a.status {
	case http.StatusOK:
		return a.header.Get("Remote-Email")
	case http.StatusUnauthorized:
		return ""
	}
	t.Fatalf("/forward-auth answers %d", a.status)
	return ""
}

// want requires a status, where the answer leads and what its page says.
func (a answer) want(t *testing.T, status int, to string, says ...string) answer {
	t.Helper()
	if a.status != status || to != "" && a.to() != to {
		t.Fatalf("answered %d to %q, want %d to %q\n%s", a.status, a.to(), status, to, seen(a.body))
	}
	for _, text := range says {
		if !strings.Contains(seen(a.body), text) {
			t.Fatalf("the page does not say %q:\n%s", text, seen(a.body))
		}
	}
	return a
}

// seen is the text of a page.
func seen(page string) string {
	if _, body, found := strings.Cut(page, "<body"); found {
		page = body
	}
	var b strings.Builder
	for i, part := range strings.Split(page, "<") {
		if _, text, tag := strings.Cut(part, ">"); tag && i > 0 {
			part = text
		}
		b.WriteString(part + " ")
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
