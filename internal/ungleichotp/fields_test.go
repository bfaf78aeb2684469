package ungleichotp_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/services"
)

// absent stands for a field that is not sent.
const absent = "(absent)"

// fault is a value that no field may have, and what is said to it.
type fault struct {
	name  string
	value any
	text  string
}

func faults() []fault {
	const blank, noText, long = "This field may not be blank.", "Not a valid string.", "Ensure this field has no more than 128 characters."
	return []fault{
		{"empty", "", blank},
		{"space", "  ", blank},
		{"other white space", "\t\r\n\u00a0\u3000", blank},
		{"null", nil, "This field may not be null."},
		{"absent", absent, "This field is required."},
		{"true", true, noText},
		{"false", false, noText},
		{"list", literal(`["x"]`), noText},
		{"empty list", literal(`[]`), noText},
		{"object", literal(`{"x":"y"}`), noText},
		{"empty object", literal(`{}`), noText},
		{"129 letters", strings.Repeat("a", 129), long},
		{"129 umlauts", strings.Repeat("ü", 129), long},
		{"a number of 129 digits", literal(strings.Repeat("1", 129)), long},
		{"NUL", "a\x00b", "Null characters are not allowed."},
		{"NUL alone", "\x00", "Null characters are not allowed."},
	}
}

// in is the body with the fault in a field.
func (f fault) in(body fields, key string) fields {
	if f.value == absent {
		return body.without(key)
	}
	return body.with(fields{key: f.value})
}

func ends() []string { return []string{"name", "realm", "token"} }

// Requests about some entries share one house.
func TestFields(t *testing.T) {
	together(t, []promise{
		{"any wrong field of the caller is bad credentials", anyWrongFieldOfTheCallerIsBadCredentials},
		{"a wrong field of the claim is told under its key", aWrongFieldOfTheClaimIsToldUnderItsKey},
		{"all wrong fields are told and only those", allWrongFieldsAreToldAndOnlyThose},
		{"white space around a field is stripped", whiteSpaceAroundAFieldIsStripped},
		{"a field has 128 characters, not bytes", aFieldHas128CharactersNotBytes},
		{"names and realms are case sensitive", namesAndRealmsAreCaseSensitive},
		{"unknown fields are ignored", unknownFieldsAreIgnored},
	})
}

func anyWrongFieldOfTheCallerIsBadCredentials(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		for _, f := range faults() {
			for _, end := range ends() {
				t.Run(s.name+" "+f.name+" "+end, func(t *testing.T) {
					body := f.in(s.verify(c.auth, c.shop), s.ours+end)
					h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusForbidden, badCredentials)
				})
			}
		}
	}
}

func aWrongFieldOfTheClaimIsToldUnderItsKey(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		for _, f := range faults() {
			for _, end := range ends() {
				t.Run(s.name+" "+f.name+" "+end, func(t *testing.T) {
					key := s.theirs + end
					body := f.in(s.verify(c.auth, c.shop), key)
					h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusBadRequest, wrongField(key, f.text))
				})
			}
		}
	}
}

func allWrongFieldsAreToldAndOnlyThose(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		for some := 1; some < 8; some++ {
			body, told := s.verify(c.auth, c.shop), []string{}
			for i, end := range ends() {
				if some&(1<<i) != 0 {
					body[s.theirs+end] = nil
					told = append(told, fmt.Sprintf(`"%s":["This field may not be null."]`, s.theirs+end))
				}
			}
			h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusBadRequest, "{"+strings.Join(told, ",")+"}")
		}
	}
}

func TestAWrongFieldOfAnEntryIsToldUnderItsKey(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin, w := h.add(t, "root", services.AdminRealm), h.add(t, "till", "shop")
		body := admin.g4().with(fields{"name": "new", "realm": "shop"})
		for _, q := range []struct{ method, path string }{{"POST", collectionPath}, {"PUT", w.path()}, {"PATCH", w.path()}} {
			for _, f := range faults() {
				if q.method == http.MethodPatch && f.value == absent {
					continue
				}
				for _, key := range []string{"name", "realm"} {
					t.Run(q.method+" "+f.name+" "+key, func(t *testing.T) {
						h.send(t, ask(q.method, q.path, f.in(body, key))).is(t, http.StatusBadRequest, wrongField(key, f.text))
					})
				}
			}
		}
		h.send(t, ask(http.MethodGet, collectionPath, admin.g4())).is(t, http.StatusOK, h.list(admin, w))
	})
}

func TestBothWrongFieldsOfAnEntryAreTold(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin, w := h.add(t, "root", services.AdminRealm), h.add(t, "till", "shop")
		const both = `{"name":["This field is required."],"realm":["This field is required."]}`
		h.send(t, ask(http.MethodPost, collectionPath, admin.g4())).is(t, http.StatusBadRequest, both)
		h.send(t, ask(http.MethodPut, w.path(), admin.g4())).is(t, http.StatusBadRequest, both)
	})
}

func whiteSpaceAroundAFieldIsStripped(t *testing.T, h *house, c cast) {
	for _, space := range []string{" ", "\t", "\r\n", "\v\f", "\u0085", "\u00a0", "\u2003", "\u2028", "\u3000", "\x1c\x1f"} {
		for _, s := range shapes() {
			body := s.verify(c.auth, c.shop)
			for key, v := range body {
				body[key] = space + v.(string) + space
			}
			h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusOK, statusOK)
		}
	}
	padded := c.admin.g4().with(fields{"name": " a b ", "realm": "\tshop\n"})
	w := made(t, h, h.send(t, ask(http.MethodPost, collectionPath, padded)))
	h.send(t, ask(http.MethodGet, w.path(), c.admin.g4())).is(t, http.StatusOK, shown(w.ID, "a b", "shop", w.Seed))
}

func TestWhatIsLeftAfterStrippingIsCounted(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin, w := h.add(t, "root", services.AdminRealm), h.add(t, strings.Repeat("a", 128), "shop")
		for _, s := range shapes() {
			body := s.verify(admin, w).with(fields{s.theirs + "name": strings.Repeat(" ", 100) + w.Name + strings.Repeat(" ", 100)})
			h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusOK, statusOK)
		}
	})
}

func TestANumberBecomesItsText(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		for _, n := range []string{"5", "0", "-5", "1.50", "1e3", "1E+3", "123456789012345678901234567890"} {
			number := fields{"name": literal(n), "realm": literal(n)}
			a := h.send(t, ask(http.MethodPost, collectionPath, admin.g4().with(number)))
			w := made(t, h, a)
			a.is(t, http.StatusCreated, shown(w.ID, n, n, w.Seed))
			h.send(t, ask(http.MethodPut, w.path(), admin.g4().with(number))).is(t, http.StatusOK, w.shown())
			asks := w.g4().with(fields{"auth_name": literal(n), "auth_realm": literal(n)})
			h.send(t, ask(http.MethodGet, rootPath, asks)).is(t, http.StatusOK, indexBody)
			asks = w.g2().with(number)
			h.send(t, ask(http.MethodGet, rootPath, asks)).is(t, http.StatusOK, indexBody)
			h.send(t, ask(http.MethodPost, verifyPath, admin.g4().with(w.claim(), number))).is(t, http.StatusOK, statusOK)
			claim := w.verifying().with(fields{"verifyname": literal(n), "verifyrealm": literal(n)})
			h.send(t, ask(http.MethodPost, verifyPath, admin.g2().with(claim))).is(t, http.StatusOK, statusOK)
		}
	})
}

func TestATokenMayBeANumberUnlessItLostItsZero(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.draft(t, services.Draft{Name: "root", Realm: services.AdminRealm, Seed: rfcSeed})
		number := func() fields { return fields{"token": literal(strings.TrimLeft(admin.token(0), "0"))} }
		verify := func() answer {
			claim := fields{"verifyname": "root", "verifyrealm": services.AdminRealm, "verifytoken": number()["token"]}
			return h.send(t, ask(http.MethodPost, verifyPath, admin.g2().with(number(), claim)))
		}
		h.setClock(time.Unix(2000000000, 0)) // 279037
		verify().is(t, http.StatusOK, statusOK)
		h.setClock(time.Unix(1111111109, 0)) // 081804
		verify().is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask(http.MethodPost, verifyPath, admin.g4().with(admin.claim(), number()))).is(t, http.StatusForbidden, notPermitted)
	})
}

func aFieldHas128CharactersNotBytes(t *testing.T, h *house, c cast) {
	for _, letter := range []string{"a", "ü", "€", "😀"} {
		long := strings.Repeat(letter, 128)
		a := h.send(t, ask(http.MethodPost, collectionPath, c.admin.g4().with(fields{"name": long, "realm": long})))
		w := made(t, h, a)
		a.is(t, http.StatusCreated, shown(w.ID, long, long, w.Seed))
		for _, s := range shapes() {
			h.send(t, ask(http.MethodGet, rootPath, s.caller(w))).is(t, http.StatusOK, indexBody)
			h.send(t, ask(http.MethodPost, verifyPath, s.verify(c.auth, w))).is(t, http.StatusOK, statusOK)
			// A long token is a wrong one, and no wrong field.
			body := s.verify(c.auth, w).with(fields{s.theirs + "token": long})
			h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusForbidden, notPermitted)
		}
	}
}

func namesAndRealmsAreCaseSensitive(t *testing.T, h *house, c cast) {
	small, large := h.add(t, "ann", "shop"), h.add(t, "Ann", "shop")
	for _, s := range shapes() {
		h.send(t, ask(http.MethodPost, verifyPath, s.verify(c.auth, large))).is(t, http.StatusOK, statusOK)
		body := s.verify(c.auth, small)
		for key, text := range map[string]string{s.theirs + "name": "ANN", s.theirs + "realm": "Shop"} {
			h.send(t, ask(http.MethodPost, verifyPath, body.with(fields{key: text}))).is(t, http.StatusForbidden, notPermitted)
		}
		for key, text := range map[string]string{s.ours + "name": "Gate", s.ours + "realm": "Ungleich-auth"} {
			h.send(t, ask(http.MethodPost, verifyPath, body.with(fields{key: text}))).is(t, http.StatusForbidden, badCredentials)
		}
	}
	h.send(t, ask(http.MethodPatch, small.path(), c.admin.g4().with(fields{"name": "ANN"}))).is(t, http.StatusOK, shown(small.ID, "ANN", "shop", small.Seed))
}

func unknownFieldsAreIgnored(t *testing.T, h *house, c cast) {
	odd := fields{
		"": "x", "version": 1, "Name": "x", "TOKEN": nil, "auth": literal(`{"auth_name":"x"}`), "AUTH_TOKEN": "x", "auth_name ": "x",
		"a\x00": "a\x00", "list": literal(`[1,[2,{"name":"x"}]]`), "long": strings.Repeat("x", 1000),
	}
	for _, s := range shapes() {
		h.send(t, ask(http.MethodPost, verifyPath, s.verify(c.auth, c.shop).with(odd))).is(t, http.StatusOK, statusOK)
		h.send(t, ask(http.MethodGet, c.shop.path(), s.caller(c.admin).with(odd))).is(t, http.StatusOK, c.shop.shown())
	}
	// A key that differs by its case is another key.
	body := c.auth.g4().with(c.shop.claim()).without("token").with(fields{"Token": c.shop.token(0)})
	h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusBadRequest, wrongField("token", "This field is required."))
}

// twice is a body in which a key comes twice, in every encoding.
func twice(name, realm, first, last string) []request {
	post := request{method: http.MethodGet, path: rootPath}
	asJSON, asForm, asParts := post, post, post
	asJSON.media = jsonMedia
	asJSON.body = fmt.Sprintf(`{"token":%q,"name":%q,"realm":%q,"token":%q}`, first, name, realm, last)
	asForm.media = formMedia
	asForm.body = "token=" + first + "&name=" + url.QueryEscape(name) + "&realm=" + url.QueryEscape(realm) + "&token=" + last
	asParts.media = "multipart/form-data; boundary=b"
	for _, f := range [][2]string{{"token", first}, {"name", name}, {"realm", realm}, {"token", last}} {
		asParts.body += part(f[0], f[1])
	}
	asParts.body += "--b--\r\n"
	return []request{asJSON, asForm, asParts}
}

func part(name, text string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + text + "\r\n"
}

func TestOfARepeatedKeyTheLastWins(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.add(t, "till", "shop")
		for _, q := range twice(w.Name, w.Realm, w.wrong(), w.token(0)) {
			h.send(t, q).is(t, http.StatusOK, indexBody)
		}
		for _, q := range twice(w.Name, w.Realm, w.token(0), w.wrong()) {
			h.send(t, q).is(t, http.StatusForbidden, badCredentials)
		}
		for _, q := range twice(w.Name, w.Realm, w.token(0), "") {
			h.send(t, q).is(t, http.StatusForbidden, badCredentials)
		}
		null := request{method: http.MethodGet, path: rootPath, media: jsonMedia}
		null.body = fmt.Sprintf(`{"name":null,"realm":[],"token":true,"name":"till","realm":"shop","token":%q}`, w.token(0))
		h.send(t, null).is(t, http.StatusOK, indexBody)
	})
}
