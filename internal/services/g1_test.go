package services_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

func (h *house) addApp(t *testing.T, a services.App) (e services.Entry) {
	t.Helper()
	h.update(t, func(tx *db.Tx) (err error) { e, err = h.s.AddApp(tx, a, audit.By{Actor: audit.Command}); return err })
	return e
}

func (h *house) appTriple(t *testing.T, e services.Entry, appuuid string) services.Triple {
	t.Helper()
	show, ok := services.AppTriple(appuuid, h.token(t, e.Seed, 0))
	want(t, ok, true)
	return show
}

func TestATrustedAppVerifiesAndOthersDoNot(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		trusted := h.addApp(t, services.App{Name: "shop", Username: "ann", Trusted: true})
		plain := h.addApp(t, services.App{Name: "printer", Username: "ben"})
		by, claim := h.appTriple(t, trusted, trusted.Name), h.appTriple(t, plain, plain.Name)
		want(t, h.verify(t, from(home, by), &claim), services.OK)
		want(t, h.verify(t, from(home, claim), &by), services.NotAllowed)
		want(t, h.authorize(t, trusted, services.Administer), services.NotAllowed)
		claim.Token = h.wrong(t, plain.Seed)
		want(t, h.verify(t, from(home, by), &claim), services.BadClaim)
	})
}

func TestUUIDsAreComparedWithoutCase(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		app := h.addApp(t, services.App{Name: "shop", Username: "ann", Trusted: true})
		want(t, h.verify(t, from(home, h.appTriple(t, app, strings.ToUpper(app.Name))), nil), services.OK)
		var got services.Entry
		h.view(t, func(tx *db.Tx) (err error) { got, err = h.s.GetApp(tx, strings.ToUpper(app.Name)); return err })
		want(t, got, app)
	})
}

func TestOnlyAUUIDIsAUUID(t *testing.T) {
	const good = "0d1f3c7e-3f0a-4f6e-9d55-3a2b1c0d9e8f"
	if got, ok := services.UUID(strings.ToUpper(good)); !ok || got != good {
		t.Errorf("%s, %v", got, ok)
	}
	for _, bad := range []string{"", "shop", good[1:], good + "0", "{" + good + "}", "urn:uuid:" + good, strings.ReplaceAll(good, "-", ""), " " + good, strings.Replace(good, "0", "g", 1)} {
		if got, ok := services.UUID(bad); ok {
			t.Errorf("%q is %s", bad, got)
		}
		if _, ok := services.AppTriple(bad, "000000"); ok {
			t.Errorf("%q makes a triple", bad)
		}
	}
}

func TestAppsAndTriplesAreNotMixedUp(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		app := h.addApp(t, services.App{Name: "shop", Username: "ann"})
		twin := h.add(t, app.Name, "office") // a triple may have a UUID for a name
		h.view(t, func(tx *db.Tx) error {
			if _, err := h.s.Get(tx, app.ID); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("an app is got as a triple: %v", err)
			}
			if e, err := h.s.GetApp(tx, app.Name); err != nil || e.ID != app.ID {
				t.Errorf("the app of the UUID is %+v, %v", e, err)
			}
			if e, err := h.s.Find(tx, app.Name, "office"); err != nil || e.ID != twin.ID {
				t.Errorf("the triple is %+v, %v", e, err)
			}
			for _, appuuid := range []string{"shop", "0d1f3c7e-3f0a-4f6e-9d55-3a2b1c0d9e8f"} {
				if _, err := h.s.GetApp(tx, appuuid); !errors.Is(err, db.ErrNotFound) {
					t.Errorf("app %s: %v", appuuid, err)
				}
			}
			return nil
		})
	})
}

func appNames(all []services.Entry) (names []string) {
	for _, e := range all {
		names = append(names, e.App.Name)
	}
	return names
}

func TestAppsAreListedByTheirUsername(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		for _, a := range []services.App{{Name: "c", Username: "ann"}, {Name: "b", Username: "ben"}, {Name: "a", Username: "ann"}} {
			h.addApp(t, a)
		}
		h.add(t, "triple", "office")
		for username, names := range map[string][]string{"ann": {"c", "a"}, "ben": {"b"}, "nobody": nil, "": nil} {
			var all []services.Entry
			h.view(t, func(tx *db.Tx) (err error) { all, err = h.s.Apps(tx, username); return err })
			if got := appNames(all); !slices.Equal(got, names) {
				t.Errorf("apps of %q: %v, want %v", username, got, names)
			}
		}
		for size, pages := range map[int][][]string{2: {{"c", "b"}, {"a"}}, 3: {{"c", "b", "a"}, nil}} {
			after := services.ID(0)
			for _, names := range pages {
				all, err := h.s.Operator(audit.By{Actor: audit.Command}).Apps(t.Context(), after, size)
				check(t, err)
				if got := appNames(all); !slices.Equal(got, names) {
					t.Errorf("apps after %d: %v, want %v", after, got, names)
				}
				if len(all) > 0 {
					after = all[len(all)-1].ID
				}
			}
		}
	})
}

func TestAUsernameHasAThousandAppsAtMost(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.update(t, func(tx *db.Tx) error {
			for range services.MaxApps {
				if _, err := h.s.AddApp(tx, services.App{Name: "till", Username: "ann"}, audit.By{Actor: audit.Command}); err != nil {
					return err
				}
			}
			return nil
		})
		err := h.d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := h.s.AddApp(tx, services.App{Name: "till", Username: "ann"}, audit.By{Actor: audit.Command})
			return err
		})
		if !errors.Is(err, services.ErrTooMany) {
			t.Errorf("one more: %v", err)
		}
		h.addApp(t, services.App{Name: "till", Username: "ben"})
	})
}

func TestOnlyATrustedAppRegistersForOthers(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		trusted := h.addApp(t, services.App{Name: "shop", Username: "ann", Trusted: true})
		plain := h.addApp(t, services.App{Name: "printer", Username: "ben"})
		register := func(by services.Entry, username string) error {
			e, v, err := h.s.RegisterApp(t.Context(), from(home, h.appTriple(t, by, by.Name)), services.App{Name: "new", Username: username})
			want(t, v, services.OK)
			if err == nil && (e.App.Trusted || e.App.Username != username) {
				t.Errorf("%+v", e)
			}
			return err
		}
		check(t, register(trusted, "carl"))
		check(t, register(plain, "ben"))
		for username, refused := range map[string]error{"ann": services.ErrForeign, "Ben": services.ErrForeign, "": services.ErrText} {
			if err := register(plain, username); !errors.Is(err, refused) {
				t.Errorf("for %q: %v", username, err)
			}
		}
		if err := register(trusted, ""); !errors.Is(err, services.ErrText) {
			t.Errorf("for nobody: %v", err)
		}
	})
}

func TestAnAppRotatesAsATripleDoes(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		app := h.addApp(t, services.App{Name: "shop", Username: "ann", Trusted: true})
		fresh := app
		fresh.Seed = h.rotate(t, app, 0)
		want(t, h.calls(t, app, home), services.BadCaller)
		want(t, h.calls(t, fresh, home), services.OK)
	})
}
