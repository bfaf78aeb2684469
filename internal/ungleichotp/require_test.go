package ungleichotp_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/client/otp/fiberotp"
)

// shownIn are bodies by which an entry till of the realm shop shows its triple, or does
// not: RIGHT is its token, WRONG another.
func shownIn() map[string]struct {
	media, body string
	good        bool
} {
	file := "--b\r\nContent-Disposition: form-data; name=\"auth_token\"; filename=\"t\"\r\n\r\nRIGHT\r\n"
	begin := `{"auth_name":"till","auth_realm":"shop",`
	formBegin, parts := "auth_name=till&auth_realm=shop&", part("auth_name", "till")+part("auth_realm", "shop")
	const multipart = "multipart/form-data; boundary=b"
	return map[string]struct {
		media, body string
		good        bool
	}{
		"JSON":                               {jsonMedia, begin + `"auth_token":"RIGHT"}`, true},
		"JSON, twice, the last right":        {jsonMedia, begin + `"auth_token":"WRONG","auth_token":"RIGHT"}`, true},
		"JSON, twice, the last wrong":        {jsonMedia, begin + `"auth_token":"RIGHT","auth_token":"WRONG"}`, false},
		"JSON, twice, the last null":         {jsonMedia, begin + `"auth_token":"RIGHT","auth_token":null}`, false},
		"JSON, twice, the last a list":       {jsonMedia, begin + `"auth_token":"RIGHT","auth_token":["RIGHT"]}`, false},
		"JSON, twice, the first null":        {jsonMedia, begin + `"auth_token":null,"auth_token":"RIGHT"}`, true},
		"JSON, another name first":           {jsonMedia, `{"auth_name":"root",` + begin[1:] + `"auth_token":"RIGHT"}`, true},
		"JSON, another name last":            {jsonMedia, begin + `"auth_token":"RIGHT","auth_name":"root"}`, false},
		"JSON, a key in other letters":       {jsonMedia, begin + `"Auth_Token":"RIGHT"}`, false},
		"JSON, an escaped key":               {jsonMedia, begin + `"auth\u005ftoken":"RIGHT"}`, true},
		"JSON, cut off":                      {jsonMedia, begin + `"auth_token":"RIGHT"`, false},
		"JSON, something after it":           {jsonMedia, begin + `"auth_token":"RIGHT"}x`, false},
		"JSON, half a surrogate pair":        {jsonMedia, begin + `"auth_token":"RIGHT","x":"\ud800"}`, false},
		"JSON, half a pair in a key":         {jsonMedia, begin + `"auth_token":"RIGHT","\udc00":1}`, false},
		"JSON, a whole pair":                 {jsonMedia, begin + `"auth_token":"RIGHT","x":"\ud83d\ude00"}`, true},
		"JSON, bad UTF-8":                    {jsonMedia, begin + `"auth_token":"RIGHT","x":"` + "\xff" + `"}`, false},
		"JSON with a byte order mark":        {jsonMedia, "\ufeff" + begin + `"auth_token":"RIGHT"}`, false},
		"JSON in a list":                     {jsonMedia, `[` + begin + `"auth_token":"RIGHT"}]`, false},
		"JSON, parameters that are none":     {jsonMedia + "; charset", begin + `"auth_token":"RIGHT"}`, true},
		"JSON as text":                       {"text/json", begin + `"auth_token":"RIGHT"}`, false},
		"a negative number":                  {jsonMedia, begin + `"auth_token":-5}`, false},
		"a form":                             {formMedia, formBegin + "auth_token=RIGHT", true},
		"a form, twice, the last right":      {formMedia, formBegin + "auth_token=WRONG&auth_token=RIGHT", true},
		"a form, twice, the last wrong":      {formMedia, formBegin + "auth_token=RIGHT&auth_token=WRONG", false},
		"a form, twice, the last empty":      {formMedia, formBegin + "auth_token=RIGHT&auth_token=", false},
		"a form, twice, the last bare":       {formMedia, formBegin + "auth_token=RIGHT&auth_token", false},
		"a form, another name first":         {formMedia, "auth_name=root&" + formBegin + "auth_token=RIGHT", true},
		"a form, another realm last":         {formMedia, formBegin + "auth_token=RIGHT&auth_realm=office", false},
		"a form, an escaped key":             {formMedia, formBegin + "auth%5Ftoken=RIGHT", true},
		"a form, an escaped value":           {formMedia, "auth_name=t%69ll&auth_realm=%73hop&auth_token=RIGHT", true},
		"a form, a half escape beside it":    {formMedia, formBegin + "auth_token=RIGHT&x=%zz&y=%&z=%4", true},
		"a form, a half escape in a name":    {formMedia, "auth_name=till%&auth_realm=shop&auth_token=RIGHT", false},
		"a form, semicolons":                 {formMedia, formBegin + "x=a;b&auth_token=RIGHT", true},
		"a form, semicolons that part it":    {formMedia, "auth_name=till;auth_realm=shop;auth_token=RIGHT", false},
		"a form, a semicolon, the last":      {formMedia, formBegin + "auth_token=WRONG&auth_token=RIGHT&x;y", true},
		"a form, the end of a line":          {formMedia, formBegin + "auth_token=RIGHT\r\n&x=1", true},
		"a form, more fields than are read":  {formMedia, formBegin + "auth_token=RIGHT" + strings.Repeat("&x", 1000), false},
		"a form by JSON's tag":               {jsonMedia, formBegin + "auth_token=RIGHT", false},
		"multipart":                          {multipart, parts + part("auth_token", "RIGHT") + "--b--\r\n", true},
		"multipart, twice, the last right":   {multipart, parts + part("auth_token", "WRONG") + part("auth_token", "RIGHT") + "--b--\r\n", true},
		"multipart, twice, the last wrong":   {multipart, parts + part("auth_token", "RIGHT") + part("auth_token", "WRONG") + "--b--\r\n", false},
		"multipart, a file":                  {multipart, parts + file + "--b--\r\n", false},
		"multipart, a file beside it":        {multipart, parts + part("auth_token", "RIGHT") + strings.ReplaceAll(file, "auth_token", "x") + "--b--\r\n", true},
		"multipart, cut off":                 {multipart, parts + part("auth_token", "RIGHT"), false},
		"multipart without a boundary":       {"multipart/form-data", parts + part("auth_token", "RIGHT") + "--b--\r\n", false},
		"multipart, more parts than is read": {multipart, parts + part("auth_token", "RIGHT") + strings.Repeat(part("x", ""), 1000) + "--b--\r\n", false},
	}
}

// The client library's middleware reads a triple as the wire does, or a request could be
// one service's here and another's there.
func TestTheClientLibraryReadsABodyAsTheWireDoes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		client := &otp.Client{Name: c.auth.Name, Realm: c.auth.Realm, Server: "http://" + h.address + "/ungleichotp/"}
		readers := map[string]string{"Require": requireServer(t, client), "fiberotp": fiberServer(t, client)}
		for what, x := range shownIn() {
			t.Run(what, func(t *testing.T) {
				h.clock.Advance(time.Minute) // gives wrong tokens back
				client.Token = c.auth.token(0)
				body := strings.NewReplacer("RIGHT", c.shop.token(0), "WRONG", c.shop.wrong()).Replace(x.body)
				q := request{method: "GET", path: rootPath, media: x.media, body: body}
				if got := h.send(t, q).status == http.StatusOK; got != x.good {
					t.Errorf("on the wire: %t, want %t", got, x.good)
				}
				q.method = "POST"
				for name, address := range readers {
					other := &house{address: address}
					if a := other.send(t, q); (a.status == http.StatusOK) != x.good || a.status >= 500 {
						t.Errorf("%s: %d %s, want it to pass: %t", name, a.status, a.body, x.good)
					}
				}
			})
		}
	})
}

func requireServer(t *testing.T, c *otp.Client) (address string) {
	t.Helper()
	s := httptest.NewServer(c.Require("shop")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func fiberServer(t *testing.T, c *otp.Client) (address string) {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true, DisablePreParseMultipartForm: true})
	app.Post("/", fiberotp.Require(c, "shop"), func(f *fiber.Ctx) error { return f.SendStatus(http.StatusOK) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(l) }()
	t.Cleanup(func() {
		check(t, app.Shutdown())
		check(t, <-ended)
	})
	return l.Addr().String()
}
