package ungleichotp_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/services"
)

// methodsOfHTTP are those that a client may come with; CONNECT has no path.
func methodsOfHTTP() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
}

const plainText = "Accept: text/plain"

func malformed(method, path string) request {
	return request{method: method, path: path, media: jsonMedia, body: "{"}
}

// Requests that change nothing share one house.
func TestPathsAndMethods(t *testing.T) {
	together(t, []promise{
		{"an unknown path is not found", anUnknownPathIsNotFound},
		{"a path without its slash moves for every method", aPathWithoutItsSlashMovesForEveryMethod},
		{"a method that nobody knows is answered like another", aMethodThatNobodyKnowsIsAnsweredLikeAnother},
		{"only who may administer sees what is missing", onlyWhoMayAdministerSeesWhatIsMissing},
		{"a method that a path lacks is named", aMethodThatAPathLacksIsNamed},
	})
}

func anUnknownPathIsNotFound(t *testing.T, h *house, c cast) {
	for _, path := range []string{
		"/ungleichotp/verify/x", "/ungleichotp/verify/x/", "/ungleichotp/verify//", "/ungleichotp//", "/ungleichotp/1/2", "/ungleichotp/1/2/",
		"/ungleichotp/verify/1/", "/Ungleichotp/", "/ungleichotp/1/verify/", "/ungleichotps/", "/ungleichotp.json", "/other/",
	} {
		for _, method := range methodsOfHTTP() {
			t.Run(method+" "+path, func(t *testing.T) {
				h.isMissing(t, ask(method, path, c.admin.g4()))
				h.isMissing(t, ask(method, path, nil))
			})
		}
	}
}

// isMissing demands that a path is unknown, to programs in the wire's words.
func (h *house) isMissing(t *testing.T, q request) {
	t.Helper()
	a := h.send(t, q)
	if a.status != http.StatusNotFound {
		t.Errorf("%s: %d %s, want 404", q, a.status, a.body)
	}
	if want := bodyFor(q.method, notFound); strings.HasPrefix(q.path, collectionPath) && a.body != want {
		t.Errorf("%s: %s, want %s", q, a.body, want)
	}
	a.lacks(t, "Set-Cookie", "Www-Authenticate")
}

func unslashed() []string {
	return []string{"/ungleichotp", "/ungleichotp/verify", "/ungleichotp/77", "/ungleichotp/x%3Fy%20z"}
}

// moves demands a 301 to the same path with its final slash.
func (h *house) moves(t *testing.T, q request) {
	t.Helper()
	a := h.send(t, q)
	here, err := url.Parse("http://login.example.org" + q.path)
	check(t, err)
	to, err := here.Parse(a.header.Get("Location"))
	check(t, err)
	path, _, _ := strings.Cut(q.path, "?")
	if a.status != http.StatusMovedPermanently || to.Host != here.Host || to.EscapedPath() != path+"/" || to.RawQuery != here.RawQuery {
		t.Errorf("%s: %d to %q, want 301 to %s/", q, a.status, a.header.Get("Location"), path)
	}
	a.lacks(t, "Set-Cookie", "Www-Authenticate")
}

func aPathWithoutItsSlashMovesForEveryMethod(t *testing.T, h *house, c cast) {
	for _, path := range unslashed() {
		for _, method := range methodsOfHTTP() {
			t.Run(method+" "+path, func(t *testing.T) {
				h.moves(t, ask(method, path, c.admin.g4()))
				h.moves(t, ask(method, path, nil))
				h.moves(t, ask(method, path+"?a=b&c", nil))
			})
		}
	}
}

// A method of somebody's own is a method, too (RFC 9110 16.1).
func aMethodThatNobodyKnowsIsAnsweredLikeAnother(t *testing.T, h *house, c cast) {
	for _, method := range []string{"PROPFIND", "X"} {
		t.Run(method, func(t *testing.T) {
			h.moves(t, ask(method, "/ungleichotp", nil))
			h.isMissing(t, ask(method, "/ungleichotp/1/2/", nil))
			for _, path := range []string{verifyPath, collectionPath, c.shop.path()} {
				h.send(t, ask(method, path, nil)).is(t, http.StatusForbidden, badCredentials)
				h.send(t, ask(method, path, c.shop.g4())).is(t, http.StatusForbidden, notPermitted)
				h.send(t, ask(method, path, c.admin.g4())).is(t, http.StatusMethodNotAllowed, notAllowed(method))
			}
		})
	}
}

// Each request fails at two steps that follow one another, and more.
func TestTheEarlierCheckWins(t *testing.T) {
	together(t, []promise{
		{"routing, then Accept and the body", routingFirst},
		{"Accept, then the body", acceptFirst},
		{"the body, then credentials", bodyFirst},
		{"credentials, then the realm", credentialsFirst},
		{"credentials, then method, object and fields", credentialsBeforeAll},
		{"the realm, then method, object and fields", realmFirst},
		{"the method, then object and fields", methodFirst},
		{"the object, then the fields", objectFirst},
		{"the fields, then the second triple", fieldsFirst},
	})
}

func routingFirst(t *testing.T, h *house, _ cast) {
	for _, q := range []request{
		ask("GET", "", nil).header(plainText),
		malformed("POST", ""),
		{method: "POST", media: "text/plain", body: "x"},
	} {
		q.path = "/ungleichotp/1/2/"
		h.isMissing(t, q)
		q.path = "/ungleichotp/verify"
		h.moves(t, q)
	}
}

func acceptFirst(t *testing.T, h *house, c cast) {
	for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
		h.send(t, malformed("POST", path).header(plainText)).is(t, http.StatusNotAcceptable, notAcceptable)
		h.send(t, request{method: "GET", path: path, media: "text/plain", body: "x"}.header(plainText)).is(t, http.StatusNotAcceptable, notAcceptable)
		h.send(t, ask("PUT", path, c.shop.g4().with(fields{"auth_token": c.shop.wrong()})).header(plainText)).is(t, http.StatusNotAcceptable, notAcceptable)
	}
}

func bodyFirst(t *testing.T, h *house, c cast) {
	for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
		for _, method := range methodsOfHTTP() {
			a := h.send(t, malformed(method, path))
			a.is(t, http.StatusBadRequest, a.body)
			a = h.send(t, request{method: method, path: path, media: "text/plain", body: "x"})
			a.is(t, http.StatusUnsupportedMediaType, bodyFor(method, `{"detail":"Unsupported media type \"text/plain\" in request."}`))
		}
	}
}

func credentialsFirst(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		wrong := s.verify(c.shop, c.auth).with(fields{s.ours + "token": c.shop.wrong()})
		h.send(t, ask("POST", verifyPath, wrong)).is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask("GET", collectionPath, wrong)).is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask("DELETE", c.auth.path(), wrong)).is(t, http.StatusForbidden, badCredentials)
	}
}

func credentialsBeforeAll(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		for _, body := range []fields{{}, {"x": "y"}, s.caller(c.admin).with(fields{s.ours + "token": c.admin.wrong()})} {
			h.send(t, ask("PUT", verifyPath, body)).is(t, http.StatusForbidden, badCredentials)
			h.send(t, ask("DELETE", collectionPath, body)).is(t, http.StatusForbidden, badCredentials)
			h.send(t, ask("POST", "/ungleichotp/999/", body)).is(t, http.StatusForbidden, badCredentials)
			h.send(t, ask("GET", "/ungleichotp/999/", body)).is(t, http.StatusForbidden, badCredentials)
			h.send(t, ask("POST", verifyPath, body.with(fields{s.theirs + "x": ""}))).is(t, http.StatusForbidden, badCredentials)
			h.send(t, ask("POST", rootPath, body)).is(t, http.StatusForbidden, badCredentials)
		}
	}
}

func realmFirst(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		auth, shop := s.caller(c.auth), s.caller(c.shop)
		h.send(t, ask("PUT", verifyPath, shop)).is(t, http.StatusForbidden, notPermitted)
		h.send(t, ask("POST", verifyPath, shop)).is(t, http.StatusForbidden, notPermitted) // no claim
		h.send(t, ask("DELETE", collectionPath, auth)).is(t, http.StatusForbidden, notPermitted)
		h.send(t, ask("POST", collectionPath, auth)).is(t, http.StatusForbidden, notPermitted) // no name
		h.send(t, ask("POST", c.shop.path(), auth)).is(t, http.StatusForbidden, notPermitted)
		h.send(t, ask("PUT", c.shop.path(), auth)).is(t, http.StatusForbidden, notPermitted) // no name
	}
}

func methodFirst(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		h.send(t, ask("POST", "/ungleichotp/999/", s.caller(c.admin))).is(t, http.StatusMethodNotAllowed, notAllowed("POST"))
		h.send(t, ask("TRACE", "/ungleichotp/x/", s.caller(c.admin))).is(t, http.StatusMethodNotAllowed, notAllowed("TRACE"))
		h.send(t, ask("PUT", verifyPath, s.caller(c.auth))).is(t, http.StatusMethodNotAllowed, notAllowed("PUT")) // no claim
	}
}

func objectFirst(t *testing.T, h *house, c cast) {
	taken := fields{"name": c.shop.Name, "realm": c.shop.Realm}
	for _, method := range []string{"PUT", "PATCH"} {
		for _, body := range []fields{c.admin.g4(), c.admin.g4().with(fields{"name": "", "realm": nil}), c.admin.g4().with(taken), c.admin.g2()} {
			h.send(t, ask(method, "/ungleichotp/999/", body)).is(t, http.StatusNotFound, notFound)
		}
	}
}

func fieldsFirst(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		body := s.verify(c.auth, c.shop).with(fields{s.theirs + "name": "nobody", s.theirs + "realm": ""})
		h.send(t, ask("POST", verifyPath, body)).is(t, http.StatusBadRequest, wrongField(s.theirs+"realm", "This field may not be blank."))
		body = s.verify(c.auth, c.shop).with(fields{s.theirs + "name": nil, s.theirs + "token": c.shop.wrong()})
		h.send(t, ask("POST", verifyPath, body)).is(t, http.StatusBadRequest, wrongField(s.theirs+"name", "This field may not be null."))
	}
}

func onlyWhoMayAdministerSeesWhatIsMissing(t *testing.T, h *house, c cast) {
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
		for _, s := range shapes() {
			const gone = "/ungleichotp/999/"
			h.send(t, ask(method, gone, s.caller(c.admin))).is(t, http.StatusNotFound, bodyFor(method, notFound))
			h.send(t, ask(method, gone, s.caller(c.auth))).is(t, http.StatusForbidden, bodyFor(method, notPermitted))
			h.send(t, ask(method, gone, s.caller(c.shop))).is(t, http.StatusForbidden, bodyFor(method, notPermitted))
			h.send(t, ask(method, gone, nil)).is(t, http.StatusForbidden, bodyFor(method, badCredentials))
		}
	}
}

func aMethodThatAPathLacksIsNamed(t *testing.T, h *house, c cast) {
	for _, path := range []string{verifyPath, collectionPath, c.shop.path(), rootPath} {
		for _, method := range methodsOfHTTP() {
			if strings.Contains(allowed(path)+",", method+",") {
				continue
			}
			for _, s := range shapes() {
				h.send(t, ask(method, path, s.caller(c.admin))).is(t, http.StatusMethodNotAllowed, bodyFor(method, notAllowed(method)))
			}
		}
	}
}

func TestMissingAndWrongCredentialsAreToldAlike(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.add(t, "root", services.AdminRealm)
		none := h.send(t, ask("GET", collectionPath, nil))
		none.is(t, http.StatusForbidden, badCredentials)
		for _, body := range []fields{
			{},
			w.g4().without("auth_token"), w.g4().with(fields{"auth_token": w.wrong()}), w.g4().with(fields{"auth_name": "nobody"}),
			w.g2().without("token"), w.g2().with(fields{"token": w.wrong()}), w.g2().with(fields{"realm": "nowhere"}),
		} {
			wrong := h.send(t, ask("GET", collectionPath, body))
			wrong.isLike(t, none)
		}
	})
}

// isLike demands the same bytes and headers; only the clock may show.
func (a answer) isLike(t *testing.T, other answer) {
	t.Helper()
	a.header.Del("Date")
	other.header.Del("Date")
	if a.status != other.status || a.body != other.body || !sameHeaders(a.header, other.header) {
		t.Errorf("%s\n got %d %v %s\nbut for %s\nit was %d %v %s", a.to, a.status, a.header, a.body, other.to, other.status, other.header, other.body)
	}
	a.isOfTheWire(t)
}

func sameHeaders(a, b http.Header) bool {
	return maps.EqualFunc(a, b, slices.Equal[[]string])
}
