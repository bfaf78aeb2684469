package ungleichotp_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/services"
)

// encodings are a body in every way that clients write it.
func encodings(method, path string, f fields) map[string]request {
	form, parts := url.Values{}, ""
	for key, v := range f {
		form.Set(key, v.(string))
		parts += part(key, v.(string))
	}
	q := request{method: method, path: path}
	asForm, asParts := q, q
	asForm.media, asForm.body = formMedia, form.Encode()
	asParts.media, asParts.body = "multipart/form-data; boundary=b", parts+"--b--\r\n"
	all := map[string]request{}
	for name, q := range map[string]request{"JSON": ask(method, path, f), "form": asForm, "multipart": asParts} {
		all[name], all[name+" in chunks"] = q, q.inChunks()
	}
	return all
}

// Requests that change nothing share one house.
func TestBodies(t *testing.T) {
	together(t, []promise{
		{"the body of every method is read in every encoding", theBodyOfEveryMethodIsReadInEveryEncoding},
		{"forms have field errors too", formsHaveFieldErrorsToo},
		{"query, Authorization and cookies are ignored", queryAuthorizationAndCookiesAreIgnored},
		{"no body is no credentials", noBodyIsNoCredentials},
		{"JSON that is no object is no credentials", jsonThatIsNoObjectIsNoCredentials},
		{"malformed JSON is told so", malformedJSONIsToldSo},
		{"a parse error does not tell the body", aParseErrorDoesNotTellTheBody},
		{"multipart without boundary is told so", multipartWithoutBoundaryIsToldSo},
		{"a body of another type is not read", aBodyOfAnotherTypeIsNotRead},
		{"a body without a type is not read", aBodyWithoutATypeIsNotRead},
		{"an unread type is told as it was written", anUnreadTypeIsToldAsItWasWritten},
		{"a type may have parameters and any case", aTypeMayHaveParametersAndAnyCase},
		{"a long body is read to its end", aLongBodyIsReadToItsEnd},
		{"a form may have a thousand fields", aFormMayHaveAThousandFields},
	})
}

func theBodyOfEveryMethodIsReadInEveryEncoding(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		for _, call := range []struct {
			method, path string
			status       int
			body         string
		}{
			{"POST", verifyPath, 200, statusOK},
			{"OPTIONS", verifyPath, 200, "{}"},
			{"GET", collectionPath, 200, h.list(c.admin, c.auth, c.shop)},
			{"HEAD", collectionPath, 200, ""},
			{"GET", c.shop.path(), 200, c.shop.shown()},
			{"HEAD", c.shop.path(), 200, ""},
			{"OPTIONS", c.shop.path(), 200, "{}"},
			{"DELETE", collectionPath, 405, notAllowed("DELETE")},
			{"DELETE", "/ungleichotp/999/", 404, notFound},
			{"GET", rootPath, 200, indexBody},
			{"HEAD", rootPath, 200, ""},
			{"TRACE", rootPath, 405, notAllowed("TRACE")},
		} {
			for name, q := range encodings(call.method, call.path, s.verify(c.admin, c.shop)) {
				t.Run(s.name+" "+call.method+" "+call.path+" "+name, func(t *testing.T) {
					h.send(t, q).is(t, call.status, call.body)
				})
			}
		}
	}
}

func TestEntriesAreMadeChangedAndRemovedInEveryEncoding(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.cast(t).admin
		for name := range encodings("", "", nil) {
			more := fields{"name": "é+&= " + name, "realm": "shop"}
			a := h.send(t, encodings("POST", collectionPath, admin.g4().with(more))[name])
			w := made(t, h, a)
			a.is(t, http.StatusCreated, shown(w.ID, "é+&= "+name, "shop", w.Seed))
			h.send(t, encodings("PUT", w.path(), admin.g4().with(more))[name]).is(t, http.StatusOK, w.shown())
			h.send(t, encodings("PATCH", w.path(), admin.g4().with(fields{"realm": "bar"}))[name]).is(t, http.StatusOK, shown(w.ID, w.Name, "bar", w.Seed))
			h.send(t, encodings("DELETE", w.path(), admin.g4())[name]).is(t, http.StatusNoContent, "")
		}
	})
}

func formsHaveFieldErrorsToo(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		key := s.theirs + "name"
		for _, f := range []fault{
			{"blank", " ", "This field may not be blank."},
			{"absent", absent, "This field is required."},
			{"NUL", "a\x00", "Null characters are not allowed."},
			{"long", strings.Repeat("ü", 129), "Ensure this field has no more than 128 characters."},
		} {
			for _, q := range encodings("POST", verifyPath, f.in(s.verify(c.auth, c.shop), key)) {
				h.send(t, q).is(t, http.StatusBadRequest, wrongField(key, f.text))
			}
		}
	}
}

func queryAuthorizationAndCookiesAreIgnored(t *testing.T, h *house, c cast) {
	wrong := c.admin.wrong()
	for _, s := range shapes() {
		good, bad := url.Values{}, url.Values{}
		for key, v := range s.caller(c.admin) {
			good.Set(key, v.(string))
			bad.Set(key, "x")
		}
		basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("root:"+c.admin.token(0)))
		cookie := "Cookie: djauthy=x; " + strings.ReplaceAll(good.Encode(), "&", "; ")
		for _, q := range []request{
			ask("GET", collectionPath+"?"+good.Encode(), nil), ask("GET", collectionPath+"?"+good.Encode(), fields{"x": "y"}),
			ask("GET", collectionPath, nil).header(basic, cookie), ask("GET", collectionPath, fields{}).header("Authorization: Token " + c.admin.token(0)),
		} {
			h.send(t, q).is(t, http.StatusForbidden, badCredentials)
		}
		q := ask("GET", c.shop.path()+"?"+bad.Encode()+"&auth_token="+wrong, s.caller(c.admin))
		h.send(t, q.header("Authorization: Basic eDp5", "Cookie: name=x; djauthy=x; csrftoken=x")).is(t, http.StatusOK, c.shop.shown())
	}
}

func noBodyIsNoCredentials(t *testing.T, h *house, c cast) {
	for _, path := range []string{verifyPath, collectionPath, c.shop.path()} {
		for _, method := range methodsOfHTTP() {
			q := ask(method, path, nil)
			for _, q := range []request{
				q, q.header("Content-Length: 0"), q.header("Content-Type: application/json"), q.header("Content-Type: text/plain", "Content-Length: 0"),
				q.header("Content-Type: multipart/form-data"), q.header("Content-Type: " + formMedia),
			} {
				h.send(t, q).is(t, http.StatusForbidden, bodyFor(method, badCredentials))
			}
		}
	}
}

func jsonThatIsNoObjectIsNoCredentials(t *testing.T, h *house, c cast) {
	for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
		for _, body := range []string{`null`, `true`, `5`, `"auth_name"`, `[]`, `[{"auth_name":"root"}]`, ` [1, 2] `, `{}`} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				h.send(t, request{method: method, path: path, media: jsonMedia, body: body}).is(t, http.StatusForbidden, badCredentials)
			}
		}
	}
}

// brokenJSON are bodies that are no JSON, though some parsers take them.
func brokenJSON(w who) map[string]string {
	good := ask("", "", w.g4()).body
	inner := strings.TrimSuffix(good, "}")
	return map[string]string{
		"cut off":               inner,
		"nothing but space":     " \n",
		"NaN":                   inner + `,"x":NaN}`,
		"NaN alone":             `NaN`,
		"NaN in a list":         `[NaN]`,
		"Infinity":              inner + `,"x":Infinity}`,
		"minus Infinity":        inner + `,"x":[-Infinity]}`,
		"BOM":                   "\ufeff" + good,
		"bad UTF-8 in a value":  inner + `,"x":"` + "\xff" + `"}`,
		"bad UTF-8 in a key":    inner + `,"` + "\xc3(" + `":"x"}`,
		"surrogate as UTF-8":    inner + `,"x":"` + "\xed\xa0\x80" + `"}`,
		"half a pair":           inner + `,"x":"\ud800"}`,
		"the other half":        inner + `,"x":"\uDC00"}`,
		"halves swapped":        inner + `,"x":"\udc00\ud800"}`,
		"half a pair, a letter": inner + `,"x":"\ud800\u0041"}`,
		"half a pair in a key":  inner + `,"x\ud83d":"x"}`,
		"half a pair in a list": `["\udfff"]`,
		"half a pair nested":    inner + `,"x":{"y":["\\\udbff"]}}`,
		"UTF-16":                "{\x00}\x00",
		"trailing comma":        inner + `,}`,
		"comma in a list":       `[1,]`,
		"two values":            good + good,
		"something after it":    good + " x",
		"single quotes":         `{'auth_name':'root'}`,
		"a leading zero":        inner + `,"token":081804}`,
		"a plus":                inner + `,"token":+5}`,
		"a bare control":        inner + `,"x":"` + "\n" + `"}`,
		"a comment":             good + "// x",
		"a form by another tag": "auth_name=root&auth_realm=ungleich-admin",
	}
}

// isBrokenBody demands a 400 whose text begins with these words. What comes
// after them is the parser's own.
func (a answer) isBrokenBody(t *testing.T, words string) {
	t.Helper()
	a.is(t, http.StatusBadRequest, a.body)
	if start := `{"detail":"` + words + ` - `; !strings.HasPrefix(a.body, start) || !strings.HasSuffix(a.body, `"}`) || len(a.body) <= len(start)+2 {
		t.Errorf("%s: %s, want %s...\"}", a.to, a.body, start)
	}
}

func malformedJSONIsToldSo(t *testing.T, h *house, c cast) {
	for name, body := range brokenJSON(c.admin) {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
				h.send(t, request{method: "POST", path: path, media: jsonMedia, body: body}).isBrokenBody(t, "JSON parse error")
			}
			q := request{method: "GET", path: collectionPath, media: "application/json; charset=utf-8", body: body}
			h.send(t, q.inChunks()).isBrokenBody(t, "JSON parse error")
		})
	}
}

// Each byte of a body is left out or made another in turn. What is JSON says the
// library.
func TestABodyIsJSONToTheByte(t *testing.T) {
	const body = `{"auth_name":"root", "auth_realm" : "x","n":12,"m":50 }`
	var bodies []string
	for i := range len(body) {
		bodies = append(bodies, body[:i], body[:i]+body[i+1:])
		for _, b := range "\"\\,:0}{[ \x00\n\x7f-.e" {
			bodies = append(bodies, body[:i]+string(b)+body[i+1:])
		}
		bodies = append(bodies, body[:i]+"\xff"+body[i+1:], body[:i]+"\ufeff"+body[i:], body+body[i:])
	}
	run(t, func(t *testing.T, h *house) {
		var all []request
		for _, body := range bodies {
			if body != "" {
				all = append(all, request{method: "GET", path: collectionPath, media: jsonMedia, body: body})
			}
		}
		for _, a := range h.sendAll(t, all...) {
			if json.Valid([]byte(a.to.body)) && utf8.ValidString(a.to.body) {
				a.is(t, http.StatusForbidden, badCredentials) // for want of a token
			} else {
				a.isBrokenBody(t, "JSON parse error")
			}
		}
	})
}

func TestJSONMayHaveWhiteSpaceAnywhere(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.draft(t, services.Draft{Name: "12", Realm: "shop", Seed: rfcSeed})
		h.setClock(time.Unix(2000000000, 0)) // 279037
		for _, body := range []string{
			`{"auth_name":12,"auth_realm":"shop","auth_token":279037}`,
			`{"auth_name" : 12 , "auth_realm" : "shop" , "auth_token" : 279037 }`,
			"\r\n{\t\"auth_name\"\n:\n12\n,\r\"auth_realm\"\t:\t\"shop\"\t,\n\"auth_token\"\n:\n279037\n}\n\n",
			`{"auth_name":"12","auth_realm":"sh\u006fp","auth_token":"279037","x":{}}`,
			`{"auth_\u006eame":"12","auth_realm":"shop","auth_token":"279037"}`,
			`{"auth_name":"12","auth_realm":"shop","auth_token":"279037","\ud83d\ude00":"\\ud800 \uD83D\uDE00"}`,
		} {
			h.send(t, request{method: "GET", path: rootPath, media: jsonMedia, body: body}).is(t, http.StatusOK, indexBody)
		}
		h.send(t, ask("GET", rootPath, w.g4())).is(t, http.StatusOK, indexBody)
	})
}

func aParseErrorDoesNotTellTheBody(t *testing.T, h *house, c cast) {
	for name, body := range brokenJSON(c.admin) {
		a := h.send(t, request{method: "POST", path: verifyPath, media: jsonMedia, body: body})
		if strings.Contains(a.body, c.admin.token(0)) {
			t.Errorf("%s: the answer holds the token: %s", name, a.body)
		}
	}
}

func multipartWithoutBoundaryIsToldSo(t *testing.T, h *house, c cast) {
	good := encodings("", "", c.admin.g4())["multipart"].body
	for _, media := range []string{"multipart/form-data", "multipart/form-data; charset=utf-8", "multipart/form-data; boundary=", "Multipart/Form-Data;"} {
		for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
			for _, q := range []request{{method: "POST", path: path, media: media, body: good}, {method: "GET", path: path, media: media, body: "x", chunked: true}} {
				h.send(t, q).isBrokenBody(t, "Multipart form parse error")
			}
		}
	}
}

func aBodyOfAnotherTypeIsNotRead(t *testing.T, h *house, c cast) {
	body := ask("", "", c.admin.g4()).body
	for _, media := range []string{"text/plain", "text/json", "application/xml", "application/jsonp", "application/x-json", "multipart/mixed", "application/*", "*/*", "x"} {
		for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
			for _, method := range methodsOfHTTP() {
				q := request{method: method, path: path, media: media, body: body}
				h.send(t, q).is(t, http.StatusUnsupportedMediaType, bodyFor(method, unsupported(media)))
			}
			q := request{method: "GET", path: path, media: media, body: body}
			h.send(t, q.inChunks()).is(t, http.StatusUnsupportedMediaType, unsupported(media))
		}
	}
}

func unsupported(media string) string {
	return `{"detail":"Unsupported media type \"` + media + `\" in request."}`
}

func aBodyWithoutATypeIsNotRead(t *testing.T, h *house, c cast) {
	q := ask("POST", verifyPath, c.admin.g4().with(c.shop.claim()))
	q.media = ""
	h.send(t, q).is(t, http.StatusUnsupportedMediaType, unsupported(""))
	h.send(t, q.inChunks()).is(t, http.StatusUnsupportedMediaType, unsupported(""))
	q.method, q.path = "GET", collectionPath
	h.send(t, q).is(t, http.StatusUnsupportedMediaType, unsupported(""))
}

// What a client writes in a header comes back as it wrote it, JSON's own
// escapes aside.
func anUnreadTypeIsToldAsItWasWritten(t *testing.T, h *house, _ cast) {
	for media, told := range map[string]string{"text/ü": "text/ü", `text/x"y`: `text/x\"y`, `text/\d`: `text/\\d`, "text/<b>&": "text/<b>&"} {
		h.send(t, request{method: "POST", path: verifyPath, media: media, body: "x"}).is(t, http.StatusUnsupportedMediaType, unsupported(told))
	}
}

func aTypeMayHaveParametersAndAnyCase(t *testing.T, h *house, c cast) {
	all := encodings("POST", verifyPath, c.auth.g4().with(c.shop.claim()))
	for name, media := range map[string][]string{
		"JSON":      {"application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "application/json; indent=4; q=1", "application/json;"},
		"form":      {formMedia + "; charset=UTF-8", "Application/X-WWW-Form-Urlencoded"},
		"multipart": {`multipart/form-data; boundary="b"`, "multipart/form-data; charset=utf-8; boundary=b", "Multipart/Form-Data; Boundary=b", "multipart/form-data;boundary=b"},
	} {
		for _, m := range media {
			q := all[name]
			q.media = m
			h.send(t, q).is(t, http.StatusOK, statusOK)
		}
	}
}

// Clients keep their connections, so an answer must not leave a rest of its
// request or of itself behind.
func TestAConnectionStaysGoodAfterEveryAnswer(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		good := ask("GET", c.shop.path(), c.admin.g4())
		text := request{method: "GET", path: verifyPath, media: "text/plain", body: strings.Repeat("x", 5000)}
		between := []struct {
			request
			status int
		}{
			{ask("HEAD", collectionPath, c.admin.g4()), 200},
			{ask("HEAD", collectionPath, nil), 403},
			{ask("DELETE", c.auth.path(), c.admin.g4()).inChunks(), 204},
			{ask("OPTIONS", c.shop.path(), c.admin.g2()).inChunks(), 200},
			{text, 415},
			{text.inChunks(), 415},
			{text.header(plainText), 406},
			{malformed("PUT", collectionPath), 400},
			{ask("POST", "/ungleichotp/verify", c.admin.g4()), 301},
			{ask("HEAD", "/ungleichotp/1/2/", c.admin.g4()), 404},
			{ask("TRACE", collectionPath, c.admin.g4()), 405},
			{ask("POST", verifyPath, c.admin.g4().with(c.shop.claim())), 200},
		}
		all := []request{good}
		for _, b := range between {
			all = append(all, b.request, good)
		}
		for i, a := range h.sendAll(t, all...) {
			if i%2 == 0 {
				a.is(t, http.StatusOK, c.shop.shown())
			} else if want := between[i/2].status; a.status != want {
				t.Errorf("%s: %d %s, want %d", a.to, a.status, a.body, want)
			}
		}
	})
}

// As many as Django takes. What is nobody's field counts, too.
func aFormMayHaveAThousandFields(t *testing.T, h *house, c cast) {
	body := c.auth.g4().with(c.shop.claim())
	for name, x := range map[string]struct{ one, words string }{
		"form":      {"&x=", "Form parse error"},
		"multipart": {part("x", ""), "Multipart form parse error"},
	} {
		with := func(more int) request {
			q := encodings("POST", verifyPath, body)[name]
			if name == "form" {
				q.body += strings.Repeat(x.one, more)
			} else {
				q.body = strings.Repeat(x.one, more) + q.body
			}
			return q
		}
		h.send(t, with(1000-len(body))).is(t, http.StatusOK, statusOK)
		h.send(t, with(1001-len(body))).isBrokenBody(t, x.words)
		h.send(t, with(1100).inChunks()).isBrokenBody(t, x.words)
	}
	q := request{method: "POST", path: verifyPath, media: formMedia, body: strings.Repeat("&", 60000)}
	h.send(t, q).isBrokenBody(t, "Form parse error")
}

// A body is read in whatever pieces it comes.
func aLongBodyIsReadToItsEnd(t *testing.T, h *house, c cast) {
	for _, size := range []int{4 << 10, 16 << 10, 60 << 10} {
		body := c.admin.g4().with(c.shop.claim(), fields{"a": strings.Repeat("x", size)})
		for name := range encodings("", "", nil) {
			t.Run(fmt.Sprint(size, " ", name), func(t *testing.T) {
				h.send(t, encodings("POST", verifyPath, body)[name]).is(t, http.StatusOK, statusOK)
				h.send(t, encodings("GET", c.shop.path(), body)[name]).is(t, http.StatusOK, c.shop.shown())
			})
		}
	}
}
