package ungleichotp_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// Callers that change nothing share one house.
func TestG4Verifies(t *testing.T) {
	together(t, []promise{
		{"G4 verifies and says OK", g4VerifiesAndSaysOK},
		{"G4 refuses a caller whose triple does not hold", g4RefusesACallerWhoseTripleDoesNotHold},
		{"G4 refuses a claim that does not hold", g4RefusesAClaimThatDoesNotHold},
		{"the index tells anybody who is known", theIndexTellsAnybodyWhoIsKnown},
	})
}

func g4VerifiesAndSaysOK(t *testing.T, h *house, c cast) {
	for _, by := range []who{c.admin, c.auth} {
		body := fields{
			"auth_name": by.Name, "auth_realm": by.Realm, "auth_token": by.token(0),
			"name": "till", "realm": "shop", "token": c.shop.token(0),
		}
		h.send(t, ask("POST", verifyPath, body)).is(t, http.StatusOK, `{"status":"OK"}`)
	}
}

func g4RefusesACallerWhoseTripleDoesNotHold(t *testing.T, h *house, c cast) {
	good := c.auth.g4().with(c.shop.claim())
	for name, body := range map[string]fields{
		"wrong token":         good.with(fields{"auth_token": c.auth.wrong()}),
		"the claim's token":   good.with(fields{"auth_token": c.shop.token(0)}),
		"unknown name":        good.with(fields{"auth_name": "nobody"}),
		"unknown realm":       good.with(fields{"auth_realm": "nowhere"}),
		"no name":             good.without("auth_name"),
		"no realm":            good.without("auth_realm"),
		"no token":            good.without("auth_token"),
		"null":                good.with(fields{"auth_token": nil}),
		"bad claim as well":   good.with(fields{"auth_token": c.auth.wrong(), "name": nil}),
		"wrong claim as well": good.with(fields{"auth_token": c.auth.wrong(), "token": c.shop.wrong()}),
	} {
		t.Run(name, func(t *testing.T) {
			h.send(t, ask("POST", verifyPath, body)).is(t, http.StatusForbidden, badCredentials)
		})
	}
}

func g4RefusesAClaimThatDoesNotHold(t *testing.T, h *house, c cast) {
	good := c.auth.g4().with(c.shop.claim())
	for name, wrong := range map[string]fields{
		"wrong token":        {"token": c.shop.wrong()},
		"the caller's token": {"token": c.auth.token(0)},
		"unknown name":       {"name": "nobody"},
		"unknown realm":      {"realm": "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			h.send(t, ask("POST", verifyPath, good.with(wrong))).is(t, http.StatusForbidden, notPermitted)
		})
	}
	for _, realm := range strangeRealms() {
		by := h.add(t, "by", realm)
		h.send(t, ask("POST", verifyPath, by.g4().with(c.shop.claim()))).is(t, http.StatusForbidden, notPermitted)
		h.send(t, ask("POST", verifyPath, by.g4().with(fields{"name": nil}))).is(t, http.StatusForbidden, notPermitted)
	}
}

// outcome is what the table of the contract says about a caller of this realm.
func outcome(s shape, realm, method, path string) (status int, body string) {
	admin, auth := realm == services.AdminRealm, realm == services.AuthRealm
	kind := path
	if strings.HasPrefix(path, collectionPath) && path != collectionPath && path != verifyPath {
		kind = "entry"
	}
	switch {
	case kind == verifyPath && !admin && !auth, (kind == collectionPath || kind == "entry") && !admin:
		return 403, notPermitted
	case method == http.MethodOptions:
		return 200, "{}"
	case !slices.Contains(strings.Split(allowed(path), ", "), method):
		return 405, notAllowed(method)
	case kind == verifyPath:
		return 200, statusOK
	case kind == rootPath:
		return 200, indexBody
	case method == http.MethodDelete:
		return 204, ""
	case method == http.MethodPost && s.changesEntries:
		return 201, ""
	case method != http.MethodGet && method != http.MethodHead && !s.changesEntries:
		return 400, notUnique
	}
	return 200, ""
}

// Every realm with every method on every path in both shapes.
func TestWhatEachRealmMay(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		n := 0
		for _, realm := range append(strangeRealms(), services.AdminRealm, services.AuthRealm) {
			by := h.add(t, "by", realm)
			for _, s := range shapes() {
				of := h.add(t, s.name, "of "+realm)
				for _, method := range methodsOfHTTP() {
					for _, path := range []string{verifyPath, collectionPath, of.path(), rootPath} {
						n++
						body := s.verify(by, of)
						if path != verifyPath && s.changesEntries {
							body = body.with(fields{"name": fmt.Sprint("new", n)})
						}
						h.send(t, ask(method, path, body)).follows(t, s, realm)
						if method == http.MethodDelete && path == of.path() {
							of = h.add(t, fmt.Sprint("again", n), "of "+realm)
						}
					}
				}
			}
		}
	})
}

// follows demands the outcome of the table.
func (a answer) follows(t *testing.T, s shape, realm string) {
	t.Helper()
	status, body := outcome(s, realm, a.to.method, a.to.path)
	if body = bodyFor(a.to.method, body); body == "" && a.to.method != http.MethodHead {
		body = a.body // which depends on the entry
	}
	a.is(t, status, body)
}

func TestCreateMakesAnEntryThatWorks(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		a := h.send(t, ask("POST", collectionPath, c.admin.g4().with(fields{"name": "new", "realm": "bar", "id": 99})))
		w := made(t, h, a)
		a.is(t, http.StatusCreated, shown(c.shop.ID+1, "new", "bar", w.Seed))
		a.lacks(t, "Location")
		h.send(t, ask("GET", w.path(), c.admin.g4())).is(t, http.StatusOK, w.shown())
		h.send(t, ask("GET", rootPath, w.g4())).is(t, http.StatusOK, indexBody)
		h.send(t, ask("POST", verifyPath, c.auth.g4().with(w.claim()))).is(t, http.StatusOK, statusOK)
		h.send(t, ask("GET", "/ungleichotp/99/", c.admin.g4())).is(t, http.StatusNotFound, notFound)
	})
}

func TestAnAdministratorMakesAnother(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		for _, realm := range []string{services.AdminRealm, services.AuthRealm} {
			w := made(t, h, h.send(t, ask("POST", collectionPath, admin.g4().with(fields{"name": "second", "realm": realm}))))
			h.send(t, ask("POST", verifyPath, w.g4().with(admin.claim()))).is(t, http.StatusOK, statusOK)
			status, body := outcome(shapes()[1], realm, "GET", collectionPath)
			if a := h.send(t, ask("GET", collectionPath, w.g4())); a.status != status || body != "" && a.body != body {
				t.Errorf("%s: %d %s, want %d %s", a.to, a.status, a.body, status, body)
			}
		}
	})
}

func TestTheListIsInTheOrderOfIDs(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		all := []who{h.add(t, "root", services.AdminRealm)}
		for _, name := range []string{"z", "a", "m", "Z", "10", "9", "ä"} {
			all = append(all, h.add(t, name, "shop"))
		}
		h.send(t, ask("GET", collectionPath, all[0].g4())).is(t, http.StatusOK, h.list(all...))
		for i := 1; i < len(all); i++ {
			if all[i].ID != all[i-1].ID+1 {
				t.Errorf("%d comes after %d", all[i].ID, all[i-1].ID)
			}
		}
		// A change moves nothing.
		h.send(t, ask("PATCH", all[3].path(), all[0].g4().with(fields{"name": "0"}))).is(t, http.StatusOK, shown(all[3].ID, "0", "shop", all[3].Seed))
		all[3].Name = "0"
		h.send(t, ask("GET", collectionPath, all[0].g4())).is(t, http.StatusOK, h.list(all...))
	})
}

func TestAnIDIsNeverGivenTwice(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		last := admin.ID
		for range 3 {
			w := made(t, h, h.send(t, ask("POST", collectionPath, admin.g4().with(fields{"name": "till", "realm": "shop"}))))
			if w.ID <= last {
				t.Errorf("the ID is %d, and %d was given before", w.ID, last)
			}
			last = w.ID
			h.send(t, ask("DELETE", w.path(), admin.g4())).is(t, http.StatusNoContent, "")
			h.send(t, ask("GET", w.path(), admin.g4())).is(t, http.StatusNotFound, notFound)
		}
	})
}

func TestANameIsUniqueInItsRealm(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		other := h.add(t, "other", "shop")
		taken := fields{"name": c.shop.Name, "realm": c.shop.Realm}
		for _, q := range []request{
			ask("POST", collectionPath, c.admin.g4().with(taken)),
			ask("POST", collectionPath, c.admin.g4().with(fields{"name": " till ", "realm": "shop\n"})),
			ask("POST", collectionPath, c.admin.g4().with(fields{"name": c.admin.Name, "realm": c.admin.Realm})),
			ask("PUT", other.path(), c.admin.g4().with(taken)),
			ask("PATCH", other.path(), c.admin.g4().with(taken)),
			ask("PATCH", other.path(), c.admin.g4().with(fields{"name": c.shop.Name})),
			ask("PATCH", h.add(t, "till", "elsewhere").path(), c.admin.g4().with(fields{"realm": "shop"})),
		} {
			h.send(t, q).is(t, http.StatusBadRequest, notUnique)
		}
		h.send(t, ask("GET", other.path(), c.admin.g4())).is(t, http.StatusOK, other.shown())
		for _, free := range []fields{{"name": "till", "realm": "bar"}, {"name": "Till", "realm": "shop"}} {
			a := h.send(t, ask("POST", collectionPath, c.admin.g4().with(free)))
			a.is(t, http.StatusCreated, a.body)
		}
	})
}

func TestOneOfManyWhoWantANameAtOnceGetsIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		q := ask("POST", collectionPath, admin.g4().with(fields{"name": "till", "realm": "shop"}))
		created := 0
		for _, a := range h.atOnce(t, 20, func(int) request { return q }) {
			if a.status == http.StatusCreated {
				created++
				continue
			}
			a.is(t, http.StatusBadRequest, notUnique)
		}
		if created != 1 {
			t.Errorf("%d entries were made, want 1", created)
		}
	})
}

func TestEntriesThatAreMadeAtOnceHaveIDsOfTheirOwn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		seen := map[services.ID]bool{admin.ID: true}
		for _, a := range h.atOnce(t, 20, func(i int) request {
			return ask("POST", collectionPath, admin.g4().with(fields{"name": i, "realm": "shop"}))
		}) {
			w := made(t, h, a)
			a.is(t, http.StatusCreated, w.shown())
			if seen[w.ID] {
				t.Errorf("two entries are %d", w.ID)
			}
			seen[w.ID] = true
		}
	})
}

// atOnce sends n requests together and returns the answers.
func (h *house) atOnce(t *testing.T, n int, q func(i int) request) []answer {
	t.Helper()
	answers, errs := make([]answer, n), make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = h.exchange(q(i))
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		check(t, err)
	}
	return answers
}

func TestPUTGivesANewNameAndKeepsIDAndSeed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		all := fields{"name": "new", "realm": "bar", "id": 99, "seed": rfcSeed}
		want := shown(c.shop.ID, "new", "bar", c.shop.Seed)
		for range 2 { // the second changes nothing, and its own name is not taken
			h.send(t, ask("PUT", c.shop.path(), c.admin.g4().with(all))).is(t, http.StatusOK, want)
		}
		h.send(t, ask("GET", c.shop.path(), c.admin.g4())).is(t, http.StatusOK, want)
		h.send(t, ask("POST", verifyPath, c.auth.g4().with(c.shop.claim()))).is(t, http.StatusForbidden, notPermitted)
		renamed := c.shop
		renamed.Name, renamed.Realm = "new", "bar"
		h.send(t, ask("POST", verifyPath, c.auth.g4().with(renamed.claim()))).is(t, http.StatusOK, statusOK)
	})
}

func TestPUTNeedsBothFieldsAndPATCHAny(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		const required = "This field is required."
		h.send(t, ask("PUT", c.shop.path(), c.admin.g4().with(fields{"name": "n"}))).is(t, http.StatusBadRequest, wrongField("realm", required))
		h.send(t, ask("PUT", c.shop.path(), c.admin.g4().with(fields{"realm": "r"}))).is(t, http.StatusBadRequest, wrongField("name", required))
		h.send(t, ask("GET", c.shop.path(), c.admin.g4())).is(t, http.StatusOK, c.shop.shown())
		for _, p := range []struct {
			more        fields
			name, realm string
		}{
			{fields{"name": "n"}, "n", "shop"},
			{fields{"realm": "r"}, "n", "r"},
			{fields{"name": "m", "realm": "s"}, "m", "s"},
			{fields{"seed": rfcSeed, "id": 99}, "m", "s"},
			{nil, "m", "s"},
		} {
			h.send(t, ask("PATCH", c.shop.path(), c.admin.g4().with(p.more))).is(t, http.StatusOK, shown(c.shop.ID, p.name, p.realm, c.shop.Seed))
		}
		// One field that is wrong leaves the other as it was.
		h.send(t, ask("PATCH", c.shop.path(), c.admin.g4().with(fields{"name": "x", "realm": ""}))).is(t, http.StatusBadRequest, wrongField("realm", "This field may not be blank."))
		h.send(t, ask("GET", c.shop.path(), c.admin.g4())).is(t, http.StatusOK, shown(c.shop.ID, "m", "s", c.shop.Seed))
	})
}

func TestAMoveToAnotherRealmGivesAndTakesRights(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		w := c.shop
		for realm, status := range map[string]int{services.AdminRealm: 200, services.AuthRealm: 403, "shop": 403} {
			w.Realm = realm
			h.send(t, ask("PATCH", w.path(), c.admin.g4().with(fields{"realm": realm}))).is(t, http.StatusOK, w.shown())
			if a := h.send(t, ask("GET", w.path(), w.g4())); a.status != status {
				t.Errorf("in %s: %d %s, want %d", realm, a.status, a.body, status)
			}
		}
	})
}

func TestOnesOwnEntryMayBeChangedAndDeleted(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		renamed := admin
		renamed.Name = "boss"
		h.send(t, ask("PATCH", admin.path(), admin.g4().with(fields{"name": "boss"}))).is(t, http.StatusOK, renamed.shown())
		h.send(t, ask("GET", collectionPath, admin.g4())).is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask("DELETE", admin.path(), renamed.g4())).is(t, http.StatusNoContent, "")
		h.send(t, ask("GET", collectionPath, renamed.g4())).is(t, http.StatusForbidden, badCredentials)
	})
}

func TestADeletedEntryIsGone(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		h.send(t, ask("DELETE", c.shop.path(), c.admin.g4())).is(t, http.StatusNoContent, "")
		h.send(t, ask("DELETE", c.shop.path(), c.admin.g4())).is(t, http.StatusNotFound, notFound)
		h.send(t, ask("GET", rootPath, c.shop.g4())).is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask("POST", verifyPath, c.auth.g4().with(c.shop.claim()))).is(t, http.StatusForbidden, notPermitted)
		h.send(t, ask("GET", collectionPath, c.admin.g4())).is(t, http.StatusOK, h.list(c.admin, c.auth))
	})
}

func TestAnUnknownIDIsNotFound(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		for _, id := range []string{"4", "99", "0", "-1", "abc", "1a", "1.0", "1e0", "0x1", "1,2", "1%20", "%201", "%00", "9223372036854775807", "9223372036854775808", strings.Repeat("9", 100), "%EF%BC%91", "None", "verify2"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
				body := c.admin.g4().with(fields{"name": "n", "realm": "r"})
				h.send(t, ask(method, "/ungleichotp/"+id+"/", body)).is(t, http.StatusNotFound, bodyFor(method, notFound))
			}
		}
		h.send(t, ask("GET", collectionPath, c.admin.g4())).is(t, http.StatusOK, h.list(c.admin, c.auth, c.shop))
	})
}

func theIndexTellsAnybodyWhoIsKnown(t *testing.T, h *house, c cast) {
	for _, w := range []who{c.admin, c.auth, c.shop} {
		for _, s := range shapes() {
			q := ask("GET", rootPath, s.caller(w)).header("Accept: application/json")
			h.send(t, q).is(t, http.StatusOK, `{"ungleichotp":"https://login.example.org/ungleichotp/"}`)
			// The address is that of the settings, whatever the client calls us.
			h.send(t, q.header("X-Forwarded-Host: evil.example")).is(t, http.StatusOK, indexBody)
		}
	}
	for _, f := range []fields{{}, c.shop.g4().with(fields{"auth_token": c.shop.wrong()}), c.shop.g4().without("auth_realm")} {
		h.send(t, ask("GET", rootPath, f).header("Accept: application/json")).is(t, http.StatusForbidden, badCredentials)
	}
}

func TestWhileTwoSeedsLiveListsShowTheNewestAndBothAreGood(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin, old := h.add(t, "root", services.AdminRealm), h.add(t, "till", "shop")
		rotated := old
		h.update(t, func(tx *db.Tx) (err error) {
			rotated.Seed, err = h.s.Rotate(tx, old.ID, tx.Now.Add(10*totp.Period), noClient())
			return err
		})
		h.send(t, ask("GET", old.path(), admin.g4())).is(t, http.StatusOK, rotated.shown())
		h.send(t, ask("GET", collectionPath, admin.g4())).is(t, http.StatusOK, h.list(admin, rotated))
		h.isToken(t, admin, old, old.token(0), true)
		h.isToken(t, admin, old, rotated.token(0), true)
		h.clock.Advance(10 * totp.Period)
		h.isToken(t, admin, old, old.token(0), false)
		h.isToken(t, admin, old, rotated.token(0), true)
	})
}

// What the list does not show is not there.
func TestAnAppOf2018IsNoEntry(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		app := who{h: h}
		h.update(t, func(tx *db.Tx) (err error) {
			app.Entry, err = h.s.AddApp(tx, services.App{Name: "app", Username: "ann", Trusted: true}, noClient())
			return err
		})
		h.send(t, ask("GET", collectionPath, c.admin.g4())).is(t, http.StatusOK, h.list(c.admin, c.auth, c.shop))
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
			body := c.admin.g4().with(fields{"name": "n", "realm": "r"})
			h.send(t, ask(method, app.path(), body)).is(t, http.StatusNotFound, bodyFor(method, notFound))
		}
		h.send(t, ask("GET", rootPath, app.g4())).is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask("POST", verifyPath, app.g4().with(c.shop.claim()))).is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask("POST", verifyPath, c.auth.g4().with(app.claim()))).is(t, http.StatusBadRequest, wrongField("realm", "This field may not be blank."))
	})
}
