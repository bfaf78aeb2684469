package ungleichotp_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

// isToken demands that a text is, or is not, good as the credential and as the
// token to verify.
func (h *house) isToken(t *testing.T, admin, w who, token any, good bool) {
	t.Helper()
	own := h.send(t, ask(http.MethodGet, rootPath, w.g4().with(fields{"auth_token": token})))
	claimed := h.send(t, ask(http.MethodPost, verifyPath, admin.g4().with(w.claim(), fields{"token": token})))
	if good {
		own.is(t, http.StatusOK, indexBody)
		claimed.is(t, http.StatusOK, statusOK)
	} else {
		own.is(t, http.StatusForbidden, badCredentials)
		claimed.is(t, http.StatusForbidden, notPermitted)
	}
}

// RFC 6238 appendix B, of whose eight digits the wire has the last six.
func TestTokensAreThoseOfRFC6238(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		w := h.draft(t, services.Draft{Name: "till", Realm: "shop", Seed: rfcSeed})
		for at, token := range map[int64]string{
			59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
		} {
			h.setClock(time.Unix(at, 0))
			h.isToken(t, admin, w, token, true)
		}
	})
}

func TestTheWindowIsThreeStepsEitherWay(t *testing.T) {
	run(t, func(t *testing.T, h *house) { h.windowIs(t, 3) })
}

func TestTheWindowIsASetting(t *testing.T) {
	run(t, func(t *testing.T, h *house) { h.windowIs(t, 1) }, func(s *services.Settings) { s.Window = 1 })
}

// windowIs tries the tokens around now in the first and the last second of a
// step.
func (h *house) windowIs(t *testing.T, window int) {
	t.Helper()
	admin := h.add(t, "root", services.AdminRealm)
	start := time.Unix(2000000010, 0) // a step's begin
	for _, at := range []time.Time{start, start.Add(totp.Period - time.Millisecond)} {
		h.setClock(at)
		// A service for each moment, so that its wrong tokens are few.
		w := h.draft(t, services.Draft{Name: "till" + strconv.FormatInt(at.UnixMilli(), 10), Realm: "shop", Seed: rfcSeed})
		for steps := -window - 2; steps <= window+2; steps++ {
			h.isToken(t, admin, w, w.token(steps), -window <= steps && steps <= window)
		}
	}
}

func TestOneTokenServesManyCallsInItsStep(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin, w := h.add(t, "root", services.AdminRealm), h.add(t, "till", "shop")
		body := admin.g4().with(w.claim())
		for range 20 {
			h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusOK, statusOK)
		}
		h.clock.Advance(2 * totp.Period) // its steps are still in the window
		h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusOK, statusOK)
		h.send(t, ask(http.MethodGet, w.path(), body)).is(t, http.StatusOK, w.shown())
	})
}

func TestAnOlderTokenIsGoodAfterANewerOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin, w := h.add(t, "root", services.AdminRealm), h.add(t, "till", "shop")
		for _, steps := range []int{3, -3, 0, -2} {
			h.isToken(t, admin, w, w.token(steps), true)
		}
	})
}

func TestOneTokenIsCredentialAndClaimAtOnce(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		for _, s := range shapes() {
			for _, w := range []who{c.admin, c.auth} {
				for range 3 {
					h.send(t, ask(http.MethodPost, verifyPath, s.verify(w, w))).is(t, http.StatusOK, statusOK)
				}
			}
		}
	})
}

func TestSingleUseIsForThoseWhoAskForIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		body := c.admin.g4().with(c.shop.claim())
		h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusOK, statusOK)
		h.send(t, ask(http.MethodPost, verifyPath, body)).is(t, http.StatusForbidden, notPermitted)
		for range 3 { // what a caller shows for itself stays good
			h.send(t, ask(http.MethodGet, collectionPath, body)).is(t, http.StatusOK, h.list(c.admin, c.auth, c.shop))
		}
		h.clock.Advance(totp.Period)
		h.send(t, ask(http.MethodPost, verifyPath, c.admin.g4().with(c.shop.claim()))).is(t, http.StatusOK, statusOK)
	}, func(s *services.Settings) { s.SingleUse = true })
}

func TestSingleUseHoldsOnEveryWire(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c, a := h.cast(t), h.apps(t)
		// What one wire has used up is used up for all of them.
		h.send(t, ask(http.MethodPost, verifyPath, shapes()[0].verify(c.auth, c.shop))).is(t, http.StatusOK, statusOK)
		h.send(t, ask(http.MethodPost, verifyPath, shapes()[1].verify(c.admin, c.shop))).is(t, http.StatusForbidden, notPermitted)
		h.send(t, a.trusted.verifiesApp(a.plain)).says(t, http.StatusOK, statusOK)
		h.send(t, a.trusted.verifiesApp(a.plain)).says(t, http.StatusOK, statusFail)
		// One token is still credential and claim at once, but claim only once.
		h.send(t, ask(http.MethodPost, verifyPath, shapes()[1].verify(c.auth, c.auth))).is(t, http.StatusOK, statusOK)
		h.send(t, ask(http.MethodPost, verifyPath, shapes()[1].verify(c.auth, c.auth))).is(t, http.StatusForbidden, notPermitted)
	}, func(s *services.Settings) { s.SingleUse = true })
}

func TestWithSingleUseOneOfManyVerificationsAtOncePasses(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		q, passed := ask(http.MethodPost, verifyPath, shapes()[1].verify(c.auth, c.shop)), 0
		for _, a := range h.atOnce(t, 50, func(int) request { return q }) {
			if a.status == http.StatusOK {
				passed++
				continue
			}
			a.is(t, http.StatusForbidden, notPermitted)
		}
		if passed != 1 {
			t.Errorf("%d of 50 passed, want 1", passed)
		}
	}, func(s *services.Settings) { s.SingleUse = true })
}

// list is the collection as the wire shows it.
func (h *house) list(all ...who) string {
	var texts []string
	for _, w := range all {
		texts = append(texts, w.shown())
	}
	return "[" + strings.Join(texts, ",") + "]"
}

func TestATokenIsItsExactText(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		w := h.draft(t, services.Draft{Name: "till", Realm: "shop", Seed: rfcSeed})
		h.setClock(time.Unix(1111111109, 0)) // whose token begins with a zero
		h.isToken(t, admin, w, "081804", true)
		h.isToken(t, admin, w, " 081804\n", true)
		for _, wrong := range []any{
			"81804", literal("81804"), "0081804", "081804.0", "+081804", "08 1804", "81804 0", "081804x", "0x13f8c", "０８１８０４", "٠٨١٨٠٤",
		} {
			h.isToken(t, admin, w, wrong, false)
		}
	})
}

func TestASeedIsBase32InEitherCaseWithOrWithoutPadding(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		const short = "GEZDGNBVGY3TQOJQGEZDGNBVGY" // 16 bytes, which want six of padding
		for i, seed := range []string{short, short + "======", strings.ToLower(short), strings.ToLower(short) + "======", "gEZDGNBVGY3tqojqGEZDGNBVgy"} {
			w := h.draft(t, services.Draft{Name: "till" + strconv.Itoa(i), Realm: "shop", Seed: seed})
			want := totp.Code([]byte("1234567890123456"), totp.Step(h.clock.Now()))
			h.isToken(t, admin, w, want, true)
		}
	})
}

// made reads the entry that an answer shows.
func made(t testing.TB, h *house, a answer) who {
	t.Helper()
	w := who{h: h}
	var e struct {
		ID                services.ID
		Name, Realm, Seed string
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("%s: %d %s is no entry: %v", a.to, a.status, a.body, err)
	}
	w.ID, w.Name, w.Realm, w.Seed = e.ID, e.Name, e.Realm, e.Seed
	return w
}

func TestANewSeedIs160RandomBits(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		seen, letters := map[string]bool{}, regexp.MustCompile(`^[A-Z2-7]{32}$`)
		for _, name := range []string{"a", "b", "c"} {
			w := made(t, h, h.send(t, ask(http.MethodPost, collectionPath, admin.g4().with(fields{"name": name, "realm": "shop"}))))
			if !letters.MatchString(w.Seed) || seen[w.Seed] {
				t.Errorf("the seed is %q, after %v; want 32 letters of base32 that are new", w.Seed, seen)
			}
			seen[w.Seed] = true
			h.isToken(t, admin, w, w.token(0), true)
		}
	})
}

func TestASeedThatAClientSendsIsIgnored(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		theirs := fields{"name": "till", "realm": "shop", "seed": rfcSeed}
		w := made(t, h, h.send(t, ask(http.MethodPost, collectionPath, admin.g4().with(theirs))))
		if w.Seed == rfcSeed {
			t.Error("the client chose the seed")
		}
		for _, method := range []string{http.MethodPut, http.MethodPatch} {
			h.send(t, ask(method, w.path(), admin.g4().with(theirs))).is(t, http.StatusOK, w.shown())
		}
		for _, odd := range []any{literal("null"), literal("5"), literal("[]"), "", "not base32!"} {
			h.send(t, ask(http.MethodPatch, w.path(), admin.g4().with(fields{"seed": odd}))).is(t, http.StatusOK, w.shown())
		}
		h.send(t, ask(http.MethodGet, w.path(), admin.g4())).is(t, http.StatusOK, w.shown())
		h.isToken(t, admin, w, w.token(0), true)
	})
}
