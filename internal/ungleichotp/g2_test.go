package ungleichotp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Callers that change nothing share one house.
func TestG2Verifies(t *testing.T) {
	together(t, []promise{
		{"G2 verifies and says OK", g2VerifiesAndSaysOK},
		{"G2 refuses a caller whose triple does not hold", g2RefusesACallerWhoseTripleDoesNotHold},
		{"G2 refuses a caller whose realm may not verify", g2RefusesACallerWhoseRealmMayNotVerify},
		{"G2 refuses a claim that does not hold", g2RefusesAClaimThatDoesNotHold},
		{"G2 tells which verify field is missing", g2TellsWhichVerifyFieldIsMissing},
	})
}

func g2VerifiesAndSaysOK(t *testing.T, h *house, c cast) {
	for _, by := range []who{c.admin, c.auth} {
		body := fields{
			"name": by.Name, "realm": by.Realm, "token": by.token(0),
			"verifyname": "till", "verifyrealm": "shop", "verifytoken": c.shop.token(0),
		}
		h.send(t, ask("POST", verifyPath, body)).is(t, http.StatusOK, `{"status":"OK"}`)
	}
}

func g2RefusesACallerWhoseTripleDoesNotHold(t *testing.T, h *house, c cast) {
	good := c.auth.g2().with(c.shop.verifying())
	for name, body := range map[string]fields{
		"wrong token":          good.with(fields{"token": c.auth.wrong()}),
		"another's token":      good.with(fields{"token": c.shop.token(0)}),
		"unknown name":         good.with(fields{"name": "nobody"}),
		"unknown realm":        good.with(fields{"realm": "nowhere"}),
		"a name of elsewhere":  good.with(fields{"name": c.shop.Name}),
		"no name":              good.without("name"),
		"no realm":             good.without("realm"),
		"no token":             good.without("token"),
		"no caller":            c.shop.verifying(),
		"blank name":           good.with(fields{"name": ""}),
		"blank realm":          good.with(fields{"realm": " "}),
		"blank token":          good.with(fields{"token": ""}),
		"long name":            good.with(fields{"name": strings.Repeat("x", 129)}),
		"long realm":           good.with(fields{"realm": strings.Repeat("x", 129)}),
		"long token":           good.with(fields{"token": strings.Repeat("1", 129)}),
		"bad claim as well":    good.with(fields{"token": c.auth.wrong(), "verifyname": nil}),
		"wrong claim as well":  good.with(fields{"token": c.auth.wrong(), "verifytoken": c.shop.wrong()}),
		"two triples that fit": c.shop.g2().with(fields{"realm": c.auth.Realm}),
	} {
		t.Run(name, func(t *testing.T) {
			h.send(t, ask("POST", verifyPath, body)).is(t, http.StatusForbidden, badCredentials)
		})
	}
}

func g2RefusesACallerWhoseRealmMayNotVerify(t *testing.T, h *house, c cast) {
	for _, realm := range strangeRealms() {
		by := h.add(t, "by", realm)
		for _, of := range []who{c.admin, c.auth, c.shop, by} {
			h.send(t, ask("POST", verifyPath, by.g2().with(of.verifying()))).is(t, http.StatusForbidden, notPermitted)
		}
	}
}

// strangeRealms give no right, however much they look like those that do.
func strangeRealms() []string {
	return []string{"shop", "Ungleich-Admin", "UNGLEICH-AUTH", "ungleich-admin2", "ungleich", "admin", "ungleich_admin", "ungleich-auth\u200b"}
}

func g2RefusesAClaimThatDoesNotHold(t *testing.T, h *house, c cast) {
	good := c.auth.g2().with(c.shop.verifying())
	for name, wrong := range map[string]fields{
		"wrong token":            {"verifytoken": c.shop.wrong()},
		"the caller's token":     {"verifytoken": c.auth.token(0)},
		"a token of no digits":   {"verifytoken": "abcdef"},
		"unknown name":           {"verifyname": "nobody"},
		"unknown realm":          {"verifyrealm": "nowhere"},
		"the realm of another":   {"verifyrealm": c.admin.Realm},
		"all of it somebody's":   {"verifyname": "x", "verifyrealm": "y", "verifytoken": "000000"},
		"the caller, wrong code": {"verifyname": c.auth.Name, "verifyrealm": c.auth.Realm, "verifytoken": c.auth.wrong()},
	} {
		t.Run(name, func(t *testing.T) {
			h.send(t, ask("POST", verifyPath, good.with(wrong))).is(t, http.StatusForbidden, notPermitted)
		})
	}
}

func g2TellsWhichVerifyFieldIsMissing(t *testing.T, h *house, c cast) {
	h.send(t, ask("POST", verifyPath, c.auth.g2())).is(t, http.StatusBadRequest,
		`{"verifyname":["This field is required."],"verifyrealm":["This field is required."],"verifytoken":["This field is required."]}`)
	body := c.auth.g2().with(fields{"verifyname": "", "verifyrealm": nil, "verifytoken": literal("[]")})
	h.send(t, ask("POST", verifyPath, body)).is(t, http.StatusBadRequest,
		`{"verifyname":["This field may not be blank."],"verifyrealm":["This field may not be null."],"verifytoken":["Not a valid string."]}`)
}

func TestAnyRealmMayBeVerified(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		all := []who{c.admin, c.auth, c.shop}
		for i, realm := range strangeRealms() {
			all = append(all, h.add(t, fmt.Sprint("n", i), realm))
		}
		for _, s := range shapes() {
			for _, by := range []who{c.admin, c.auth} {
				for _, of := range all {
					h.send(t, ask("POST", verifyPath, s.verify(by, of))).is(t, http.StatusOK, statusOK)
				}
			}
		}
	})
}

func TestG2ListsShowsAndDeletes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		h.send(t, ask("GET", collectionPath, c.admin.g2())).is(t, http.StatusOK, h.list(c.admin, c.auth, c.shop))
		h.send(t, ask("HEAD", collectionPath, c.admin.g2())).is(t, http.StatusOK, "")
		h.send(t, ask("GET", c.shop.path(), c.admin.g2())).is(t, http.StatusOK, c.shop.shown())
		h.send(t, ask("DELETE", c.shop.path(), c.admin.g2())).is(t, http.StatusNoContent, "")
		h.send(t, ask("GET", c.shop.path(), c.admin.g2())).is(t, http.StatusNotFound, notFound)
		h.send(t, ask("GET", collectionPath, c.admin.g2())).is(t, http.StatusOK, h.list(c.admin, c.auth))
		for _, by := range []who{c.auth, h.add(t, "till", "shop")} {
			for _, q := range []request{ask("GET", collectionPath, by.g2()), ask("GET", c.auth.path(), by.g2()), ask("DELETE", by.path(), by.g2())} {
				h.send(t, q).is(t, http.StatusForbidden, notPermitted)
			}
		}
	})
}

// In this generation the entry's fields are the caller's own, who is there
// already.
func TestG2CannotCreateOrChange(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		for _, more := range []fields{nil, c.shop.verifying(), {"seed": rfcSeed, "id": 7}, {"verifyname": nil, "verifyrealm": ""}} {
			for _, q := range []struct{ method, path string }{{"POST", collectionPath}, {"PUT", c.shop.path()}, {"PATCH", c.shop.path()}, {"PUT", c.admin.path()}, {"PATCH", c.admin.path()}} {
				h.send(t, ask(q.method, q.path, c.admin.g2().with(more))).is(t, http.StatusBadRequest, notUnique)
				h.send(t, ask(q.method, q.path, c.auth.g2().with(more))).is(t, http.StatusForbidden, notPermitted)
				h.send(t, ask(q.method, q.path, c.shop.g2().with(more))).is(t, http.StatusForbidden, notPermitted)
			}
		}
		h.send(t, ask("GET", collectionPath, c.admin.g2())).is(t, http.StatusOK, h.list(c.admin, c.auth, c.shop))
	})
}
