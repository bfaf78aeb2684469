package fiberotp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/client/otp/fiberotp"
)

const token = "831904"

// server says that every service's token is this one, and no other.
func server(t testing.TB) *otp.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f struct{ Token string }
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil || f.Token != token {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"detail":"You do not have permission to perform this action."}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"OK"}`)
	}))
	t.Cleanup(s.Close)
	return &otp.Client{Name: "shop", Realm: "ungleich-auth", Token: "123456", Server: s.URL + "/ungleichotp/"}
}

// guard is a Fiber app that lets nobody to its handler without a triple; url is
// where it listens.
func guard(t testing.TB, c *otp.Client, handler fiber.Handler, realms ...string) (url string) {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/", fiberotp.Require(c, realms...), handler)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(l) }()
	t.Cleanup(func() {
		check(t, app.Shutdown())
		check(t, <-ended)
	})
	return "http://" + l.Addr().String() + "/"
}

func greeter(f *fiber.Ctx) error {
	id, ok := fiberotp.From(f)
	return f.SendString(fmt.Sprintf("%s of %s %v: %s", id.Name, id.Realm, ok, f.Body()))
}

func post(t testing.TB, to, media, body string, sign func(*http.Request) error) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	check(t, err)
	req.Header.Set("Content-Type", media)
	if sign != nil {
		check(t, sign(req))
	}
	res, err := http.DefaultClient.Do(req)
	check(t, err)
	defer func() { _ = res.Body.Close() }()
	all, err := io.ReadAll(res.Body)
	check(t, err)
	return res.StatusCode, string(all)
}

func body(name, realm, token string) string {
	text, _ := json.Marshal(map[string]string{"auth_name": name, "auth_realm": realm, "auth_token": token})
	return string(text)
}

func TestATripleOpensTheDoorWhereverItIsShown(t *testing.T) {
	door := guard(t, server(t), greeter, "office")
	form := url.Values{"auth_name": {"drücker"}, "auth_realm": {"office"}, "auth_token": {token}}.Encode()
	for media, text := range map[string]string{"application/json": body("drücker", "office", token), "application/json; charset=utf-8": body("drücker", "office", token), "application/x-www-form-urlencoded": form} {
		if status, got := post(t, door, media, text, nil); status != http.StatusOK || got != "drücker of office true: "+text {
			t.Errorf("%s: %d %s", media, status, got)
		}
	}
	parts := ""
	for _, f := range [][2]string{{"auth_name", "printer"}, {"auth_realm", "office"}, {"auth_token", "000000"}, {"auth_token", token}} {
		parts += "--b\r\nContent-Disposition: form-data; name=\"" + f[0] + "\"\r\n\r\n" + f[1] + "\r\n"
	}
	if status, got := post(t, door, "multipart/form-data; boundary=b", parts+"--b--\r\n", nil); status != http.StatusOK { // which Fiber reads before us
		t.Errorf("multipart: %d %s", status, got)
	}
	by := &otp.Client{Name: `dr "ü", 100%`, Realm: "office", Token: token}
	if status, got := post(t, door, "text/plain", "hello", by.Sign); status != http.StatusOK || got != `dr "ü", 100% of office true: hello` {
		t.Errorf("in its header: %d %s", status, got)
	}
}

// A request without a triple for otp.Client.Require has none here either.
func TestWithoutAGoodTripleTheDoorStaysShut(t *testing.T) {
	door := guard(t, server(t), greeter, "office")
	for name, c := range map[string]struct{ media, body, says string }{
		"nothing":       {"", "", "Incorrect authentication credentials."},
		"a wrong token": {"application/json", body("printer", "office", "000000"), "Incorrect authentication credentials."},
		"no token":      {"application/json", body("printer", "office", ""), "Incorrect authentication credentials."},
		"another realm": {"application/json", body("printer", "lab", token), "You do not have permission to perform this action."},
		"as plain text": {"text/plain", body("printer", "office", token), "Incorrect authentication credentials."},
	} {
		if status, got := post(t, door, c.media, c.body, nil); status != http.StatusForbidden || strings.TrimSpace(got) != `{"detail":"`+c.says+`"}` {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
}

// Who has shown nothing yet must not make us unpack gigabytes.
func TestABodyIsNeitherUnpackedNorReadWithoutBound(t *testing.T) {
	to := guard(t, server(t), greeter)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, body("printer", "office", token))
	check(t, err)
	check(t, w.Close())
	zip := func(r *http.Request) error { r.Header.Set("Content-Encoding", "gzip"); return nil }
	if status, text := post(t, to, "application/json", packed.String(), zip); status != http.StatusUnsupportedMediaType || !strings.Contains(text, "Content-Encoding") {
		t.Errorf("packed: %d %s", status, text)
	}
	long := strings.Repeat(" ", otp.MaxBody) + body("printer", "office", token)
	if status, text := post(t, to, "application/json", long, nil); status != http.StatusRequestEntityTooLarge {
		t.Errorf("long: %d %s", status, text)
	}
}

func TestWhileTheServerIsAwayTheDoorSaysSo(t *testing.T) {
	c := server(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	c.Server = "http://" + l.Addr().String()
	check(t, l.Close())
	if status, got := post(t, guard(t, c, greeter), "application/json", body("printer", "office", token), nil); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, got)
	}
}

// Fiber reuses its strings after a request; the caller's identity must not change.
func TestWhoCalledStaysWhoItWas(t *testing.T) {
	var seen []otp.Identity
	door := guard(t, server(t), func(f *fiber.Ctx) error {
		id, _ := fiberotp.From(f)
		seen = append(seen, id) // one after the other, on one connection
		return nil
	})
	var want []otp.Identity
	for _, name := range []string{"printer", "scanner", "plotter", "a", "another"} {
		by := &otp.Client{Name: name, Realm: "of " + name, Token: token}
		post(t, door, "application/json", body("x"+name, "y"+name, token), nil)
		post(t, door, "text/plain", "", by.Sign)
		want = append(want, otp.Identity{Name: "x" + name, Realm: "y" + name}, otp.Identity{Name: name, Realm: "of " + name})
	}
	if !slices.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
}

func TestBehindNoDoorThereIsNobody(t *testing.T) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/", greeter)
	res, err := app.Test(httptest.NewRequest(http.MethodGet, "/", nil))
	check(t, err)
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); string(text) != " of  false: " {
		t.Errorf("%s", text)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
