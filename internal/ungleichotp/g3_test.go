package ungleichotp_test

import (
	"net/http"
	"testing"
)

// Requests that change nothing share one house.
func TestG3(t *testing.T) {
	together(t, []promise{
		{"any auth field makes a request G4", anyAuthFieldMakesARequestG4},
		{"verify takes both shapes and reads one", verifyTakesBothShapesAndReadsOne},
	})
}

func anyAuthFieldMakesARequestG4(t *testing.T, h *house, c cast) {
	good := c.auth.g2().with(c.shop.verifying()) // all that G2 needs
	h.send(t, ask("POST", verifyPath, good)).is(t, http.StatusOK, statusOK)
	for key, text := range c.auth.g4() {
		for _, v := range []any{text, "", nil, true, literal("[]"), literal("5")} {
			h.send(t, ask("POST", verifyPath, good.with(fields{key: v}))).is(t, http.StatusForbidden, badCredentials)
			h.send(t, ask("GET", collectionPath, c.admin.g2().with(fields{key: v}))).is(t, http.StatusForbidden, badCredentials)
		}
		h.send(t, ask("POST", verifyPath, good.with(c.auth.g4()).without(key))).is(t, http.StatusForbidden, badCredentials)
	}
}

func verifyTakesBothShapesAndReadsOne(t *testing.T, h *house, c cast) {
	for _, s := range shapes() {
		h.send(t, ask("POST", verifyPath, s.verify(c.auth, c.shop))).is(t, http.StatusOK, statusOK)
	}
	// Of a body with both, the fields of G2 do not count, good or bad.
	both := c.auth.g4().with(c.shop.claim())
	h.send(t, ask("POST", verifyPath, both.with(c.shop.verifying()))).is(t, http.StatusOK, statusOK)
	h.send(t, ask("POST", verifyPath, both.with(fields{"verifyname": nil, "verifytoken": c.shop.wrong()}))).is(t, http.StatusOK, statusOK)
	// The claim of G4 is not taken for a caller, or that of G2 for a claim.
	h.send(t, ask("POST", verifyPath, c.auth.g4().with(c.shop.verifying()))).is(t, http.StatusBadRequest,
		`{"name":["This field is required."],"realm":["This field is required."],"token":["This field is required."]}`)
	h.send(t, ask("POST", verifyPath, c.shop.g4().with(c.auth.g2(), c.auth.verifying()))).is(t, http.StatusForbidden, notPermitted)
}

func TestCreateAndUpdateNeedG4(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		g2, g4 := c.admin.g2(), c.admin.g4().with(fields{"name": "new", "realm": "shop"})
		for _, q := range []struct {
			method, path string
			status       int
		}{{"POST", collectionPath, 201}, {"PUT", c.shop.path(), 400}, {"PUT", c.auth.path(), 400}, {"PATCH", c.shop.path(), 400}} {
			h.send(t, ask(q.method, q.path, g2)).is(t, http.StatusBadRequest, notUnique)
			if a := h.send(t, ask(q.method, q.path, g4)); a.status != q.status { // the second who wants the name is refused
				t.Errorf("%s: %d %s, want %d", a.to, a.status, a.body, q.status)
			}
		}
	})
}
