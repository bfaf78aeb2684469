package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/internal/services"
)

var seedForm = regexp.MustCompile(`^[A-Z2-7]{32}$`)

// service is a client of the site with the triple that a command printed.
func (s *site) service(t testing.TB, printed string) *otp.Client {
	t.Helper()
	var x tripleJSON
	if err := json.Unmarshal([]byte(printed), &x); err != nil {
		t.Fatalf("no triple: %v\n%s", err, printed)
	}
	return &otp.Client{Name: x.Name, Realm: x.Realm, Seed: x.Seed, Server: s.public.String() + "/ungleichotp/"}
}

// addService makes a triple by command.
func (s *site) addService(t testing.TB, name, realm string, more ...string) *otp.Client {
	t.Helper()
	return s.service(t, s.must(t, append([]string{"services", "add", "--name", name, "--realm", realm}, more...)...))
}

// asks has one service ask about the token that another shows now.
func asks(t testing.TB, by, about *otp.Client) error {
	t.Helper()
	token, err := about.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return by.Verify(t.Context(), about.Name, about.Realm, token)
}

func wantAnswer(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func keysOf(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// list runs a command that prints a JSON list.
func (s *site) list(t testing.TB, args ...string) (all []map[string]any) {
	t.Helper()
	out := s.must(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &all); err != nil || all == nil {
		t.Fatalf("%v prints no list: %v\n%s", args, err, out)
	}
	return all
}

func TestServicesAddPrintsATripleAndNothingElse(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		for name, more := range map[string][]string{"plain": nil, "json": {"--json"}, "ends": {"--expires", "720h"}} {
			got := object(t, s.must(t, append([]string{"services", "add", "--name", name, "--realm", "office"}, more...)...))
			if !slices.Equal(keysOf(got), []string{"name", "realm", "seed"}) || got["name"] != name || got["realm"] != "office" || !seedForm.MatchString(got["seed"].(string)) {
				t.Errorf("%s: %v", name, got)
			}
		}
		if out, errs, code := s.command("services", "add", "--name", "plain", "--realm", "office"); code != exitFailed || out != "" || !strings.Contains(errs, "rotate") {
			t.Errorf("one that is there: exit %d, %s%s", code, out, errs)
		}
		if n := len(s.list(t, "services", "list")); n != 3 {
			t.Errorf("%d triples, want 3", n)
		}
	})
}

func TestServicesCommandsTellWhatIsWrongWithTheirArguments(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.addService(t, "shop", "office")
	for _, args := range [][]string{
		{"add"},
		{"add", "--name", "x"},
		{"add", "--realm", "x"},
		{"add", "--name", "", "--realm", "x"},
		{"add", "--name", " x", "--realm", "y"},
		{"add", "--name", strings.Repeat("x", 129), "--realm", "y"},
		{"add", "--name", "x", "--realm", "y", "--expires", "2001-01-31"},
		{"add", "--name", "x", "--realm", "y", "--expires", "soon"},
		{"add", "--name", "x", "--realm", "y", "--expires", "-1h"},
		{"expire", "--name", "shop", "--realm", "office"},
		{"expire", "--name", "shop", "--realm", "office", "--at", "yesterday"},
		{"expire", "--name", "shop", "--realm", "office", "--at", ""},
		{"rotate", "--name", "shop", "--realm", "office", "--keep", "-1h"},
		{"rotate", "--name", "shop", "--realm", "office", "--keep", "long"},
		{"rotate", "--name", "shop", "--realm", "office", "--keep", "99999999d"},
		{"realms", "set", "office"},
		{"realms", "set", "office", "--may", "fly"},
		{"realms", "set", " office", "--may", "verify"},
		{"realms", "set", services.AdminRealm, "--may", "nothing"},
		{"realms", "set", services.AuthRealm, "--may", "administer"},
		{"add-app", "--username", "ann"},
		{"add-app", "--username", " ann", "--appname", "shop"},
		{"import"},
		{"show"},
		{"delete"},
		{"nonsense"},
	} {
		out, errs, code := s.command(append([]string{"services"}, args...)...)
		if code != exitUsage || out != "" || errs == "" {
			t.Errorf("services %v: exit %d, %q, %q", args, code, out, errs)
		}
	}
	if n := len(s.list(t, "services", "list")); n != 1 {
		t.Errorf("%d triples, want 1", n)
	}
}

func TestAMistakeInACommandNamesItsOwnHelp(t *testing.T) {
	t.Parallel()
	s := start(t)
	for want, args := range map[string][]string{
		"Try: djauthy services add --help":  {"services", "add", "--name", "x"},
		"Try: djauthy services --help":      {"services", "nonsense"},
		"Try: djauthy --help":               {"nonsense"},
		"Try: djauthy services show --help": {"services", "show", "--colour"},
		// not "realms set <realm>", which a shell would take for a file
		"Try: djauthy services realms set --help": {"services", "realms", "set", "office"},
	} {
		if _, errs, code := s.command(args...); code != exitUsage || !strings.Contains(errs, want+"\n") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}

// Settings that come from a program, as of secrets, can be read once.
func TestSettingsAreReadOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "djauthy.db")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := fmt.Fprintf(w, "database = %q\n", "sqlite:"+path); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	out, errs, code := (&site{}).command("migrate", "--config", fmt.Sprintf("/dev/fd/%d", r.Fd()))
	if _, err := os.Stat(path); err != nil || code != exitOK {
		t.Errorf("exit %d, %v\n%s%s", code, err, out, errs)
	}
}

func TestServicesCommandsNameWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, args := range [][]string{{"show"}, {"rotate"}, {"delete"}, {"expire", "--at", "never"}} {
		args = append(append([]string{"services"}, args...), "--name", "nobody", "--realm", "nowhere")
		out, errs, code := s.command(args...)
		if code != exitFailed || out != "" || !strings.Contains(errs, "nobody") || !strings.Contains(errs, "nowhere") || !strings.Contains(errs, "services list") {
			t.Errorf("%v: exit %d, %s%s", args, code, out, errs)
		}
	}
}

func TestServicesListAndShowHideSeeds(t *testing.T) {
	t.Parallel()
	s := start(t)
	seeds := []string{s.addService(t, "shop", services.AuthRealm).Seed, s.addService(t, "printer", "office", "--expires", "2099-01-31").Seed}
	app := object(t, s.must(t, "services", "add-app", "--username", "ann", "--appname", "app"))
	seeds = append(seeds, app["seed"].(string))
	for _, args := range [][]string{
		{"list"},
		{"list", "--json"},
		{"list", "--realm", "office"},
		{"show", "--name", "printer", "--realm", "office"},
		{"show", "--name", "printer", "--realm", "office", "--json"},
		{"apps"},
		{"apps", "--json"},
	} {
		out := s.must(t, append([]string{"services"}, args...)...)
		for _, seed := range seeds {
			if strings.Contains(out, seed) {
				t.Errorf("services %v shows a seed:\n%s", args, out)
			}
		}
	}
	if out := s.must(t, "services", "list"); !strings.HasPrefix(out, "ID") || !strings.Contains(out, "shop") || !strings.Contains(out, "2099-01-31") || strings.Contains(out, app["appuuid"].(string)) {
		t.Errorf("services list:\n%s", out)
	}
	all := s.list(t, "services", "list", "--realm", "office")
	if len(all) != 1 || all[0]["name"] != "printer" || all[0]["id"] != 2.0 || all[0]["last_used_at"] != nil {
		t.Errorf("of the realm office: %v", all)
	}
}

func TestServicesShowTellsTheLastUseAndTheHistory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		shop, printer := s.addService(t, "shop", services.AuthRealm), s.addService(t, "printer", "office")
		wantAnswer(t, "a right token", asks(t, shop, printer), nil)
		show := func() map[string]any {
			return object(t, s.must(t, "services", "show", "--name", "printer", "--realm", "office", "--json"))
		}
		s.await(t, "the use is written down", func() bool { return show()["last_used_at"] != nil })
		if got := show(); got["last_result"] != "ok" || got["last_caller"] != "shop in ungleich-auth" || got["last_network"] == "" {
			t.Errorf("after a right token: %v", got)
		}
		wantAnswer(t, "a wrong token", shop.Verify(t.Context(), "printer", "office", "x"), otp.ErrRefused)
		got := show()
		history, _ := got["history"].([]any)
		if got["last_result"] != "wrong token" || len(history) != 2 || history[0].(map[string]any)["event"] != "refused" || history[0].(map[string]any)["detail"] != "asked by shop in ungleich-auth" {
			t.Errorf("after a wrong token: %v", got)
		}
		if out := s.must(t, "services", "show", "--name", "printer", "--realm", "office"); !strings.Contains(out, "wrong token") || !strings.Contains(out, "added") {
			t.Errorf("services show:\n%s", out)
		}
		s.must(t, "services", "delete", "--name", "shop", "--realm", services.AuthRealm)
		if got := show(); got["last_caller"] != "removed" {
			t.Errorf("once the caller is removed: %v", got["last_caller"])
		}
	})
}

func TestARotatedSeedIsGoodAtOnceAndTheOldOneAsLongAsItIsKept(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		old := s.addService(t, "shop", services.AuthRealm)
		out := s.must(t, "services", "rotate", "--name", "shop", "--realm", services.AuthRealm, "--keep", "1d")
		fresh := s.service(t, out)
		got := object(t, out)
		until, err := time.Parse(time.RFC3339, got["old_seed_until"].(string))
		if err != nil || time.Until(until) < 23*time.Hour || time.Until(until) > 25*time.Hour || !seedForm.MatchString(fresh.Seed) || fresh.Seed == old.Seed {
			t.Errorf("services rotate prints %v", got)
		}
		wantAnswer(t, "the old seed", asks(t, old, old), nil)
		wantAnswer(t, "the new seed", asks(t, fresh, fresh), nil)
		last := s.service(t, s.must(t, "services", "rotate", "--name", "shop", "--realm", services.AuthRealm, "--keep", "0"))
		wantAnswer(t, "a seed that is not kept", asks(t, fresh, fresh), otp.ErrCredentials)
		wantAnswer(t, "the oldest seed", asks(t, old, old), otp.ErrCredentials)
		wantAnswer(t, "the newest seed", asks(t, last, last), nil)
	})
}

func TestTheRunningServerKnowsWhenAServiceExpires(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		shop := s.addService(t, "shop", services.AuthRealm)
		expire := func(at string, more ...string) string {
			return s.must(t, append([]string{"services", "expire", "--name", "shop", "--realm", services.AuthRealm, "--at", at}, more...)...)
		}
		if out := expire("2099-01-31"); !strings.Contains(out, "ends: 2099-01-31 00:00") {
			t.Errorf("%s", out)
		}
		if got := object(t, expire("1h", "--json")); got["expires_at"] == nil || got["seed"] != nil {
			t.Errorf("%v", got)
		}
		wantAnswer(t, "before its end", asks(t, shop, shop), nil)
		s.clock.advance(61 * time.Minute)
		shop.Now = s.clock.Now
		wantAnswer(t, "after its end", asks(t, shop, shop), otp.ErrCredentials)
		if out := expire("never"); !strings.Contains(out, "ends: never") {
			t.Errorf("%s", out)
		}
		wantAnswer(t, "without an end", asks(t, shop, shop), nil)
		expire("now")
		wantAnswer(t, "ended now", asks(t, shop, shop), otp.ErrCredentials)
	})
}

func TestADeletedServiceIsUnknownToTheRunningServer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		shop, printer := s.addService(t, "shop", services.AuthRealm), s.addService(t, "printer", "office")
		wantAnswer(t, "before", asks(t, shop, printer), nil)
		if got := object(t, s.must(t, "services", "delete", "--name", "printer", "--realm", "office", "--json")); got["deleted"] != "printer" {
			t.Errorf("%v", got)
		}
		wantAnswer(t, "about it", asks(t, shop, printer), otp.ErrRefused)
		s.must(t, "services", "delete", "--name", "shop", "--realm", services.AuthRealm)
		wantAnswer(t, "by it", asks(t, shop, shop), otp.ErrCredentials)
	})
}

func TestTheRunningServerKnowsWhatARealmMay(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		shop, office, lab := s.addService(t, "shop", "shops"), s.addService(t, "x", "office"), s.addService(t, "x", "lab")
		wantAnswer(t, "a realm of no rights", asks(t, shop, office), otp.ErrRefused)
		set := func(args ...string) string {
			return s.must(t, append([]string{"services", "realms", "set", "shops", "--may"}, args...)...)
		}
		if out := set("verify"); !strings.Contains(out, "shops may verify") {
			t.Errorf("%s", out)
		}
		wantAnswer(t, "one that may verify", asks(t, shop, lab), nil)
		if got := object(t, set("verify", "--only", "office,cellar", "--json")); got["realm"] != "shops" || got["may"] != "verify" || len(got["only"].([]any)) != 2 {
			t.Errorf("%v", got)
		}
		wantAnswer(t, "whom it may ask about", asks(t, shop, office), nil)
		wantAnswer(t, "whom it may not", asks(t, shop, lab), otp.ErrRefused)
		all := s.list(t, "services", "realms", "list")
		if len(all) != 3 || all[0]["realm"] != services.AdminRealm || all[0]["may"] != "administer" || all[1]["may"] != "verify" || all[2]["realm"] != "shops" || len(all[2]["only"].([]any)) != 2 {
			t.Errorf("%v", all)
		}
		if out := s.must(t, "services", "realms", "list"); !strings.HasPrefix(out, "REALM") || !strings.Contains(out, "cellar, office") {
			t.Errorf("%s", out)
		}
		if _, errs, code := s.command("services", "realms", "set", "shops", "--may", "verify", "--only", ""); code != exitUsage {
			t.Errorf("a list that is empty, as of a variable that is not set, is taken: exit %d %s", code, errs)
		}
		set("administer")
		if _, err := shop.List(t.Context()); err != nil {
			t.Errorf("one that may administer: %v", err)
		}
		s.must(t, "services", "realms", "drop", "shops")
		wantAnswer(t, "a realm that was dropped", asks(t, shop, office), otp.ErrRefused)
		for _, realm := range []string{"shops", services.AdminRealm, "nowhere"} {
			if out, errs, code := s.command("services", "realms", "drop", realm); code != exitFailed || out != "" || !strings.Contains(errs, "nothing is set") {
				t.Errorf("dropping what is not set: exit %d, %s%s", code, out, errs)
			}
		}
	})
}

func TestAppsAreMadeAndListedByCommand(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		shop := object(t, s.must(t, "services", "add-app", "--username", "ann", "--appname", "shop", "--trusted"))
		printer := object(t, s.must(t, "services", "add-app", "--username", "ben", "--appname", "printer", "--json"))
		uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
		for _, x := range []map[string]any{shop, printer} {
			if !uuid.MatchString(x["appuuid"].(string)) || !seedForm.MatchString(x["seed"].(string)) {
				t.Errorf("%v", x)
			}
		}
		if shop["trusted"] != true || printer["trusted"] != false || shop["username"] != "ann" || shop["appname"] != "shop" {
			t.Errorf("%v %v", shop, printer)
		}
		all := s.list(t, "services", "apps")
		if len(all) != 2 || all[0]["appuuid"] != shop["appuuid"] || all[1]["appname"] != "printer" || all[0]["seed"] != nil {
			t.Errorf("%v", all)
		}
		if out := s.must(t, "services", "apps"); !strings.HasPrefix(out, "APPUUID") || !strings.Contains(out, "trusted") {
			t.Errorf("%s", out)
		}
	})
}

func TestCreatesuperuserPrintsATripleThatAdministersAndKeepsIt(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		id := anID()
		first := s.must(t, "createsuperuser", "--name", "root", "--email", id)
		if got := object(t, first); !slices.Equal(keysOf(got), []string{"id", "name", "realm", "seed", "username"}) || got["name"] != "root" || got["username"] != "root" || got["realm"] != services.AdminRealm || !seedForm.MatchString(got["seed"].(string)) {
			t.Errorf("%v", got)
		}
		for _, more := range [][]string{nil, {"--json"}, {"--email", id}} {
			again, told, code := s.command(append([]string{"createsuperuser", "--name", "root"}, more...)...)
			if again != first || code != exitOK || !strings.Contains(told, "root in ungleich-admin was here already") {
				t.Errorf("with %v: exit %d, %s, want %s; told %s", more, code, again, first, told)
			}
		}
		s.must(t, "services", "expire", "--name", "root", "--realm", services.AdminRealm, "--at", "now")
		if _, told, code := s.command("createsuperuser", "--name", "root"); code != exitOK || !strings.Contains(told, "has ended") || !strings.Contains(told, "services expire --name root --realm ungleich-admin --at never") {
			t.Errorf("a triple that has ended: exit %d, %s", code, told)
		}
		s.must(t, "services", "expire", "--name", "root", "--realm", services.AdminRealm, "--at", "never")
		root := s.service(t, first)
		if all, err := root.List(t.Context()); err != nil || len(all) != 1 || all[0].Seed != root.Seed {
			t.Errorf("it lists %v, %v", all, err)
		}
	})
}
