package services_test

import (
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
	"github.com/djauthy/djauthy/internal/totp"
)

func (h *house) addNumber(t *testing.T, name string, id services.ID) services.Entry {
	t.Helper()
	e, err := h.tryAdd(t, services.Draft{Name: name, Realm: "office", ID: id})
	check(t, err)
	return e
}

func (h *house) delete(t *testing.T, e services.Entry) {
	t.Helper()
	h.update(t, func(tx *db.Tx) error { return h.s.Delete(tx, e.ID, audit.By{Actor: audit.Command}) })
}

func TestNumbersCountUpFromOneAndAreNeverGivenTwice(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		want(t, h.add(t, "a", "office").ID, 1)
		b := h.add(t, "b", "office")
		want(t, b.ID, 2)
		h.delete(t, b)
		want(t, h.add(t, "b", "office").ID, 3)
		want(t, h.addNumber(t, "brought", 10).ID, 10)
		want(t, h.add(t, "c", "office").ID, 11)
		want(t, h.addNumber(t, "brought lower", 5).ID, 5)
		want(t, h.add(t, "d", "office").ID, 12)
		brought := h.addNumber(t, "brought higher", 20)
		h.delete(t, brought)
		want(t, h.add(t, "e", "office").ID, 21)
	})
}

func TestANumberThatIsBroughtFirstIsCountedOn(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		want(t, h.addNumber(t, "brought", 7).ID, 7)
		want(t, h.add(t, "a", "office").ID, 8)
	})
}

func TestManyAtOnceGetANumberEach(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		atOnce(t, 20, func(i int) (services.Verdict, error) {
			return services.OK, h.d.Update(t.Context(), func(tx *db.Tx) error {
				_, err := h.s.Add(tx, services.Draft{Name: strings.Repeat("x", i+1), Realm: "office"}, audit.By{Actor: audit.Command})
				return err
			})
		})
		want(t, h.count(t, `SELECT count(DISTINCT id) FROM services`), 20)
		want(t, h.count(t, `SELECT max(id) FROM services`), 20)
	})
}

// The highest number there is must not be the last.
func TestAHugeNumberThatIsBroughtDoesNotEndTheCount(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		if _, err := h.tryAdd(t, services.Draft{Name: "brought", Realm: "office", ID: math.MaxInt64}); err != nil {
			return // refused is as good
		}
		if e, err := h.tryAdd(t, services.Draft{Name: "next", Realm: "office"}); err != nil || e.ID < 1 {
			t.Errorf("after it the next is %d, %v", e.ID, err)
		}
	})
}

func TestANameIsTakenOnceInARealm(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.add(t, "shop", "office")
		if _, err := h.tryAdd(t, services.Draft{Name: "shop", Realm: "office"}); !errors.Is(err, services.ErrTaken) {
			t.Errorf("the same again: %v", err)
		}
		h.add(t, "shop", "lab")
		h.add(t, "Shop", "office")
		want(t, h.add(t, "next", "office").ID, 4) // a refused one takes no number
	})
}

func TestTextsAreBoundedInCharactersNotBytes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.add(t, strings.Repeat("ü", services.MaxText), strings.Repeat("世", services.MaxText))
		h.add(t, "two words", `quote " and \`)
		for _, bad := range []string{"", " ", " a", "a\n", "a\x00b", "a\xff", strings.Repeat("a", services.MaxText+1), "a\u00a0"} {
			for _, d := range []services.Draft{{Name: bad, Realm: "office"}, {Name: "shop", Realm: bad}} {
				if _, err := h.tryAdd(t, d); !errors.Is(err, services.ErrText) {
					t.Errorf("%q in %q: %v", d.Name, d.Realm, err)
				}
			}
		}
		if _, err := h.tryAdd(t, services.Draft{Name: "shop", Realm: "office", Seed: "no seed!"}); !errors.Is(err, totp.ErrSeed) {
			t.Errorf("a seed that is none: %v", err)
		}
		want(t, h.count(t, `SELECT count(*) FROM services`), 2)
	})
}

func TestAnEntryIsFoundAsItWasAdded(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		ends := h.clock.Now().Add(time.Hour)
		made, err := h.tryAdd(t, services.Draft{Name: "shop", Realm: "office", Seed: "mzxw6===", Expires: ends})
		check(t, err)
		for name, find := range map[string]func(tx *db.Tx) (services.Entry, error){
			"Get":  func(tx *db.Tx) (services.Entry, error) { return h.s.Get(tx, made.ID) },
			"Any":  func(tx *db.Tx) (services.Entry, error) { return h.s.Any(tx, made.ID) },
			"Find": func(tx *db.Tx) (services.Entry, error) { return h.s.Find(tx, "shop", "office") },
		} {
			var e services.Entry
			h.view(t, func(tx *db.Tx) (err error) { e, err = find(tx); return err })
			if e != made || e.Seed != "mzxw6===" || !e.Expires.Equal(ends) || !e.Created.Equal(h.clock.Now()) || !e.OldUntil.IsZero() {
				t.Errorf("%s: %+v, want %+v", name, e, made)
			}
		}
	})
}

func TestAListIsInTheOrderOfNumbersPageByPage(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, name := range []string{"c", "a", "b"} {
			h.add(t, name, "office")
		}
		h.addApp(t, services.App{Name: "app", Username: "ann"})
		h.addNumber(t, "d", 9)
		var names []string
		for after := services.ID(0); ; {
			var some []services.Entry
			h.view(t, func(tx *db.Tx) (err error) { some, err = h.s.List(tx, after, 2); return err })
			if len(some) == 0 {
				break
			}
			for _, e := range some {
				names, after = append(names, e.Name), e.ID
			}
		}
		if !slices.Equal(names, []string{"c", "a", "b", "d"}) {
			t.Errorf("%v", names)
		}
	})
}

func (h *house) rename(t *testing.T, e services.Entry, name, realm string) error {
	t.Helper()
	return h.d.Update(t.Context(), func(tx *db.Tx) error { return h.s.Rename(tx, e.ID, name, realm, audit.By{Actor: audit.Command}) })
}

func TestARenamedEntryKeepsItsSeedAndNumber(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		check(t, h.rename(t, shop, shop.Name, shop.Realm)) // to what it is
		check(t, h.rename(t, shop, "store", services.AdminRealm))
		got := h.get(t, shop)
		if got.Name != "store" || got.Realm != services.AdminRealm || got.Seed != shop.Seed {
			t.Errorf("%+v", got)
		}
		want(t, h.calls(t, shop, home), services.BadCaller)
		h.wantRights(t, got, services.OK, services.OK)
		if err := h.rename(t, shop, printer.Name, printer.Realm); !errors.Is(err, services.ErrTaken) {
			t.Errorf("to one that is there: %v", err)
		}
		if err := h.rename(t, shop, "", "office"); !errors.Is(err, services.ErrText) {
			t.Errorf("to nothing: %v", err)
		}
		h.add(t, "shop", services.AuthRealm) // the old name is free
	})
}

func TestADeletedEntryIsGoneAndItsHistoryStays(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		h.written(t)
		h.delete(t, shop)
		want(t, h.calls(t, shop, home), services.BadCaller)
		want(t, h.count(t, `SELECT count(*) FROM service_callers`), 0)
		want(t, h.history(t, shop)[0].Event, audit.ServiceDeleted)
		for name, again := range map[string]func(tx *db.Tx) error{
			"delete": func(tx *db.Tx) error { return h.s.Delete(tx, shop.ID, audit.By{Actor: audit.Command}) },
			"rotate": func(tx *db.Tx) error {
				_, err := h.s.Rotate(tx, shop.ID, tx.Now, audit.By{Actor: audit.Command})
				return err
			},
			"get":  func(tx *db.Tx) error { _, err := h.s.Get(tx, shop.ID); return err },
			"find": func(tx *db.Tx) error { _, err := h.s.Find(tx, shop.Name, shop.Realm); return err },
		} {
			if err := h.d.Update(t.Context(), again); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("%s of what is gone: %v", name, err)
			}
		}
		// A new one of its name does not inherit whom it knew.
		again := h.add(t, shop.Name, shop.Realm)
		wantNetworks(t, h, again)
	})
}

// A use that waits when its entry goes must not bring part of it back.
func TestAUseThatWaitsWhenItsEntryGoesIsForgotten(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		h.calls(t, shop, home)
		h.delete(t, shop)
		h.written(t)
		want(t, h.count(t, `SELECT count(*) FROM service_callers`), 0)
		want(t, h.history(t, shop)[0].Event, audit.ServiceDeleted)
	})
}

func TestHistoryTellsWhatWasDoneToAnEntry(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		check(t, h.rename(t, shop, "store", shop.Realm))
		h.rotate(t, shop, time.Hour)
		h.update(t, func(tx *db.Tx) error {
			return h.s.SetExpiry(tx, shop.ID, tx.Now.Add(time.Hour), audit.By{Actor: audit.Command})
		})
		var told []string
		for _, l := range slices.Backward(h.history(t, shop)) {
			told = append(told, string(l.Event)+": "+l.Detail)
		}
		if !slices.Equal(told, []string{
			"added: shop in ungleich-auth", "changed: store in ungleich-auth", "rotated: old seed until 2030-01-02T04:04:05Z", "changed: expires 2030-01-02T04:04:05Z",
		}) {
			t.Errorf("%q", told)
		}
	})
}

func TestNoTableShowsASeed(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		app := h.addApp(t, services.App{Name: "app", Username: "ann"})
		seeds := []string{shop.Seed, printer.Seed, app.Seed, h.rotate(t, shop, time.Hour), h.token(t, printer.Seed, 0)}
		h.asks(t, printer, h.guess(t, shop))
		h.guesses(t, printer, home)
		h.calls(t, printer, home)
		h.written(t)
		var all string
		for _, rows := range h.dump(t) {
			all += strings.Join(rows, "\n")
		}
		for _, seed := range seeds {
			raw, err := totp.ParseSeed(seed)
			if err == nil && (strings.Contains(all, string(raw)) || strings.Contains(all, hex.EncodeToString(raw))) {
				t.Errorf("the bytes of seed %s are in the database", seed)
			}
			if strings.Contains(all, seed) || strings.Contains(all, hex.EncodeToString([]byte(seed))) {
				t.Errorf("%s is in the database", seed)
			}
		}
		if !strings.Contains(all, "printer") {
			t.Error("the dump shows no names")
		}
	})
}

func TestASealedSeedOpensInItsOwnRowAlone(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, printer := h.addPair(t)
		h.update(t, func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE services SET sealed = (SELECT sealed FROM services WHERE id = $1) WHERE id = $2`, printer.ID, shop.ID)
			return err
		})
		moved := shop
		moved.Seed = printer.Seed
		for _, show := range []services.Entry{shop, moved} {
			if v, err := h.s.Verify(t.Context(), from(home, h.triple(t, show)), nil); err == nil || v != services.BadCaller {
				t.Errorf("verdict %v, %v", v, err)
			}
		}
		if err := h.d.View(t.Context(), func(tx *db.Tx) error { _, err := h.s.Get(tx, shop.ID); return err }); err == nil || strings.Contains(err.Error(), printer.Seed) {
			t.Errorf("a seed of another row: %v", err)
		}
		want(t, h.calls(t, printer, home), services.NotAllowed)
	})
}

func TestHistoryNamesWhoCausedIt(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		admin := h.add(t, "root", services.AdminRealm)
		made, v, err := h.s.Create(t.Context(), from(home, h.triple(t, admin)), services.Key{Name: "till", Realm: "office"})
		if v != services.OK || err != nil {
			t.Fatal(v, err)
		}
		h.verify(t, from(home, services.Triple{Name: made.Name, Realm: made.Realm, Token: "000000"}), nil)
		for _, c := range []struct {
			about services.ID
			event string
			actor string
			id    services.ID
		}{{admin.ID, "added", "command", 0}, {made.ID, "added", "service", admin.ID}} {
			want(t, h.count(t, `SELECT count(*) FROM audit WHERE subject_kind = 'service' AND subject_id = $1 AND event = $2 AND actor_kind = $3 AND actor_id = $4`,
				c.about, c.event, c.actor, c.id), 1)
		}
	})
}
