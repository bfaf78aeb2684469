package otp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/client/otp"
)

// greeter answers with who called and what it read of the body.
func greeter(w http.ResponseWriter, r *http.Request) {
	id, ok := otp.From(r.Context())
	body, err := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s of %s %v %v: %s", id.Name, id.Realm, ok, err, body)
}

// guard is a service that lets nobody to its greeter without a triple.
func guard(t testing.TB, c *otp.Client, realms ...string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(c.Require(realms...)(http.HandlerFunc(greeter)))
	t.Cleanup(s.Close)
	return s
}

func send(t testing.TB, req *http.Request) (status int, body string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	check(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	check(t, err)
	return res.StatusCode, string(text)
}

func post(t testing.TB, to *httptest.Server, media, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.URL, strings.NewReader(body))
	check(t, err)
	req.Header.Set("Content-Type", media)
	return send(t, req)
}

// signed is a request that shows a client's triple in its header.
func signed(t testing.TB, to *httptest.Server, by *otp.Client, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.URL, body)
	check(t, err)
	check(t, by.Sign(req))
	return req
}

// jsonBody and formBody show a client's triple as services of the wire do.
func jsonBody(t testing.TB, c *otp.Client) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"auth_name": c.Name, "auth_realm": c.Realm, "auth_token": token(t, c), "pages": []int{1, 2}})
	check(t, err)
	return string(text)
}

func formBody(t testing.TB, c *otp.Client) string {
	t.Helper()
	return url.Values{"auth_name": {c.Name}, "auth_realm": {c.Realm}, "auth_token": {token(t, c)}, "pages": {"1 2"}}.Encode()
}

func multipartBody(t testing.TB, c *otp.Client) string {
	t.Helper()
	body := ""
	for _, f := range [][2]string{{"auth_name", c.Name}, {"auth_realm", c.Realm}, {"auth_token", token(t, c)}, {"pages", "1 2"}} {
		body += "--b\r\nContent-Disposition: form-data; name=\"" + f[0] + "\"\r\n\r\n" + f[1] + "\r\n"
	}
	return body + "--b--\r\n"
}

const (
	noCredentials = `{"detail":"Incorrect authentication credentials."}` + "\n"
	noPermission  = `{"detail":"You do not have permission to perform this action."}` + "\n"
)

func TestATripleInTheHeaderOpensTheDoor(t *testing.T) {
	s := open(t)
	door := guard(t, s.client("shop"))
	if status, text := send(t, signed(t, door, s.client("printer"), strings.NewReader("hello"))); status != http.StatusOK || text != "printer of office true <nil>: hello" {
		t.Errorf("%d %s", status, text)
	}
}

func TestATripleInTheBodyOpensTheDoorAndTheBodyIsReadAgain(t *testing.T) {
	s := open(t)
	door, printer := guard(t, s.client("shop")), s.client("printer")
	for media, body := range map[string]string{
		"application/json": jsonBody(t, printer), "application/json; charset=utf-8": jsonBody(t, printer), "Application/JSON": jsonBody(t, printer),
		"application/x-www-form-urlencoded": formBody(t, printer), "multipart/form-data; boundary=b": multipartBody(t, printer),
	} {
		if status, text := post(t, door, media, body); status != http.StatusOK || text != "printer of office true <nil>: "+body {
			t.Errorf("%s: %d %s", media, status, text)
		}
	}
}

// number is a token of about now that does not begin with 0, which no number does.
func number(t testing.TB, seed string) string {
	t.Helper()
	for off := -3; off <= 3; off++ {
		c := &otp.Client{Seed: seed, Now: func() time.Time { return time.Now().Add(time.Duration(off) * 20 * time.Second) }}
		if text := token(t, c); text[0] != '0' {
			return text
		}
	}
	t.Fatal("every token begins with 0")
	return ""
}

func TestATokenMayBeANumberInJSON(t *testing.T) {
	s := open(t)
	status, text := post(t, guard(t, s.client("shop")), "application/json", `{"auth_name": "printer", "auth_realm": "office", "auth_token": `+number(t, printerSeed)+`}`)
	if status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}

func TestWithoutAGoodTripleTheDoorStaysShut(t *testing.T) {
	s := open(t)
	door, printer := guard(t, s.client("shop")), s.client("printer")
	right := token(t, printer)
	for name, c := range map[string]struct{ media, body string }{
		"nothing":        {"", ""},
		"no JSON":        {"application/json", "{"},
		"a list":         {"application/json", `["printer"]`},
		"no token":       {"application/json", `{"auth_name": "printer", "auth_realm": "office"}`},
		"another type":   {"application/json", `{"auth_name": "printer", "auth_realm": "office", "auth_token": ["` + right + `"]}`},
		"other letters":  {"application/json", `{"Auth_Name": "printer", "auth_realm": "office", "auth_token": "` + right + `"}`},
		"a wrong token":  {"application/json", `{"auth_name": "printer", "auth_realm": "office", "auth_token": "x"}`},
		"another realm":  {"application/json", `{"auth_name": "printer", "auth_realm": "lab", "auth_token": "` + right + `"}`},
		"as plain text":  {"text/plain", jsonBody(t, printer)},
		"a form as JSON": {"application/json", formBody(t, printer)},
		"JSON as a form": {"application/x-www-form-urlencoded", jsonBody(t, printer)},
		"a name of 129":  {"application/json", `{"auth_name": "` + strings.Repeat("x", 129) + `", "auth_realm": "office", "auth_token": "` + right + `"}`},
		// The server strips white space, so this would be verified as printer.
		"a name with white space": {"application/json", `{"auth_name": " printer", "auth_realm": "office", "auth_token": "` + right + `"}`},
		"a separator after it":    {"application/json", `{"auth_name": "printer\u001f", "auth_realm": "office", "auth_token": "` + right + `"}`},
		"a name of nothing":       {"application/json", `{"auth_name": " ", "auth_realm": "office", "auth_token": "` + right + `"}`},
	} {
		if status, text := post(t, door, c.media, c.body); status != http.StatusForbidden || text != noCredentials {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

func TestTheQueryOpensNothing(t *testing.T) {
	s := open(t)
	door := guard(t, s.client("shop"))
	door.URL += "/?" + formBody(t, s.client("printer"))
	if status, text := post(t, door, "application/x-www-form-urlencoded", ""); status != http.StatusForbidden {
		t.Errorf("%d %s", status, text)
	}
}

func TestOnlyTheRealmsThatAreNamedPass(t *testing.T) {
	s := open(t)
	for name, c := range map[string]struct {
		realms []string
		status int
	}{
		"its own": {[]string{"office"}, http.StatusOK}, "one of several": {[]string{"lab", "office"}, http.StatusOK}, "another": {[]string{"lab"}, http.StatusForbidden}, "other letters": {[]string{"Office"}, http.StatusForbidden},
	} {
		before := len(s.asked())
		status, text := send(t, signed(t, guard(t, s.client("shop"), c.realms...), s.client("printer"), nil))
		if status != c.status || status == http.StatusForbidden && (text != noPermission || len(s.asked()) != before) {
			t.Errorf("%s: %d %s, %d requests", name, status, text, len(s.asked())-before)
		}
	}
}

func TestWhileTheServerCannotBeAskedTheDoorSaysSo(t *testing.T) {
	unknown := func(s *wire) *otp.Client { c := s.client("shop"); c.Seed = rootSeed; return c }
	for name, by := range map[string]func(s *wire) *otp.Client{
		"our credentials are wrong": unknown,
		"it is away":                func(s *wire) *otp.Client { defer s.Close(); return s.client("shop") },
		"it answers with an error": func(s *wire) *otp.Client {
			s.firstly(10, http.StatusInternalServerError)
			return s.client("shop")
		},
	} {
		s := open(t)
		printer, shop := s.client("printer"), by(s)
		var log bytes.Buffer
		shop.Log = slog.New(slog.NewTextHandler(&log, nil))
		shop.Server = strings.Replace(shop.Server, "://", "://proxy:pass-word@", 1)
		status, text := send(t, signed(t, guard(t, shop), printer, nil))
		if !strings.Contains(log.String(), "cannot verify who asks") || !strings.Contains(log.String(), "/ungleichotp/") || strings.Contains(log.String(), shop.Seed) || strings.Contains(log.String(), "pass-word") {
			t.Errorf("%s: the log says %q", name, log.String())
		}
		if status != http.StatusServiceUnavailable || text != `{"detail":"The authentication server cannot be asked."}`+"\n" {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

func TestABodyIsReadForItsTripleUpToABound(t *testing.T) {
	s := open(t)
	door, printer := guard(t, s.client("shop")), s.client("printer")
	fitting := jsonBody(t, printer)
	fitting += strings.Repeat(" ", otp.MaxBody-len(fitting))
	if status, text := post(t, door, "application/json", fitting); status != http.StatusOK || len(text) < otp.MaxBody {
		t.Errorf("a body of %d bytes: %d, %d bytes read", len(fitting), status, len(text))
	}
	if status, text := post(t, door, "application/json", fitting+" "); status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "too large") {
		t.Errorf("one more: %d %s", status, text)
	}
	// With the triple in its header a body is the handler's business.
	if status, text := send(t, signed(t, door, printer, bytes.NewReader(make([]byte, otp.MaxBody+1)))); status != http.StatusOK || len(text) < otp.MaxBody {
		t.Errorf("beside a header: %d, %d bytes", status, len(text))
	}
}

// Who has shown nothing yet must not make a handler unpack gigabytes.
func TestABodyThatIsPackedIsNotRead(t *testing.T) {
	s := open(t)
	door, printer := guard(t, s.client("shop")), s.client("printer")
	for encoding, want := range map[string]int{
		"gzip": http.StatusUnsupportedMediaType, "identity, br": http.StatusUnsupportedMediaType, "x": http.StatusUnsupportedMediaType,
		"": http.StatusOK, "identity": http.StatusOK, "Identity": http.StatusOK,
	} {
		for _, body := range []string{jsonBody(t, printer), formBody(t, printer), multipartBody(t, printer)} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, door.URL, strings.NewReader(body))
			check(t, err)
			req.Header.Set("Content-Type", map[byte]string{'{': "application/json", '-': "multipart/form-data; boundary=b"}[body[0]])
			if body[0] == 'a' || body[0] == 'p' {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			req.Header.Set("Content-Encoding", encoding)
			if status, text := send(t, req); status != want {
				t.Errorf("%q: %d %s, want %d", encoding, status, text, want)
			}
		}
	}
	req := signed(t, door, printer, strings.NewReader("\x1f\x8b"))
	req.Header.Set("Content-Encoding", "gzip") // what the handler does with it is its own business
	if status, text := send(t, req); status != http.StatusOK {
		t.Errorf("with the triple in its header: %d %s", status, text)
	}
}

func TestAHeaderIsWhatCountsBesideABody(t *testing.T) {
	s := open(t)
	door := guard(t, s.client("shop"))
	req := signed(t, door, s.client("root"), strings.NewReader(jsonBody(t, s.client("printer"))))
	req.Header.Set("Content-Type", "application/json")
	if status, text := send(t, req); status != http.StatusOK || !strings.HasPrefix(text, "root of ungleich-admin") {
		t.Errorf("%d %s", status, text)
	}
}

func TestAnotherSchemeInTheHeaderLeavesTheBodyItsSay(t *testing.T) {
	s := open(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, guard(t, s.client("shop")).URL, strings.NewReader(jsonBody(t, s.client("printer"))))
	check(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Basic cHJpbnRlcjo=")
	if status, text := send(t, req); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}

// Names are those that a peer reads off a real connection.
func TestNamesOfAnyLettersGoThroughAHeader(t *testing.T) {
	got := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer s.Close()
	for _, name := range []string{"shop", "two words", "drücker", "世界", `"quoted"`, "a,b", "a=b", "a+b", "100%", "%41", `back\slash`, "a\nb", "a\tb", "a;b&c", "name", strings.Repeat("ü", 128)} {
		c := &otp.Client{Name: name, Realm: "the realm of " + name, Token: "123456"}
		send(t, signed(t, s, c, nil))
		gotName, gotRealm, gotToken, ok := otp.ParseHeader(<-got)
		if !ok || gotName != c.Name || gotRealm != c.Realm || gotToken != c.Token {
			t.Errorf("%q in %q arrives as %q in %q, %q, %v", c.Name, c.Realm, gotName, gotRealm, gotToken, ok)
		}
	}
}

func TestAHeaderIsReadAsHTTPAllowsToWriteIt(t *testing.T) {
	if name, _, _, _ := otp.ParseHeader(`OTP name="a+b%20c", realm="office", token="123456"`); name != "a+b c" {
		t.Errorf("percent-encoding is read as %q", name)
	}
	for _, text := range []string{
		`OTP name="shop", realm="office", token="123456"`, `otp name="shop",realm="office",token="123456"`, `OTP token=123456 , realm=office , name=shop`, `OTP  Name="shop", REALM="office", Token="123456", more="x"`,
	} {
		name, realm, token, ok := otp.ParseHeader(text)
		if !ok || name != "shop" || realm != "office" || token != "123456" {
			t.Errorf("%s: %q %q %q %v", text, name, realm, token, ok)
		}
	}
	for _, text := range []string{"", "OTP", "Basic cHJpbnRlcjo=", "Bearer name", `OTPname="shop"`, `OTP name="%zz"`} {
		if name, realm, token, ok := otp.ParseHeader(text); ok {
			t.Errorf("%s: %q %q %q", text, name, realm, token)
		}
	}
}

func TestARequestIsNotSignedWithoutASeed(t *testing.T) {
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	if err := (&otp.Client{Name: "shop", Realm: "office"}).Sign(req); err == nil || req.Header.Get("Authorization") != "" {
		t.Errorf("%v, %v", err, req.Header)
	}
}

func TestBehindNoDoorThereIsNobody(t *testing.T) {
	if id, ok := otp.From(context.Background()); ok {
		t.Errorf("%+v", id)
	}
}

func TestWhoGoesAwayIsNotAskedAbout(t *testing.T) {
	s := open(t)
	thinking, released := make(chan struct{}), make(chan struct{})
	s.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		close(thinking)
		gone(r) // our question ends with the request it is about
		close(released)
		return true
	}
	ctx, leave := context.WithCancel(t.Context())
	shop := s.client("shop")
	logged := make(chan string, 1)
	shop.Log = slog.New(slog.NewTextHandler(writer(func(text string) { logged <- text }), nil))
	checked := make(chan struct{})
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(checked)
		shop.Require("office")(http.HandlerFunc(greeter)).ServeHTTP(w, r)
	}))
	t.Cleanup(door.Close)
	req := signed(t, door, s.client("printer"), nil).WithContext(ctx)
	ended := make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		ended <- err
	}()
	<-thinking
	leave()
	<-released
	if err := <-ended; err == nil {
		t.Error("who has gone away is answered")
	}
	<-checked
	select {
	case text := <-logged: // a stranger could fill the log
		t.Errorf("the log says %s", text)
	default:
	}
}

// writer hands on what is written.
type writer func(text string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// bottomless is a body of blanks that never ends; it counts what was read.
type bottomless struct{ read int }

func (e *bottomless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 100*otp.MaxBody {
		return 0, io.EOF
	}
	return copy(p, bytes.Repeat([]byte(" "), len(p))), nil
}

func TestABodyWithoutEndIsReadNoFurtherThanItsBound(t *testing.T) {
	body := &bottomless{}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	(&otp.Client{}).Require()(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || body.read > 2*otp.MaxBody {
		t.Errorf("%d after %d bytes", w.Code, body.read)
	}
}
