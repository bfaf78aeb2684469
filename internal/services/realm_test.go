package services_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

func (h *house) trySetRealm(t *testing.T, r services.Realm) error {
	t.Helper()
	return h.d.Update(t.Context(), func(tx *db.Tx) error { return services.SetRealm(tx, r) })
}

func (h *house) setRealm(t *testing.T, name string, right services.Right, only ...string) {
	t.Helper()
	check(t, h.trySetRealm(t, services.Realm{Name: name, Right: right, Only: only}))
}

// authorize is the verdict about an entry that wants to use a right.
func (h *house) authorize(t *testing.T, e services.Entry, need services.Right) services.Verdict {
	t.Helper()
	v, err := h.s.Authorize(t.Context(), from(home, h.triple(t, e)), need)
	check(t, err)
	return v
}

func (h *house) wantRights(t *testing.T, e services.Entry, verify, administer services.Verdict) {
	t.Helper()
	want(t, h.authorize(t, e, services.Nothing), services.OK)
	want(t, h.authorize(t, e, services.Verify), verify)
	want(t, h.authorize(t, e, services.Administer), administer)
}

func TestTheRealmsOfTheWireHaveTheirRightsWithoutARow(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.wantRights(t, h.add(t, "a", services.AdminRealm), services.OK, services.OK)
		h.wantRights(t, h.add(t, "a", services.AuthRealm), services.OK, services.NotAllowed)
		h.wantRights(t, h.add(t, "a", "office"), services.NotAllowed, services.NotAllowed)
		h.wantRights(t, h.add(t, "a", strings.ToUpper(services.AdminRealm)), services.NotAllowed, services.NotAllowed)
	})
}

func TestTheRightsOfTheWiresRealmsCannotBeChanged(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, r := range []services.Realm{
			{Name: services.AdminRealm},
			{Name: services.AdminRealm, Right: services.Verify},
			{Name: services.AdminRealm, Right: services.Administer, Only: []string{"office"}},
			{Name: services.AuthRealm},
			{Name: services.AuthRealm, Right: services.Administer},
		} {
			if err := h.trySetRealm(t, r); !errors.Is(err, services.ErrFixed) {
				t.Errorf("%+v: %v", r, err)
			}
		}
		if err := h.trySetRealm(t, services.Realm{Name: "shops", Right: services.Administer, Only: []string{"office"}}); !errors.Is(err, services.ErrOnly) {
			t.Errorf("a list for who sees all: %v", err)
		}
		for _, r := range []services.Realm{{Name: ""}, {Name: " office"}, {Name: "office", Right: services.Verify, Only: []string{""}}} {
			if err := h.trySetRealm(t, r); !errors.Is(err, services.ErrText) {
				t.Errorf("%+v: %v", r, err)
			}
		}
		want(t, h.count(t, `SELECT count(*) FROM realms`), 0)
	})
}

func TestARealmMayWhatIsWrittenDownForIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop := h.add(t, "shop", "shops")
		h.setRealm(t, "shops", services.Verify)
		h.wantRights(t, shop, services.OK, services.NotAllowed)
		h.setRealm(t, "shops", services.Administer)
		h.wantRights(t, shop, services.OK, services.OK)
		h.setRealm(t, "shops", services.Nothing)
		h.wantRights(t, shop, services.NotAllowed, services.NotAllowed)
		h.setRealm(t, "shops", services.Verify)
		h.update(t, func(tx *db.Tx) error { return services.DropRealm(tx, "shops") })
		h.wantRights(t, shop, services.NotAllowed, services.NotAllowed)
	})
}

func TestARestrictedRealmVerifiesOnlyWhatItsListSays(t *testing.T) {
	for _, realm := range []string{"shops", services.AuthRealm} {
		t.Run(realm, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				shop, office, lab, cellar := h.add(t, "shop", realm), h.add(t, "x", "office"), h.add(t, "x", "lab"), h.add(t, "x", "cellar")
				verdicts := func() string {
					return fmt.Sprint(h.asks(t, shop, h.triple(t, office)), h.asks(t, shop, h.triple(t, lab)), h.asks(t, shop, h.triple(t, cellar)), h.asks(t, shop, h.triple(t, shop)))
				}
				h.setRealm(t, realm, services.Verify, "office", "lab", "office")
				want(t, verdicts(), "ok ok bad_claim bad_claim")
				h.setRealm(t, realm, services.Verify, "cellar")
				want(t, verdicts(), "bad_claim bad_claim ok bad_claim")
				h.setRealm(t, realm, services.Verify)
				want(t, verdicts(), "ok ok ok ok")
				h.setRealm(t, realm, services.Verify, "nowhere")
				want(t, verdicts(), "bad_claim bad_claim bad_claim bad_claim")
				h.update(t, func(tx *db.Tx) error { return services.DropRealm(tx, realm) })
				if realm == services.AuthRealm {
					want(t, verdicts(), "ok ok ok ok")
				} else {
					want(t, verdicts(), "not_allowed not_allowed not_allowed not_allowed")
				}
			})
		})
	}
}

func TestARestrictionBindsNoOtherRealm(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.setRealm(t, "shops", services.Verify, "office")
		lab, other := h.add(t, "x", "lab"), h.add(t, "other", services.AuthRealm)
		want(t, h.asks(t, other, h.triple(t, lab)), services.OK)
		want(t, h.asks(t, h.add(t, "ann", services.AdminRealm), h.triple(t, lab)), services.OK)
	})
}

// Whether the entry exists, and whether the token is right: neither the verdict
// nor what it costs tells, and the entry itself is left alone.
func TestARestrictedCallerCannotTellWhetherAnEntryExists(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.setRealm(t, "shops", services.Verify, "office")
		shop, lab := h.add(t, "shop", "shops"), h.add(t, "x", "lab")
		cost := func(about services.Triple) int {
			return h.writes(t, func() {
				for range 40 {
					want(t, h.asks(t, shop, about), services.BadClaim)
				}
			})["budgets"]
		}
		right, guess := cost(h.triple(t, lab)), cost(services.Triple{Name: "y", Realm: "lab", Token: h.token(t, lab.Seed, 0)})
		if right == 0 || right != guess {
			t.Errorf("one that exists costs %d budgets, one that does not %d", right, guess)
		}
		want(t, h.refusals(t, lab), 0)
		h.wantUse(t, lab, services.Use{})
		other := h.add(t, "other", services.AuthRealm)
		want(t, h.asks(t, other, h.triple(t, lab)), services.OK)
	})
}

func TestRealmsListsTheWiresAndThoseThatAreWrittenDown(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.setRealm(t, "shops", services.Verify, "office", "lab")
		h.setRealm(t, "bosses", services.Administer)
		h.setRealm(t, services.AuthRealm, services.Verify, "office")
		var all []services.Realm
		h.view(t, func(tx *db.Tx) (err error) { all, err = services.Realms(tx); return err })
		if !slices.EqualFunc(all, []services.Realm{
			{Name: services.AdminRealm, Right: services.Administer},
			{Name: services.AuthRealm, Right: services.Verify, Only: []string{"office"}},
			{Name: "bosses", Right: services.Administer},
			{Name: "shops", Right: services.Verify, Only: []string{"lab", "office"}},
		}, func(a, b services.Realm) bool {
			return a.Name == b.Name && a.Right == b.Right && slices.Equal(a.Only, b.Only)
		}) {
			t.Errorf("%+v", all)
		}
	})
}
