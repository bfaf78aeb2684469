package program

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Visitor is somebody at a browser, as far as djauthy sees one: where it is and which
// cookies it keeps. It follows no redirect by itself.
type Visitor struct {
	Network string            `json:"network"` // its address as a trusted proxy writes it; "" without one
	Cookies map[string]string `json:"cookies"`
}

// NewVisitor is one that has no cookies yet.
func NewVisitor(network string) *Visitor {
	return &Visitor{Network: network, Cookies: map[string]string{}}
}

// Answer is what a request led to.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// To is where the answer leads, "" for nowhere.
func (a Answer) To() string { return a.Header.Get("Location") }

// do makes a request and keeps the cookies of its answer.
func (v *Visitor) do(t *testing.T, s *Site, method, path string, form url.Values) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	if v.Network != "" {
		r.Header.Set("X-Forwarded-For", v.Network)
	}
	for name, value := range v.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got.Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(v.Cookies, c.Name)
		} else {
			v.Cookies[c.Name] = c.Value
		}
	}
	return Answer{Status: got.StatusCode, Header: got.Header, Body: string(body)}
}

// Get asks for a page.
func (v *Visitor) Get(t *testing.T, s *Site, path string) Answer {
	t.Helper()
	return v.do(t, s, http.MethodGet, path, nil)
}

// Post sends a form of names and values.
func (v *Visitor) Post(t *testing.T, s *Site, path string, pairs ...string) Answer {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return v.do(t, s, http.MethodPost, path, form)
}

// Ask asks for a code, from the page if it was not there before.
func (v *Visitor) Ask(t *testing.T, s *Site, id string) Answer {
	t.Helper()
	if v.Cookies["djauthy_browser"] == "" {
		v.Get(t, s, "/login").Want(t, http.StatusOK, "")
	}
	return v.Post(t, s, "/login", "id", id)
}

// Enter submits a code.
func (v *Visitor) Enter(t *testing.T, s *Site, code string) Answer {
	t.Helper()
	return v.Post(t, s, "/login/code", "auth_code", code)
}

// Follow opens a mailed link and presses its button, if it has one.
func (v *Visitor) Follow(t *testing.T, s *Site, path string) Answer {
	t.Helper()
	v.Get(t, s, path).Want(t, http.StatusSeeOther, "/login/link")
	if page := v.Get(t, s, "/login/link"); page.Status != http.StatusOK {
		return page
	}
	return v.Post(t, s, "/login/link")
}

// Email is the address as which the browser is signed in, "" for none.
func (v *Visitor) Email(t *testing.T, s *Site) string {
	t.Helper()
	a := v.Get(t, s, "/forward-auth")
	switch a.Status {
	case http.StatusOK:
		return a.Header.Get("Remote-Email")
	case http.StatusUnauthorized:
		return ""
	}
	t.Fatalf("/forward-auth answers %d", a.Status)
	return ""
}

// Want requires a status, where the answer leads and what its page says.
func (a Answer) Want(t *testing.T, status int, to string, says ...string) Answer {
	t.Helper()
	if a.Status != status || to != "" && a.To() != to {
		t.Fatalf("answered %d to %q, want %d to %q\n%s", a.Status, a.To(), status, to, Seen(a.Body))
	}
	for _, text := range says {
		if !strings.Contains(Seen(a.Body), text) {
			t.Fatalf("the page does not say %q:\n%s", text, Seen(a.Body))
		}
	}
	return a
}

// Seen is the text of a page.
func Seen(page string) string {
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
