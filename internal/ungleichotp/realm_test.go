package ungleichotp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

// Realms beside those of the wire have the rights that an operator writes down.

func (h *house) setRealm(t testing.TB, r services.Realm) {
	t.Helper()
	h.update(t, func(tx *db.Tx) error { return services.SetRealm(tx, r) })
}

// mayVerify demands that a caller is, or is not, told of a service, in both shapes.
func (w who) mayVerify(t *testing.T, of who, is bool) {
	t.Helper()
	for _, s := range shapes() {
		a := w.h.send(t, ask("POST", verifyPath, s.verify(w, of)))
		if is {
			a.is(t, http.StatusOK, statusOK)
		} else {
			a.is(t, http.StatusForbidden, notPermitted)
		}
	}
}

// mayAdminister does the same for what only an administrator may.
func (w who) mayAdminister(t *testing.T, of who, is bool) {
	t.Helper()
	for _, s := range shapes() {
		if a := w.h.send(t, ask("GET", of.path(), s.caller(w))); is {
			a.is(t, http.StatusOK, of.shown())
		} else {
			a.is(t, http.StatusForbidden, notPermitted)
		}
		if a := w.h.send(t, ask("DELETE", "/ungleichotp/999/", s.caller(w))); is {
			a.is(t, http.StatusNotFound, notFound)
		} else {
			a.is(t, http.StatusForbidden, notPermitted)
		}
	}
}

func TestARealmThatMayVerifyMayNothingElse(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		by := h.add(t, "door", "gates")
		by.mayVerify(t, c.shop, false)
		h.setRealm(t, services.Realm{Name: "gates", Right: services.Verify})
		for _, of := range []who{c.admin, c.auth, c.shop, by} {
			by.mayVerify(t, of, true)
		}
		by.mayAdminister(t, c.shop, false)
		h.add(t, "door", "Gates").mayVerify(t, c.shop, false) // realms are case sensitive
		h.update(t, func(tx *db.Tx) error { return services.DropRealm(tx, "gates") })
		by.mayVerify(t, c.shop, false)
	})
}

func TestARealmThatMayAdministerMayAll(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		by := h.add(t, "boss", "office")
		by.mayAdminister(t, c.shop, false)
		h.setRealm(t, services.Realm{Name: "office", Right: services.Administer})
		by.mayVerify(t, c.shop, true)
		by.mayAdminister(t, c.shop, true)
		w := made(t, h, h.send(t, ask("POST", collectionPath, by.g4().with(fields{"name": "new", "realm": "shop"}))))
		h.send(t, ask("PATCH", w.path(), by.g4().with(fields{"name": "newer"}))).is(t, http.StatusOK, shown(w.ID, "newer", "shop", w.Seed))
		h.send(t, ask("DELETE", w.path(), by.g4())).is(t, http.StatusNoContent, "")
		h.setRealm(t, services.Realm{Name: "office", Right: services.Verify})
		by.mayAdminister(t, c.shop, false)
	})
}

func TestARestrictedRealmVerifiesOnlyTheRealmsOfItsList(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		h.setRealm(t, services.Realm{Name: "gates", Right: services.Verify, Only: []string{"shop", "bar"}})
		by, bar := h.add(t, "door", "gates"), h.add(t, "tap", "bar")
		by.mayVerify(t, c.shop, true)
		by.mayVerify(t, bar, true)
		for _, of := range []who{c.admin, c.auth, by, h.add(t, "till", "Shop"), h.add(t, "till", "shop2")} {
			by.mayVerify(t, of, false)
		}
		c.auth.mayVerify(t, by, true) // its list binds nobody else
		h.setRealm(t, services.Realm{Name: "gates", Right: services.Verify})
		by.mayVerify(t, c.auth, true)
	})
}

func TestTheRealmOfTheWireThatVerifiesMayBeRestrictedToo(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		bar := h.add(t, "tap", "bar")
		h.setRealm(t, services.Realm{Name: services.AuthRealm, Right: services.Verify, Only: []string{"shop"}})
		c.auth.mayVerify(t, c.shop, true)
		c.auth.mayVerify(t, bar, false)
		c.admin.mayVerify(t, bar, true)
	})
}

// To a restricted caller a realm beyond its list is as empty.
func TestWhatARestrictedCallerMayNotAskAboutLooksLikeNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		c := h.cast(t)
		h.setRealm(t, services.Realm{Name: "gates", Right: services.Verify, Only: []string{"bar"}})
		by := h.add(t, "door", "gates")
		nobody := who{Entry: services.Entry{Name: "nobody", Realm: "bar", Seed: rfcSeed}, h: h}
		first := h.send(t, by.checks(nobody, nobody.token(0), home))
		first.is(t, http.StatusForbidden, notPermitted)
		h.send(t, by.checks(c.shop, c.shop.token(0), home)).isLike(t, first)
		h.send(t, by.checks(c.shop, c.shop.wrong(), home)).isLike(t, first)
		h.send(t, by.checks(who{Entry: services.Entry{Name: "nobody", Realm: "shop", Seed: rfcSeed}, h: h}, "000000", home)).isLike(t, first)
	})
}

// An entry that is over is listed, since an administrator can lengthen it, but
// no token of it is good.
func TestAnEntryThatExpiresIsGoodUntilThen(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		end := h.clock.Now().Add(time.Minute)
		w := h.draft(t, services.Draft{Name: "till", Realm: "shop", Expires: end})
		h.isToken(t, admin, w, w.token(0), true)
		h.setClock(end.Add(-time.Millisecond))
		h.isToken(t, admin, w, w.token(0), true)
		h.setClock(end)
		h.isToken(t, admin, w, w.token(0), false)
		h.send(t, ask("GET", collectionPath, admin.g4())).is(t, http.StatusOK, h.list(admin, w))
		h.update(t, func(tx *db.Tx) error { return h.s.SetExpiry(tx, w.ID, time.Time{}, noClient()) })
		h.isToken(t, admin, w, w.token(0), true)
	})
}

// An administrator that is over looks like one who never was.
func TestAnExpiredCallerLooksLikeAnUnknownOne(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		w := h.draft(t, services.Draft{Name: "root", Realm: services.AdminRealm, Expires: h.clock.Now().Add(time.Second)})
		h.send(t, ask("GET", collectionPath, w.g4())).is(t, http.StatusOK, h.list(w))
		h.clock.Advance(time.Second)
		nobody := who{Entry: services.Entry{Name: "nobody", Realm: services.AdminRealm, Seed: rfcSeed}, h: h}
		first := h.send(t, ask("GET", collectionPath, nobody.g4()))
		first.is(t, http.StatusForbidden, badCredentials)
		h.send(t, ask("GET", collectionPath, w.g4())).isLike(t, first)
		h.send(t, ask("DELETE", w.path(), w.g4())).is(t, http.StatusForbidden, badCredentials)
	})
}
