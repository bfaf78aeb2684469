package ungleichotp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// The wire of 2018 (G1).
const (
	verifyAppPath = "/verify"
	registerPath  = "/app/register"
	appsPath      = "/app"
	nobodysUUID   = "0d1f3c7e-3f0a-4f6e-9d55-3a2b1c0d9e8f"

	statusFail         = `{"status":"FAIL"}`
	unsupportedVersion = `{"status":"FAIL","error":"unsupported version"}`
)

// apps are two of one username, of which one is trusted, and one of another.
type apps struct{ trusted, plain, foreign who }

func (h *house) apps(t testing.TB) apps {
	t.Helper()
	return apps{
		h.addApp(t, services.App{Name: "shop", Username: "ann", Trusted: true}),
		h.addApp(t, services.App{Name: "till", Username: "ann"}),
		h.addApp(t, services.App{Name: "printer", Username: "ben"}),
	}
}

func (h *house) addApp(t testing.TB, a services.App) who {
	t.Helper()
	w := who{h: h}
	h.update(t, func(tx *db.Tx) (err error) {
		w.Entry, err = h.s.AddApp(tx, a, noClient())
		return err
	})
	return w
}

// g1 is the app as the caller, toVerify as the one that is verified.
func (w who) g1() fields {
	return fields{"version": "1", "appuuid": w.Name, "token": w.token(0)}
}

func (w who) toVerify() fields {
	return fields{"appuuidtoverify": w.Name, "tokentoverify": w.token(0)}
}

func (w who) appPath() string { return appsPath + "/" + w.Name }

// verifiesApp and registers ask as the app does.
func (w who) verifiesApp(of who, more ...fields) request {
	return ask("POST", verifyAppPath, w.g1().with(of.toVerify()).with(more...))
}

func (w who) registers(username, appname any) request {
	return ask("POST", registerPath, w.g1().with(fields{"username": username, "appname": appname}))
}

// listOf is the answer to GET /app.
func listOf(all ...who) string {
	var texts []string
	for _, w := range all {
		texts = append(texts, fmt.Sprintf(`{"name":"%s","appuuid":"%s"}`, w.App.Name, w.Name))
	}
	return `{"status":"OK","apps":[` + strings.Join(texts, ",") + `]}`
}

func seedOf(w who) string { return `{"status":"OK","seed":"` + w.Seed + `"}` }

// reads are the requests that leave everything as it was, with their answers.
func (a apps) reads() map[string]struct{ method, path, ok string } {
	return map[string]struct{ method, path, ok string }{
		"verify":   {"POST", verifyAppPath, statusOK},
		"list":     {"GET", appsPath, listOf(a.trusted, a.plain)},
		"one seed": {"GET", a.plain.appPath(), seedOf(a.plain)},
	}
}

// body is what any of the requests needs.
func (a apps) body() fields {
	return a.trusted.g1().with(a.plain.toVerify(), fields{"username": "ann", "appname": "new"})
}

// firstPaths are those of all requests, with their methods.
func (a apps) firstPaths() map[string]string {
	return map[string]string{verifyAppPath: "POST", registerPath: "POST", appsPath: "GET", a.plain.appPath(): "GET"}
}

// says demands a whole answer of 2018.
func (a answer) says(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("%s\n got %d %.600s\nwant %d %.600s", a.to, a.status, a.body, status, body)
	}
	if got := a.header["Content-Type"]; !slices.Equal(got, []string{jsonMedia}) {
		t.Errorf("%s: %d with Content-Type %q, want %s", a.to, a.status, got, jsonMedia)
	}
	a.lacks(t, "Set-Cookie", "Www-Authenticate", "Location")
}

// fails demands FAIL and words of our own.
func (a answer) fails(t testing.TB, status int) {
	t.Helper()
	var told struct{ Error string }
	if a.to.method != http.MethodHead {
		if err := json.Unmarshal([]byte(a.body), &told); err != nil || told.Error == "" || !strings.HasPrefix(a.body, `{"status":"FAIL","error":"`) {
			t.Errorf(`%s: %d %s, want {"status":"FAIL","error":"..."}`, a.to, a.status, a.body)
		}
	}
	a.says(t, status, a.body)
}

// hasSameBytes demands that nothing tells two answers apart.
func (a answer) hasSameBytes(t testing.TB, other answer) {
	t.Helper()
	a.header.Del("Date")
	other.header.Del("Date")
	if a.status != other.status || a.body != other.body || !sameHeaders(a.header, other.header) {
		t.Errorf("%s\n got %d %v %s\nbut for %s\nit was %d %v %s", a.to, a.status, a.header, a.body, other.to, other.status, other.header, other.body)
	}
}

// Requests that change nothing share one house.
func TestAppsOf2018(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		for _, p := range []struct {
			name  string
			holds func(*testing.T, *house, apps)
		}{
			{"a trusted app verifies any app", aTrustedAppVerifiesAnyApp},
			{"verify says FAIL and no more when a pair does not hold", verifySaysFAILWhenAPairDoesNotHold},
			{"verify says FAIL and no more when a field of the claim is wrong", verifySaysFAILWhenTheClaimIsNone},
			{"verify says FAIL and no more when a field of the caller is wrong", verifySaysFAILWhenTheCallerIsNone},
			{"an app lists those of its username", anAppListsThoseOfItsUsername},
			{"an app reads the seeds of its username", anAppReadsTheSeedsOfItsUsername},
			{"a foreign app and an unknown one answer alike", aForeignAppAndAnUnknownOneAnswerAlike},
			{"a caller whose pair does not hold gets FAIL", aCallerWhosePairDoesNotHoldGetsFAIL},
			{"an unknown app and a wrong token answer alike", anUnknownAppAndAWrongTokenAnswerAlike},
			{"the version is 1 or missing", theVersionIs1OrMissing},
			{"another version is unsupported", anotherVersionIsUnsupported},
			{"UUIDs compare without case", uuidsCompareWithoutCase},
			{"the body of GET is read, in chunks too", theBodyOfGETIsRead},
			{"JSON may have parameters and any case", jsonMayHaveParametersAndAnyCase},
			{"only JSON is spoken", onlyJSONIsSpoken},
			{"malformed JSON is 400", malformedJSONIs400},
			{"another method is 405", anotherMethodIs405},
			{"what is not in the body does not count", whatIsNotInTheBodyDoesNotCount},
			{"no fields are no pair", noFieldsAreNoPair},
			{"paths have no final slash", pathsHaveNoFinalSlash},
			{"triples are no apps", triplesAreNoApps},
		} {
			t.Run(p.name, func(t *testing.T) { p.holds(t, h, a) })
		}
	})
}

func aTrustedAppVerifiesAnyApp(t *testing.T, h *house, a apps) {
	for _, of := range []who{a.plain, a.foreign, a.trusted} {
		for range 3 { // no token is used up
			h.send(t, a.trusted.verifiesApp(of)).says(t, http.StatusOK, `{"status":"OK"}`)
		}
	}
}

func verifySaysFAILWhenAPairDoesNotHold(t *testing.T, h *house, a apps) {
	for name, q := range map[string]request{
		"the caller's token is wrong":    a.trusted.verifiesApp(a.plain, fields{"token": a.trusted.wrong()}),
		"the caller has another's token": a.trusted.verifiesApp(a.plain, fields{"token": a.plain.token(0)}),
		"the caller is unknown":          a.trusted.verifiesApp(a.plain, fields{"appuuid": nobodysUUID}),
		"the caller is not trusted":      a.plain.verifiesApp(a.foreign),
		"who is not trusted asks itself": a.plain.verifiesApp(a.plain),
		"nobody is trusted or right":     a.plain.verifiesApp(a.foreign, fields{"tokentoverify": a.foreign.wrong()}),
		"the other token is wrong":       a.trusted.verifiesApp(a.plain, fields{"tokentoverify": a.plain.wrong()}),
		"the other token is the caller's": a.trusted.verifiesApp(a.plain,
			fields{"tokentoverify": a.trusted.token(0)}),
		"the other app is unknown": a.trusted.verifiesApp(a.plain, fields{"appuuidtoverify": nobodysUUID}),
	} {
		t.Run(name, func(t *testing.T) { h.send(t, q).says(t, http.StatusOK, statusFail) })
	}
}

func verifySaysFAILWhenTheClaimIsNone(t *testing.T, h *house, a apps) {
	verifySaysFAILForAnyFault(t, h, a, "appuuidtoverify", "tokentoverify")
}

func verifySaysFAILWhenTheCallerIsNone(t *testing.T, h *house, a apps) {
	verifySaysFAILForAnyFault(t, h, a, "appuuid", "token")
}

func verifySaysFAILForAnyFault(t *testing.T, h *house, a apps, keys ...string) {
	for _, key := range keys {
		for _, f := range append(faults(), fault{name: "no UUID", value: "shop"}, fault{name: "a number", value: 5}) {
			t.Run(key+" is "+f.name, func(t *testing.T) {
				body := f.in(a.trusted.g1().with(a.plain.toVerify()), key)
				h.send(t, ask("POST", verifyAppPath, body)).says(t, http.StatusOK, statusFail)
			})
		}
	}
}

func anAppListsThoseOfItsUsername(t *testing.T, h *house, a apps) {
	for _, w := range []who{a.trusted, a.plain} {
		h.send(t, ask("GET", appsPath, w.g1())).says(t, http.StatusOK, listOf(a.trusted, a.plain))
	}
	want := `{"status":"OK","apps":[{"name":"printer","appuuid":"` + a.foreign.Name + `"}]}`
	h.send(t, ask("GET", appsPath, a.foreign.g1())).says(t, http.StatusOK, want)
}

func anAppReadsTheSeedsOfItsUsername(t *testing.T, h *house, a apps) {
	for _, by := range []who{a.trusted, a.plain} {
		for _, of := range []who{a.trusted, a.plain} {
			h.send(t, ask("GET", of.appPath(), by.g1())).says(t, http.StatusOK, `{"status":"OK","seed":"`+of.Seed+`"}`)
		}
	}
	h.send(t, ask("GET", a.foreign.appPath(), a.foreign.g1())).says(t, http.StatusOK, seedOf(a.foreign))
}

func aForeignAppAndAnUnknownOneAnswerAlike(t *testing.T, h *house, a apps) {
	for _, by := range []who{a.trusted, a.plain} { // to be trusted is no right to seeds
		foreign := h.send(t, ask("GET", a.foreign.appPath(), by.g1()))
		foreign.fails(t, http.StatusOK)
		for _, id := range []string{nobodysUUID, strings.ToUpper(nobodysUUID), strings.ToUpper(a.foreign.Name), "x", "%00", "register2"} {
			h.send(t, ask("GET", appsPath+"/"+id, by.g1())).hasSameBytes(t, foreign)
		}
	}
}

func aCallerWhosePairDoesNotHoldGetsFAIL(t *testing.T, h *house, a apps) {
	for path, method := range a.firstPaths() {
		if path == verifyAppPath {
			continue // which has no words
		}
		for name, wrong := range map[string]fields{
			"wrong token": {"token": a.trusted.wrong()}, "another's token": {"token": a.foreign.token(0)}, "unknown": {"appuuid": nobodysUUID},
			"no UUID": {"appuuid": "shop"}, "null": {"appuuid": nil}, "blank": {"token": ""}, "list": {"token": literal("[]")},
		} {
			t.Run(method+" "+path+" "+name, func(t *testing.T) {
				h.send(t, ask(method, path, a.body().with(wrong))).fails(t, http.StatusOK)
			})
		}
		h.send(t, ask(method, path, a.body().without("token"))).fails(t, http.StatusOK)
		h.send(t, ask(method, path, a.body().without("appuuid"))).fails(t, http.StatusOK)
	}
	h.send(t, ask("GET", appsPath, a.trusted.g1())).says(t, http.StatusOK, listOf(a.trusted, a.plain)) // nothing was made
}

func anUnknownAppAndAWrongTokenAnswerAlike(t *testing.T, h *house, a apps) {
	for path, method := range a.firstPaths() {
		wrong := h.send(t, ask(method, path, a.body().with(fields{"token": a.trusted.wrong()})))
		h.send(t, ask(method, path, a.body().with(fields{"appuuid": nobodysUUID}))).hasSameBytes(t, wrong)
	}
}

func theVersionIs1OrMissing(t *testing.T, h *house, a apps) {
	for name, r := range a.reads() {
		for _, version := range []any{absent, "1", 1} {
			t.Run(fmt.Sprint(name, " ", version), func(t *testing.T) {
				body := fault{value: version}.in(a.body(), "version")
				h.send(t, ask(r.method, r.path, body)).says(t, http.StatusOK, r.ok)
			})
		}
	}
}

func anotherVersionIsUnsupported(t *testing.T, h *house, a apps) {
	for path, method := range a.firstPaths() {
		for _, version := range []any{"2", 2, "0", 0, "", nil, true, literal("[1]"), literal(`{"1":1}`), "1.0", literal("1.0"), "01", "one", -1, 11} {
			t.Run(fmt.Sprintf("%s %s %s", method, path, version), func(t *testing.T) {
				h.send(t, ask(method, path, a.body().with(fields{"version": version}))).says(t, http.StatusOK, unsupportedVersion)
			})
		}
	}
}

func uuidsCompareWithoutCase(t *testing.T, h *house, a apps) {
	up := func(w who) who { w.Name = strings.ToUpper(w.Name); return w }
	h.send(t, up(a.trusted).verifiesApp(a.plain)).says(t, http.StatusOK, statusOK)
	h.send(t, a.trusted.verifiesApp(up(a.plain))).says(t, http.StatusOK, statusOK)
	h.send(t, ask("GET", appsPath, up(a.plain).g1())).says(t, http.StatusOK, listOf(a.trusted, a.plain))
	h.send(t, ask("GET", up(a.plain).appPath(), a.plain.g1())).says(t, http.StatusOK, seedOf(a.plain))
	for _, odd := range []string{"{" + a.plain.Name + "}", "urn:uuid:" + a.plain.Name, strings.ReplaceAll(a.plain.Name, "-", "")} { // other ways to write one
		h.send(t, a.trusted.verifiesApp(a.plain, fields{"appuuidtoverify": odd})).says(t, http.StatusOK, statusFail)
	}
}

func theBodyOfGETIsRead(t *testing.T, h *house, a apps) {
	for _, r := range a.reads() {
		q := ask(r.method, r.path, a.body())
		h.send(t, q).says(t, http.StatusOK, r.ok)
		h.send(t, q.inChunks()).says(t, http.StatusOK, r.ok)
		for _, again := range h.sendAll(t, q, q.inChunks(), q) { // a kept connection has no rest on it
			again.says(t, http.StatusOK, r.ok)
		}
	}
}

func jsonMayHaveParametersAndAnyCase(t *testing.T, h *house, a apps) {
	for _, r := range a.reads() {
		for _, media := range []string{"application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"} {
			q := ask(r.method, r.path, a.body())
			q.media = media
			h.send(t, q).says(t, http.StatusOK, r.ok)
		}
	}
}

func onlyJSONIsSpoken(t *testing.T, h *house, a apps) {
	body := a.body()
	for path, method := range a.firstPaths() {
		all := encodings(method, path, body)
		for _, media := range []string{"", "text/plain", "text/json", "application/xml", "application/jsonp", "x"} {
			q := all["JSON"]
			q.media = media
			all["JSON as "+media] = q
		}
		delete(all, "JSON")
		delete(all, "JSON in chunks")
		for name, q := range all {
			t.Run(method+" "+path+" "+name, func(t *testing.T) { h.send(t, q).fails(t, http.StatusUnsupportedMediaType) })
		}
	}
	h.send(t, ask("GET", appsPath, a.trusted.g1())).says(t, http.StatusOK, listOf(a.trusted, a.plain))
}

func malformedJSONIs400(t *testing.T, h *house, a apps) {
	for path, method := range a.firstPaths() {
		for name, body := range brokenJSON(a.trusted) {
			t.Run(method+" "+path+" "+name, func(t *testing.T) {
				got := h.send(t, request{method: method, path: path, media: jsonMedia, body: body})
				got.fails(t, http.StatusBadRequest)
				if strings.Contains(got.body, a.trusted.token(0)) {
					t.Errorf("the answer holds the token: %s", got.body)
				}
			})
		}
	}
}

func anotherMethodIs405(t *testing.T, h *house, a apps) {
	for path, allow := range a.firstPaths() {
		for _, method := range append(methodsOfHTTP(), "PROPFIND") {
			if method == allow {
				continue
			}
			for _, q := range []request{ask(method, path, a.body()), ask(method, path, nil)} {
				got := h.send(t, q)
				got.fails(t, http.StatusMethodNotAllowed)
				if !slices.Equal(got.header["Allow"], []string{allow}) { // RFC 9110 15.5.6
					t.Errorf("%s: Allow is %q, want %s", q, got.header["Allow"], allow)
				}
			}
		}
	}
}

func whatIsNotInTheBodyDoesNotCount(t *testing.T, h *house, a apps) {
	query := "?version=1&appuuid=" + a.trusted.Name + "&token=" + a.trusted.token(0)
	h.send(t, ask("GET", appsPath+query, nil)).fails(t, http.StatusOK)
	h.send(t, ask("GET", appsPath+query, fields{"version": "1"}).header("Authorization: Token "+a.trusted.token(0), "Cookie: token="+a.trusted.token(0))).fails(t, http.StatusOK)
	for _, r := range a.reads() {
		q := ask(r.method, r.path+"?version=9&appuuid=x&token=x", a.body().with(fields{"auth_name": "x", "name": nil, "appname": literal("{}")}))
		h.send(t, q.header("Authorization: Basic eDp5", "Cookie: token=x")).says(t, http.StatusOK, r.ok)
	}
}

func noFieldsAreNoPair(t *testing.T, h *house, a apps) {
	for path, method := range a.firstPaths() {
		if path == verifyAppPath {
			continue // which has no words
		}
		h.send(t, ask(method, path, nil)).fails(t, http.StatusOK)
		for _, body := range []string{`{}`, `[]`, `null`, `5`, `"x"`, `[{"appuuid":"x"}]`} {
			h.send(t, request{method: method, path: path, media: jsonMedia, body: body}).fails(t, http.StatusOK)
		}
	}
}

func pathsHaveNoFinalSlash(t *testing.T, h *house, a apps) {
	for path, method := range a.firstPaths() {
		if got := h.send(t, ask(method, path+"/", a.body())); strings.Contains(got.body, `"OK"`) {
			t.Errorf("%s: %d %s, want what is not there", got.to, got.status, got.body)
		}
	}
}

// A triple may have a UUID for a name, even an app's.
func triplesAreNoApps(t *testing.T, h *house, a apps) {
	for i, realm := range []string{"shop", services.AdminRealm} {
		triple := h.add(t, fmt.Sprintf("0d1f3c7e-3f0a-4f6e-9d55-00000000000%d", i), realm)
		h.send(t, ask("GET", appsPath, triple.g1())).fails(t, http.StatusOK)
		h.send(t, triple.verifiesApp(a.plain)).says(t, http.StatusOK, statusFail)
		h.send(t, a.trusted.verifiesApp(triple)).says(t, http.StatusOK, statusFail)
		unknown := h.send(t, ask("GET", appsPath+"/"+nobodysUUID, a.trusted.g1()))
		h.send(t, ask("GET", triple.appPath(), a.trusted.g1())).hasSameBytes(t, unknown)
	}
	twin := h.add(t, a.plain.Name, services.AuthRealm)
	h.send(t, a.trusted.verifiesApp(twin)).says(t, http.StatusOK, statusFail)
	h.send(t, a.trusted.verifiesApp(a.plain)).says(t, http.StatusOK, statusOK)
	h.send(t, ask("GET", a.plain.appPath(), a.trusted.g1())).says(t, http.StatusOK, seedOf(a.plain))
	h.send(t, ask("GET", appsPath, a.trusted.g1())).says(t, http.StatusOK, listOf(a.trusted, a.plain))
}

// registered reads the app that an answer tells, whose UUID is random (RFC 9562 5.4).
func registered(t testing.TB, h *house, a answer) who {
	t.Helper()
	told := regexp.MustCompile(`^{"status":"OK","appuuid":"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"}$`).FindStringSubmatch(a.body)
	if told == nil {
		t.Fatalf("%s: %d %s tells no app", a.to, a.status, a.body)
	}
	a.says(t, http.StatusOK, a.body)
	w := who{h: h}
	check(t, h.d.View(t.Context(), func(tx *db.Tx) (err error) {
		w.Entry, err = h.s.GetApp(tx, told[1])
		return err
	}))
	return w
}

func TestATrustedAppRegistersForAnyUsername(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		for _, username := range []string{"ann", "ben", "carl", "Zoë"} {
			made := registered(t, h, h.send(t, a.trusted.registers(username, "new")))
			if made.App != (services.App{Name: "new", Username: username}) {
				t.Errorf("%+v was made for %s", made.App, username)
			}
		}
	})
}

func TestAnAppThatIsRegisteredWorksButIsNotTrusted(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		for _, by := range []who{a.trusted, a.plain} {
			made := registered(t, h, h.send(t, ask("POST", registerPath, by.g1().with(fields{"username": "ann", "appname": "new", "trusted": true, "seed": rfcSeed, "appuuid2": nobodysUUID}))))
			h.send(t, ask("GET", made.appPath(), made.g1())).says(t, http.StatusOK, seedOf(made))
			h.send(t, ask("GET", made.appPath(), by.g1())).says(t, http.StatusOK, seedOf(made))
			h.send(t, a.trusted.verifiesApp(made)).says(t, http.StatusOK, statusOK)
			h.send(t, made.verifiesApp(a.plain)).says(t, http.StatusOK, statusFail)
			if made.Seed == rfcSeed || !regexp.MustCompile(`^[A-Z2-7]{32}$`).MatchString(made.Seed) {
				t.Errorf("the seed is %q", made.Seed)
			}
		}
	})
}

func TestTheAppsOfAUsernameAreListedByTheirAge(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		all := []who{a.trusted, a.plain}
		for _, name := range []string{"z", "a", "é<b>"} {
			all = append(all, registered(t, h, h.send(t, a.plain.registers("ann", name))))
		}
		h.send(t, ask("GET", appsPath, a.trusted.g1())).says(t, http.StatusOK, listOf(all...))
		h.send(t, ask("GET", appsPath, a.foreign.g1())).says(t, http.StatusOK, listOf(a.foreign))
	})
}

func TestOthersRegisterForTheirOwnUsernameOnly(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		before := h.count(t, `SELECT COUNT(*) FROM services`)
		for _, username := range []string{"ben", "carl", "Ann", "anna", "a"} {
			h.send(t, a.plain.registers(username, "new")).fails(t, http.StatusOK)
		}
		if n := h.count(t, `SELECT COUNT(*) FROM services`); n != before {
			t.Errorf("%d apps were made", n-before)
		}
		made := registered(t, h, h.send(t, a.foreign.registers("ben", "new")))
		h.send(t, ask("GET", appsPath, a.foreign.g1())).says(t, http.StatusOK, listOf(a.foreign, made))
	})
}

func TestAnAppWithoutUsernameOrNameIsNotRegistered(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		before := h.count(t, `SELECT COUNT(*) FROM services`)
		for _, f := range faults() {
			for _, key := range []string{"username", "appname"} {
				t.Run(f.name+" "+key, func(t *testing.T) {
					for _, by := range []who{a.trusted, a.plain} {
						body := f.in(by.g1().with(fields{"username": "ann", "appname": "new"}), key)
						h.send(t, ask("POST", registerPath, body)).fails(t, http.StatusOK)
					}
				})
			}
		}
		if n := h.count(t, `SELECT COUNT(*) FROM services`); n != before {
			t.Errorf("%d apps were made", n-before)
		}
	})
}

func TestTheTokensOfAppsHaveTheSameWindow(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		for steps := -5; steps <= 5; steps++ {
			good := -3 <= steps && steps <= 3
			own := h.send(t, ask("GET", a.plain.appPath(), a.plain.g1().with(fields{"token": a.plain.token(steps)})))
			claimed := h.send(t, a.trusted.verifiesApp(a.plain, fields{"tokentoverify": a.plain.token(steps)}))
			if good {
				own.says(t, http.StatusOK, seedOf(a.plain))
				claimed.says(t, http.StatusOK, statusOK)
			} else {
				own.fails(t, http.StatusOK)
				claimed.says(t, http.StatusOK, statusFail)
			}
		}
	})
}

func TestAnAppHasTwoSeedsWhileItIsToldAndShowsTheNewest(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		fresh := a.plain
		h.update(t, func(tx *db.Tx) (err error) {
			fresh.Seed, err = h.s.Rotate(tx, a.plain.ID, tx.Now.Add(totp.Period), noClient())
			return err
		})
		for _, w := range []who{a.plain, fresh} {
			h.send(t, ask("GET", w.appPath(), w.g1())).says(t, http.StatusOK, seedOf(fresh))
			h.send(t, a.trusted.verifiesApp(w)).says(t, http.StatusOK, statusOK)
		}
		h.clock.Advance(totp.Period)
		h.send(t, ask("GET", a.plain.appPath(), a.plain.g1())).fails(t, http.StatusOK)
		h.send(t, a.trusted.verifiesApp(a.plain)).says(t, http.StatusOK, statusFail)
		h.send(t, a.trusted.verifiesApp(fresh)).says(t, http.StatusOK, statusOK)
	})
}

func TestGuessesAtAnAppAreCountedAsAtATriple(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		right := ask("GET", a.plain.appPath(), a.plain.g1()).from(home)
		wrong := ask("GET", a.plain.appPath(), a.plain.g1().with(fields{"token": a.plain.wrong()})).from(home)
		first := h.send(t, wrong)
		for range atOnceMost - 2 {
			h.send(t, wrong).hasSameBytes(t, first)
		}
		h.send(t, right).says(t, http.StatusOK, seedOf(a.plain))
		h.send(t, wrong).hasSameBytes(t, first)
		h.send(t, right).hasSameBytes(t, first)
		h.send(t, a.trusted.verifiesApp(a.plain).from(home)).says(t, http.StatusOK, statusOK) // a claim is another budget
		h.clock.Advance(totp.Period)
		h.send(t, ask("GET", a.plain.appPath(), a.plain.g1()).from(home)).says(t, http.StatusOK, seedOf(a.plain))
	})
}

func TestWrongTokensToVerifyAreCountedPerAppThatAsks(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		second := h.addApp(t, services.App{Name: "second", Username: "carl", Trusted: true})
		for range atOnceMost {
			h.send(t, a.trusted.verifiesApp(a.plain, fields{"tokentoverify": a.plain.wrong()})).says(t, http.StatusOK, statusFail)
		}
		h.send(t, a.trusted.verifiesApp(a.plain)).says(t, http.StatusOK, statusFail)
		h.send(t, a.trusted.verifiesApp(a.foreign)).says(t, http.StatusOK, statusOK)
		h.send(t, second.verifiesApp(a.plain)).says(t, http.StatusOK, statusOK)
		h.clock.Advance(totp.Period)
		h.send(t, a.trusted.verifiesApp(a.plain)).says(t, http.StatusOK, statusOK)
	})
}

func TestTheLogHoldsNoTokenAndNoSeedOfAnApp(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		for path, method := range a.firstPaths() {
			for _, body := range []fields{a.body(), a.body().with(fields{"token": a.trusted.wrong()}), a.body().with(fields{"tokentoverify": a.plain.wrong()}), a.body().with(fields{"version": a.trusted.token(1)})} {
				q := ask(method, path+"?token="+a.trusted.token(0), body)
				broken := q
				broken.body += "}"
				typed := q
				typed.media = "text/" + a.trusted.token(0)
				for _, q := range []request{q, broken, typed, ask("PUT", path, body)} {
					h.send(t, q)
				}
			}
		}
		none := secrets(a.trusted, a.plain, a.foreign)
		h.logHolds(t, none)
		h.historyHolds(t, none)
	})
}

func TestWhatGoesWrongForAnAppIsLoggedWithoutTokenAndSeedAndToldToNobody(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.log.troubled = true
		a := h.apps(t)
		breakTable(t, h, "services")
		for path, method := range a.firstPaths() {
			got := h.send(t, ask(method, path, a.body()))
			if got.status != http.StatusInternalServerError || strings.Contains(got.body, "services") || strings.Contains(got.body, `"OK"`) {
				t.Errorf("%s: %d %s, want 500 and nothing of its cause", got.to, got.status, got.body)
			}
			got.says(t, got.status, got.body)
		}
		h.logHolds(t, secrets(a.trusted, a.plain, a.foreign))
	})
}

func TestNoAppIsRegisteredTwiceUnderOneUUID(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		seen := map[string]bool{}
		for _, got := range h.atOnce(t, 20, func(int) request { return a.plain.registers("ann", "new") }) {
			made := registered(t, h, got)
			if seen[made.Name] || seen[made.Seed] {
				t.Errorf("%s was given twice, or its seed", made.Name)
			}
			seen[made.Name], seen[made.Seed] = true, true
		}
	})
}

func TestAUsernameHasAThousandAppsAndNoMore(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		a := h.apps(t)
		h.d.Rehearse = false // so many alike need it once
		h.update(t, func(tx *db.Tx) error {
			for range services.MaxApps - 3 { // two are there
				if _, err := h.s.AddApp(tx, services.App{Name: "many", Username: "ann"}, noClient()); err != nil {
					return err
				}
			}
			return nil
		})
		h.d.Rehearse = true
		registered(t, h, h.send(t, a.trusted.registers("ann", "last")))
		h.send(t, a.trusted.registers("ann", "more")).fails(t, http.StatusOK)
		h.send(t, a.plain.registers("ann", "more")).fails(t, http.StatusOK)
		registered(t, h, h.send(t, a.trusted.registers("ben", "more"))) // another username has its own
		if n := strings.Count(h.send(t, ask("GET", appsPath, a.plain.g1())).body, `"appuuid"`); n != services.MaxApps {
			t.Errorf("%d apps are listed, want %d", n, services.MaxApps)
		}
	})
}
