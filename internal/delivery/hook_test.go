package delivery_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/delivery"
)

// gateway is a receiver of hooks. It keeps every request.
type gateway struct {
	*httptest.Server
	mu  sync.Mutex
	got []request
}

type request struct {
	method, path, body string
	header             http.Header
}

// openGateway answers each request by answer; nil: 200.
func openGateway(t *testing.T, answer http.HandlerFunc) *gateway {
	t.Helper()
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		g.got = append(g.got, request{r.Method, r.URL.EscapedPath(), string(body), r.Header.Clone()})
		g.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) requests() []request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]request(nil), g.got...)
}

// only is the one request that came.
func (g *gateway) only(t *testing.T) request {
	t.Helper()
	all := g.requests()
	if len(all) != 1 {
		t.Fatalf("%d requests", len(all))
	}
	return all[0]
}

func hook(t *testing.T, h delivery.Hook) delivery.Sender {
	t.Helper()
	if h.Method == "" {
		h.Method = "POST"
	}
	if h.ContentType == "" {
		h.ContentType = "application/json"
	}
	h.Site = "Example"
	s, err := delivery.NewHook(h)
	check(t, err)
	return s
}

var texted = delivery.Worded{ID: "a.1", To: "+41791234567", Subject: "123456 is your code", Text: "123456\n\nA \"line\" & <another>\u2028\\.\n", Code: "123456", Minutes: 10}

func TestAHookWithoutABodyGetsAllValues(t *testing.T) {
	want6 := map[string]string{"to": texted.To, "code": "123456", "text": texted.Text, "subject": texted.Subject, "site": "Example", "minutes": "10"}
	g := openGateway(t, nil)
	check(t, send(t.Context(), hook(t, delivery.Hook{URL: g.URL + "/send"}), texted))
	r := g.only(t)
	var got map[string]string
	check(t, json.Unmarshal([]byte(r.body), &got))
	for key, value := range want6 {
		want(t, got[key], value)
	}
	want(t, len(got), 6)
	want(t, r.method+" "+r.path+" "+r.header.Get("Content-Type"), "POST /send application/json")

	g = openGateway(t, nil)
	check(t, send(t.Context(), hook(t, delivery.Hook{URL: g.URL, ContentType: "application/x-www-form-urlencoded"}), texted))
	form, err := url.ParseQuery(g.only(t).body)
	check(t, err)
	for key, value := range want6 {
		want(t, form.Get(key), value)
	}
}

func TestValuesInABodyAreEscapedForItsContentType(t *testing.T) {
	g := openGateway(t, nil)
	check(t, send(t.Context(), hook(t, delivery.Hook{URL: g.URL, Body: `{"m": {"body": "{{.Text}}", "to": ["{{.To}}"]}, "ttl": {{.Minutes}}}`}), texted))
	var got struct {
		M struct {
			Body string
			To   []string
		}
		TTL int
	}
	check(t, json.Unmarshal([]byte(g.only(t).body), &got))
	want(t, got.M.Body, texted.Text)
	want(t, got.M.To[0], texted.To)
	want(t, got.TTL, 10)

	g = openGateway(t, nil)
	check(t, send(t.Context(), hook(t, delivery.Hook{URL: g.URL, ContentType: "application/x-www-form-urlencoded", Body: `a=1&text={{.Text}}&to={{.To}}`}), texted))
	form, err := url.ParseQuery(g.only(t).body)
	check(t, err)
	want(t, form.Get("text"), texted.Text)
	want(t, form.Get("to"), texted.To)
	want(t, len(form), 3)
}

func TestAValueNeverLeavesItsPlaceInThePath(t *testing.T) {
	for to, path := range map[string]string{
		"+41791234567": "/v1/+41791234567/send", "a/b": "/v1/a%2Fb/send", "a/../b": "", "x/../../../admin": "", "a?b#c": "/v1/a%3Fb%23c/send", "a b": "/v1/a%20b/send", "%2e%2e": "/v1/%252e%252e/send",
		"..": "", ".": "",
	} {
		g := openGateway(t, nil)
		w := texted
		w.To = to
		err := send(t.Context(), hook(t, delivery.Hook{URL: g.URL + "/v1/{{.To}}/send"}), w)
		if path == "" {
			want(t, refusal(t, err).Permanent, true)
			want(t, len(g.requests()), 0)
			continue
		}
		check(t, err)
		want(t, g.only(t).path, path)
	}
}

func TestAHookIsSigned(t *testing.T) {
	g := openGateway(t, nil)
	before := time.Now().Unix()
	check(t, send(t.Context(), hook(t, delivery.Hook{URL: g.URL, Secret: "a long secret", Headers: map[string]string{"X-Token": "abc"}}), texted))
	r := g.only(t)
	want(t, r.header.Get("X-Token"), "abc")
	at, mac, _ := strings.Cut(strings.TrimPrefix(r.header.Get("X-Djauthy-Signature"), "t="), ",v1=")
	sum := hmac.New(sha256.New, []byte("a long secret"))
	sum.Write([]byte(at + "." + r.body))
	want(t, mac, hex.EncodeToString(sum.Sum(nil)))
	seconds := json.Number(at)
	if n, err := seconds.Int64(); err != nil || n < before || n > time.Now().Unix() {
		t.Errorf("signed at %s", at)
	}
}

const token = "bot4711:AAH-secret_token"

// Whatever a gateway answers, nothing of the settings comes out in what is kept.
func TestAnswersAreToldApartAndHoldNoSecret(t *testing.T) {
	secrets := []string{token, "AAH-secret_token", "YWNj", "pass-word", "ann@", "9123", "hunter2", "0123456789", "shortkey", "path-part", "user-info"}
	for _, status := range []int{200, 202, 204, 301, 302, 307, 400, 401, 403, 404, 429, 500, 502, 503} {
		elsewhere := openGateway(t, nil)
		g := openGateway(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
			said := "no: " + r.URL.String() + " AAH-secret_token " + r.Header.Get("Authorization") + " pass-word\n\x1b[31m for ann@example.org +41791234567, 0791234567, 41791234567, %2B41791234567, @ann:example.org "
			_, _ = io.WriteString(w, said+"api_key=0123456789 shortkey path-part user-info hunter2/hunter2 hunter2\\/hunter2 hunter2%2Fhunter2")
		})
		s := hook(t, delivery.Hook{
			URL: strings.Replace(g.URL, "//", "//user-info:user-info@", 1) + "/" + token + "/path-part-{{.To}}", Headers: map[string]string{"Authorization": "Basic YWNjb3VudDpwYXNzLXdvcmQ=", "X-Key": "hunter2/hunter2"},
			ContentType: "application/x-www-form-urlencoded", Body: "api_key=0123456789&k=shortkey&text={{.Text}}&to={{.To}}",
		})
		for _, to := range []string{texted.To, "@ann:example.org"} {
			w := texted
			w.To = to
			said, err := s.Send(t.Context(), w)
			if status/100 != 2 {
				se := refusal(t, err)
				want(t, se.Lasting || se.Permanent || se.Unknown, false)
				want(t, se.Down, status/100 == 3 || status == 401 || status >= 500)
				said = se.Said + se.Reason
			} else {
				check(t, err)
			}
			for _, secret := range secrets {
				if to == texted.To && strings.Contains(said, secret) || strings.ContainsAny(said, "\n\x1b") || strings.Contains(said, to) {
					t.Errorf("%d: %q holds %q", status, said, secret)
				}
			}
		}
		want(t, len(elsewhere.requests()), 0)
	}
}

func TestAHookThatIsNotThereIsDownAndItsErrorHoldsNoSecret(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, l.Close())
	for _, address := range []string{"http://" + l.Addr().String(), "https://" + l.Addr().String(), "http://gateway.invalid"} {
		s := hook(t, delivery.Hook{URL: address + "/" + token + "/send"})
		se := refusal(t, send(t.Context(), s, texted))
		want(t, se.Down, true)
		want(t, se.Unknown, false)
		if strings.Contains(se.Error(), token) {
			t.Errorf("%v", se)
		}
		if err := s.Check(t.Context()); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("Check says %v", err)
		}
	}
}

func TestAHookThatStallsIsGivenUpWithItsContext(t *testing.T) {
	over := make(chan struct{})
	g := openGateway(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	defer close(over)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	se := refusal(t, send(ctx, hook(t, delivery.Hook{URL: g.URL}), texted))
	want(t, se.Unknown, true) // it has the request
}

func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	wrote := make(chan int, 1)
	g := openGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for block := make([]byte, 1<<16); n < 64<<20; n += len(block) {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
		wrote <- n
	})
	check(t, send(t.Context(), hook(t, delivery.Hook{URL: g.URL}), texted))
	if n := <-wrote; n >= 64<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestCheckOfAHookSendsNoMessage(t *testing.T) {
	for status, works := range map[int]bool{200: true, 301: true, 401: true, 404: true, 405: true, 501: true, 500: false, 503: false} {
		g := openGateway(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := hook(t, delivery.Hook{URL: g.URL + "/" + token}).Check(t.Context()); (err == nil) != works {
			t.Errorf("%d: %v", status, err)
		}
		r := g.only(t)
		want(t, r.method+r.path+r.body, "OPTIONS/")
		want(t, r.header.Get("X-Djauthy-Signature"), "")
	}
}

func TestAHookThatCannotBeMadeNamesTheSetting(t *testing.T) {
	for name, c := range map[string]struct {
		h    delivery.Hook
		says string
	}{
		"no host":              {delivery.Hook{URL: "https://"}, "url:"},
		"a value in the host":  {delivery.Hook{URL: "https://{{.To}}.example.org/"}, "url:"},
		"a value in the query": {delivery.Hook{URL: "https://a.example/?to={{.To}}"}, "url:"},
		"no such value":        {delivery.Hook{URL: "https://a.example/{{.Nobody}}"}, "url:"},
		"half a template":      {delivery.Hook{URL: "https://a.example/{{.To"}, "url:"},
		"no such value here":   {delivery.Hook{URL: "https://a.example", Body: `{"to": "{{.Nobody}}"}`}, "body:"},
		"no quotation marks":   {delivery.Hook{URL: "https://a.example", Body: `{"to": {{.Text}}}`}, "body:"},
		"no code, GET":         {delivery.Hook{URL: "https://a.example/{{.To}}", Method: "GET"}, "body:"},
		"no code":              {delivery.Hook{URL: "https://a.example", Body: `{"to": "{{.To}}"}`}, "body:"},
		"a code as a number":   {delivery.Hook{URL: "https://a.example", Body: `{"to": "{{.To}}", "code": {{.Code}}}`}, "body:"},
		"a fragment":           {delivery.Hook{URL: "https://a.example/#x"}, "url: what stands"},
		"GET has no body":      {delivery.Hook{URL: "https://a.example", Method: "GET", Body: `{"to": "{{.To}}"}`}, "body:"},
		"a header with a line": {delivery.Hook{URL: "https://a.example", Headers: map[string]string{"X-A": "a\r\nX-B: c"}}, "headers:"},
		"no header":            {delivery.Hook{URL: "https://a.example", Headers: map[string]string{"X A": "a"}}, "headers:"},
	} {
		if c.h.Method == "" {
			c.h.Method = "POST"
		}
		c.h.ContentType = "application/json"
		if _, err := delivery.NewHook(c.h); err == nil || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
