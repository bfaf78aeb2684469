package ungleichotp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/db/dbtest"
	"github.com/djauthy/djauthy/internal/services"
)

// fuzzHouse is a house on SQLite whose clock stands still and whose seeds are
// known, so that the tokens among the inputs stay good.
func fuzzHouse(f *testing.F) *house {
	f.Helper()
	h := &house{d: dbtest.Open(f, dbtest.URL(f, "sqlite")), clock: &dbtest.Clock{}, log: &journal{}}
	h.d.Now = h.clock.Now
	h.setClock(dbtest.Start)
	h.furnish(f, services.Settings{Window: 3})
	return h
}

// fuzzPaths are one of each kind.
func fuzzPaths() []string {
	return []string{
		verifyPath, collectionPath, "/ungleichotp/1/", "/ungleichotp/3/", "/ungleichotp/x/", rootPath, "/ungleichotp/verify", "/ungleichotp/1/2",
		verifyAppPath, registerPath, appsPath, appsPath + "/" + nobodysUUID,
	}
}

// seedBodies are bodies that get far, in every encoding, and some that break.
func seedBodies(w who) (all []request) {
	body := w.g4().with(w.claim(), w.verifying(), w.toVerify(), fields{"appuuid": nobodysUUID, "version": "1"})
	for _, f := range []fields{body, w.g2().with(w.verifying()), w.g4(), w.g4().with(fields{"name": "n", "realm": strings.Repeat("ü", 129)})} {
		for _, q := range encodings("", "", f) {
			all = append(all, q)
		}
	}
	for _, text := range brokenJSON(w) {
		all = append(all, request{media: jsonMedia, body: text})
	}
	return append(all,
		request{media: jsonMedia, body: strings.Repeat(`[`, 20000)}, request{media: jsonMedia, body: strings.Repeat(`{"a":`, 9000)},
		request{media: formMedia, body: "auth_name=%ff%00&=&&auth_name=%zz"}, request{media: "multipart/form-data; boundary=\"", body: "--\r\n"},
		request{media: "multipart/form-data; boundary=b", body: "--b\r\nContent-Disposition: form-data; name=\"name\"; filename=\"x\"\r\n\r\n\r\n--b--"},
		request{media: "multipart/form-data; boundary=b", body: "--b\r\n\r\n"}, request{media: "text/plain", body: "x"}, request{body: "x"})
}

// FuzzBody sends any body of any type by any method: nobody may bring the server
// to its knees, or to words that are no JSON.
func FuzzBody(f *testing.F) {
	h := fuzzHouse(f)
	root := h.draft(f, services.Draft{Name: "root", Realm: services.AdminRealm, Seed: rfcSeed})
	for i, q := range seedBodies(root) {
		for j, method := range append(methodsOfHTTP(), "X") {
			f.Add(uint8(i+j), method, q.media, []byte(q.body), q.chunked)
		}
	}
	f.Fuzz(func(t *testing.T, path uint8, method, media string, body []byte, chunked bool) {
		if !isToken(method) || !isHeaderText(media) || len(body) > 60<<10 {
			t.Skip("not HTTP, or too long a body for the door")
		}
		h.keepRoot(t)
		paths := fuzzPaths()
		q := request{method: method, path: paths[int(path)%len(paths)], media: media, body: string(body), chunked: chunked}
		h.send(t, q).isInOrder(t)
	})
}

// keepRoot makes an administrator again where inputs have removed it, or have
// spent its tries.
func (h *house) keepRoot(t testing.TB) {
	t.Helper()
	d := services.Draft{Name: "root", Realm: services.AdminRealm, Seed: rfcSeed, ID: 1}
	root := who{Entry: services.Entry{Name: d.Name, Realm: d.Realm, Seed: d.Seed}, h: h}
	if a := h.send(t, ask("GET", rootPath, root.g4())); a.status == http.StatusOK {
		return
	}
	h.update(t, func(tx *db.Tx) error {
		if _, err := tx.Exec(`DELETE FROM budgets`); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM services WHERE id = $1 OR name = $2 AND realm = $3`, d.ID, d.Name, d.Realm)
		if err == nil {
			_, err = h.s.Add(tx, d, noClient())
		}
		return err
	})
}

// isInOrder demands what holds of every answer.
func (a answer) isInOrder(t testing.TB) {
	t.Helper()
	if a.status >= 500 || a.status < 200 {
		t.Errorf("%s: %d %s", a.to, a.status, a.body)
	}
	a.lacks(t, "Set-Cookie", "Www-Authenticate")
	if a.to.method == http.MethodHead && a.body != "" {
		t.Errorf("%s: a body: %s", a.to, a.body)
	}
	if a.header.Get("Content-Type") == jsonMedia && a.to.method != http.MethodHead && !isUTF8JSON(a.body) {
		t.Errorf("%s: %d %q is no JSON in UTF-8", a.to, a.status, a.body)
	}
}

func isUTF8JSON(text string) bool { return utf8.ValidString(text) && json.Valid([]byte(text)) }

// isToken reports whether a text can be a method (RFC 9110 5.6.2). CONNECT has
// no path.
func isToken(text string) bool {
	return text != "" && text != http.MethodConnect && len(text) < 100 && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// isHeaderText reports whether a text can be in a header (RFC 9110 5.5).
func isHeaderText(text string) bool {
	return len(text) < 1000 && text == strings.TrimSpace(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// What the fuzzer takes for reachable has to be.
func TestTheFuzzersInputsGetFar(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		root := h.draft(t, services.Draft{Name: "root", Realm: services.AdminRealm, Seed: rfcSeed})
		seen := map[int]bool{}
		for _, q := range seedBodies(root) {
			for _, path := range fuzzPaths() {
				q.method, q.path = "POST", path
				a := h.send(t, q)
				a.isInOrder(t)
				seen[a.status] = true
			}
		}
		for _, status := range []int{200, 301, 400, 403, 404, 405, 415} {
			if !seen[status] {
				t.Errorf("no input is answered with %d, only with %v", status, seen)
			}
		}
	})
}
