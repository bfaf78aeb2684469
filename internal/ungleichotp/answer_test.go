package ungleichotp_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

// Every answer that is() looks at has the headers; here is one of each status.
func TestEveryAnswerIsJSONAndTellsTheMethods(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
			h.send(t, ask("OPTIONS", path, c.admin.g4())).is(t, http.StatusOK, "{}")
			h.send(t, malformed("GET", path)).isBrokenBody(t, "JSON parse error")
			h.send(t, ask("GET", path, fields{})).is(t, http.StatusForbidden, badCredentials)
			h.send(t, ask("TRACE", path, c.admin.g4())).is(t, http.StatusMethodNotAllowed, notAllowed("TRACE"))
			h.send(t, ask("GET", path, c.admin.g4()).header(plainText)).is(t, http.StatusNotAcceptable, notAcceptable)
			h.send(t, request{method: "GET", path: path, media: "x", body: "x"}).is(t, http.StatusUnsupportedMediaType, unsupported("x"))
		}
		h.send(t, ask("GET", "/ungleichotp/99/", c.admin.g4())).is(t, http.StatusNotFound, notFound)
		a := h.send(t, ask("POST", collectionPath, c.admin.g4().with(fields{"name": "n", "realm": "r"})))
		a.is(t, http.StatusCreated, a.body)
	})
}

// Requests that change nothing share one house.
func TestHeaders(t *testing.T) {
	together(t, []promise{
		{"HEAD has the headers of GET and no body", headHasTheHeadersOfGETAndNoBody},
		{"who takes JSON or HTML gets JSON", whoTakesJSONOrHTMLGetsJSON},
		{"Accept may come in several lines", acceptMayComeInSeveralLines},
		{"who takes neither JSON nor HTML is told so", whoTakesNeitherJSONNorHTMLIsToldSo},
	})
}

func TestNoAnswerSetsACookie(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		browser := []string{"Cookie: djauthy=x; __Host-djauthy=x; sessionid=x; csrftoken=x", "User-Agent: Mozilla/5.0 Firefox/140.0", "Accept: text/html"}
		for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
			for _, method := range methodsOfHTTP() {
				h.send(t, ask(method, path, c.shop.g4()).header(browser...)).lacks(t, "Set-Cookie")
				h.send(t, ask(method, path, c.admin.g2()).header(browser...)).lacks(t, "Set-Cookie")
				h.send(t, ask(method, path, nil).header(browser...)).lacks(t, "Set-Cookie")
			}
		}
	})
}

func TestNoContentHasNoBody(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		a := h.send(t, ask("DELETE", c.shop.path(), c.admin.g4()))
		a.is(t, http.StatusNoContent, "")
		a.lacks(t, "Content-Length", "Transfer-Encoding") // RFC 9110 8.6
	})
}

func TestTextIsUTF8AndNotEscaped(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		all := []who{admin}
		for _, text := range []string{"Zürich", "日本語", "😀", "<b>&amp;'</b>", "e\u0301", "\u200b", "\u00ad", "a/b", "\u007f"} {
			a := h.send(t, ask("POST", collectionPath, admin.g4().with(fields{"name": text, "realm": text})))
			w := made(t, h, a)
			a.is(t, http.StatusCreated, shown(w.ID, text, text, w.Seed))
			h.send(t, ask("GET", w.path(), admin.g4())).is(t, http.StatusOK, shown(w.ID, text, text, w.Seed))
			all = append(all, w)
		}
		h.send(t, ask("GET", collectionPath, admin.g4())).is(t, http.StatusOK, h.list(all...))
	})
}

// What JSON has to escape comes back as what it was (RFC 8259 7).
func TestWhatJSONMustEscapeComesBack(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		const text = "a\"b\\c\nd\te\x01f"
		w := made(t, h, h.send(t, ask("POST", collectionPath, admin.g4().with(fields{"name": text, "realm": "shop"}))))
		if w.Name != text {
			t.Errorf("the name is %q, want %q", w.Name, text)
		}
		h.send(t, ask("POST", verifyPath, admin.g4().with(w.claim()))).is(t, http.StatusOK, statusOK)
	})
}

func headHasTheHeadersOfGETAndNoBody(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		for _, path := range []string{collectionPath, c.shop.path(), rootPath, "/ungleichotp/99/"} {
			for _, body := range []fields{s.caller(c.admin), s.caller(c.shop), {"x": "y"}} {
				get, head := h.send(t, ask("GET", path, body)), h.send(t, ask("HEAD", path, body))
				head.is(t, get.status, "")
				get.header.Del("Date")
				head.header.Del("Date")
				if !sameHeaders(get.header, head.header) {
					t.Errorf("%s: %v, but to GET %v", head.to, head.header, get.header)
				}
			}
		}
		h.send(t, ask("HEAD", verifyPath, s.verify(c.admin, c.shop))).is(t, http.StatusMethodNotAllowed, "")
	}
}

func whoTakesJSONOrHTMLGetsJSON(t *testing.T, h *house, c cast) {
	for _, accept := range []string{
		"Accept: application/json", "Accept: text/html", "Accept: */*", "Accept: application/*", "Accept: text/*", "accept: APPLICATION/JSON",
		"Accept: application/json; indent=4", "Accept: application/json;q=0.5, text/plain", "Accept: text/plain, */*; q=0.1", "Accept: image/png,text/html",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept: application/json, text/plain, */*", "X-None: of it",
	} {
		h.send(t, ask("GET", collectionPath, c.admin.g4()).header(accept)).is(t, http.StatusOK, h.list(c.admin, c.auth, c.shop))
		h.send(t, ask("GET", c.shop.path(), c.admin.g2()).header(accept)).is(t, http.StatusOK, c.shop.shown())
		h.send(t, ask("POST", verifyPath, c.auth.g2().with(c.shop.verifying())).header(accept)).is(t, http.StatusOK, statusOK)
		h.send(t, ask("GET", rootPath, c.shop.g4()).header(accept)).is(t, http.StatusOK, indexBody)
		h.send(t, ask("GET", collectionPath, c.shop.g4()).header(accept)).is(t, http.StatusForbidden, notPermitted)
	}
}

// Lines of one name are one list (RFC 9110 5.3).
func acceptMayComeInSeveralLines(t *testing.T, h *house, c cast) {
	q := ask("GET", c.shop.path(), c.admin.g4())
	h.send(t, q.header("Accept: application/json", plainText)).is(t, http.StatusOK, c.shop.shown())
	h.send(t, q.header(plainText, "Accept: application/json")).is(t, http.StatusOK, c.shop.shown())
	h.send(t, q.header(plainText, "Accept: image/png")).is(t, http.StatusNotAcceptable, notAcceptable)
}

func whoTakesNeitherJSONNorHTMLIsToldSo(t *testing.T, h *house, c cast) {
	for _, accept := range []string{"text/plain", "application/xml", "image/*", "text/plain, image/png;q=0.1", "application/jsonp", "x"} {
		for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
			for _, method := range methodsOfHTTP() {
				q := ask(method, path, c.admin.g4().with(c.shop.claim())).header("Accept: " + accept)
				h.send(t, q).is(t, http.StatusNotAcceptable, bodyFor(method, notAcceptable))
			}
		}
	}
}

// many adds entries until there are n.
func (h *house) many(t *testing.T, all []who, n int) []who {
	t.Helper()
	have := len(all)
	h.d.Rehearse = false // so many alike need it once
	defer func() { h.d.Rehearse = true }()
	h.update(t, func(tx *db.Tx) error {
		all = slices.Clone(all[:have])
		for i := have; i < n; i++ {
			e, err := h.s.Add(tx, services.Draft{Name: fmt.Sprintf("till%05d", 99999-i), Realm: "shop"}, noClient())
			if err != nil {
				return err
			}
			all = append(all, who{e, h})
		}
		return nil
	})
	return all
}

// A list of a thousand entries is sent in pieces.
func TestALongListIsLikeAShortOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := []who{h.add(t, "root", services.AdminRealm)}
		list := func(method string) request { return ask(method, collectionPath, all[0].g4()) }
		for _, n := range []int{1000, 1001, 2500} {
			all = h.many(t, all, n)
			t.Run(fmt.Sprint(n, " are all told, in order"), func(t *testing.T) {
				h.send(t, list("GET")).is(t, http.StatusOK, h.list(all...))
			})
			t.Run(fmt.Sprint("HEAD of ", n, " has no body"), func(t *testing.T) {
				h.send(t, list("HEAD")).is(t, http.StatusOK, "")
			})
		}
		one := ask("GET", all[5].path(), all[0].g4())
		for _, method := range []string{"GET", "HEAD"} {
			t.Run("the connection stays good after "+method, func(t *testing.T) {
				h.sendAll(t, list(method), one)[1].is(t, http.StatusOK, all[5].shown())
			})
		}
	})
}

func TestTheRootWithoutABodyIsForPeople(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, accept := range []string{"Accept: text/html,*/*;q=0.8", "Accept: */*"} {
			if a := h.send(t, ask("GET", rootPath, nil).header(accept)); a.status != http.StatusOK || !strings.Contains(a.body, page) {
				t.Errorf("%s: %d %s, want the page", a.to, a.status, a.body)
			}
		}
	})
}

// People read the root. Whatever else comes without a body has no credentials,
// and to a program that is said before its method is looked at.
func TestTheRootWithoutABodyIsNoCredentialsForWhoDoesNotRead(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, method := range append(methodsOfHTTP(), "X") {
			if method == http.MethodGet || method == http.MethodHead {
				continue
			}
			t.Run(method, func(t *testing.T) {
				h.send(t, ask(method, rootPath, nil)).is(t, http.StatusForbidden, badCredentials)
			})
		}
	})
}
