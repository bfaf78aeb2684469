package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// object parses the JSON that a command printed.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("no JSON object: %v\n%s", err, text)
	}
	return m
}

func TestUsersCommandsWorkBesideARunningServer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		id := anID()
		added := object(t, s.must(t, "users", "add", id, "--json"))
		name, _ := added["username"].(string)
		number, isText := added["id"].(string)
		if name == "" || !isText || number == "" {
			t.Errorf("users add prints username %v and id %v (%T), want texts", added["username"], added["id"], added["id"])
		}
		s.must(t, "users", "add", id) // already so
		for _, who := range []string{id, strings.ToUpper(id), name, number} {
			if who == "" {
				continue
			}
			if got := object(t, s.must(t, "users", "show", who, "--json")); got["username"] != name {
				t.Errorf("users show %s shows %v", who, got["username"])
			}
		}
		var list []map[string]any
		if err := json.Unmarshal([]byte(s.must(t, "--json", "users", "list")), &list); err != nil || len(list) != 1 {
			t.Errorf("users list: %v %v", list, err)
		}
		if out := s.must(t, "users", "list"); !strings.HasPrefix(out, "USERNAME") || !strings.Contains(out, name) || !strings.Contains(out, "invited") {
			t.Errorf("users list prints no table:\n%s", out)
		}
		is := func(key string, want bool, args ...string) {
			t.Helper()
			if got := object(t, s.must(t, append(args, id, "--json")...)); got[key] != want {
				t.Errorf("%v: %s is %v, want %v", args, key, got[key], want)
			}
		}
		b := s.browser(t)
		b.signIn(id)
		is("is_superuser", true, "users", "promote")
		is("is_superuser", true, "users", "promote")
		if page := b.get("/account"); !strings.Contains(page.body, "Administrator") {
			t.Error("the running server does not know of the promotion")
		}
		is("is_superuser", false, "users", "demote", "--force")
		is("is_active", false, "users", "deactivate")
		if b.in() {
			t.Error("the running server does not know of the deactivation")
		}
		if _, errs, code := s.command("users", "link", id); code != exitFailed || !strings.Contains(errs, "activate") {
			t.Errorf("a link for a deactivated user: exit %d, %s", code, errs)
		}
		is("is_active", true, "users", "activate")
		is("is_active", true, "users", "activate")
		if link := object(t, s.must(t, "users", "link", id, "--json")); !strings.HasPrefix(link["url"].(string), s.public.String()+"/login/link/") {
			t.Errorf("users link prints %v", link)
		}
		x := object(t, s.must(t, "users", "export", id))
		user, _ := x["user"].(map[string]any)
		if _, ok := user["id"].(string); !ok || x["accounts"] == nil || x["history"] == nil {
			t.Errorf("export: user.id is %T, keys %v", user["id"], x)
		}
		s.must(t, "users", "delete", id)
		for _, verb := range []string{"show", "activate", "deactivate", "promote", "demote", "link", "export", "delete"} {
			if out, errs, code := s.command("users", verb, id); code != exitFailed || out != "" || !strings.Contains(errs, id) {
				t.Errorf("users %s of nobody: exit %d, %s%s", verb, code, out, errs)
			}
		}
	})
}

func TestCreatesuperuserPrintsUsernameAndIDAsJSON(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		id := anID()
		for _, args := range [][]string{{"createsuperuser", "--name", "root", "--email", id}, {"createsuperuser", "--name", "root", "--email", id, "--json"}, {"createsuperuser", "--name", "root"}} {
			got := object(t, s.must(t, args...))
			if _, isText := got["id"].(string); got["username"] != "root" || !isText {
				t.Errorf("%v prints %v", args, got)
			}
		}
		b := s.browser(t)
		b.signIn(id)
		if s.userOf(t, b) != "root" || !strings.Contains(b.get("/account").body, "Administrator") {
			t.Error("who signs in with the address is no superuser")
		}
		if _, errs, code := s.command("createsuperuser", "--name", "root", "--email", anID()); code != exitFailed || !strings.Contains(errs, "taken") {
			t.Errorf("a name that is taken: exit %d, %s", code, errs)
		}
		for _, bad := range [][]string{{"createsuperuser"}, {"createsuperuser", "--name", "a b"}, {"createsuperuser", "--name", "x", "--email", "nobody"}} {
			if _, errs, code := s.command(bad...); code != exitUsage || errs == "" {
				t.Errorf("%v: exit %d, want 2: %s", bad, code, errs)
			}
		}
	})
}

func TestExitCodesTellUsageFromFailure(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitUsage, []string{"nonsense"}},
		{exitUsage, []string{"users"}},
		{exitUsage, []string{"users", "show"}},
		{exitUsage, []string{"users", "add", "not an address"}},
		{exitUsage, []string{"--nonsense"}},
		{exitUsage, []string{"users", "list", "extra"}},
		{exitFailed, []string{"users", "show", "nobody@people.example"}},
		{exitFailed, []string{"config", "--config", "/nowhere"}},
		{exitOK, []string{"--help"}},
		{exitOK, []string{"users", "--help"}},
		{exitOK, []string{"help"}},
		{exitOK, []string{"help", "levels", "set"}},
		{exitUsage, []string{"help", "nix"}},
		{exitOK, []string{"version"}},
		{exitOK, []string{"health"}},
		{exitOK, []string{"sweep"}},
		{exitOK, []string{"keys", "list"}},
		{exitOK, []string{"config"}},
		{exitOK, []string{"migrate"}},
		{exitOK, []string{"migrate", "--pending"}},
		{exitOK, []string{"check"}},
	} {
		out, errs, code := s.command(c.args...)
		if code != c.code {
			t.Errorf("djauthy %s: exit %d, want %d\n%s%s", strings.Join(c.args, " "), code, c.code, out, errs)
		}
		if code == exitOK && (out == "" || errs != "") {
			t.Errorf("djauthy %s prints %q, and %q on standard error", strings.Join(c.args, " "), out, errs)
		}
		if code != exitOK && errs == "" {
			t.Errorf("djauthy %s fails without a word", strings.Join(c.args, " "))
		}
	}
}

func TestWithJSONEveryCommandPrintsJSON(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, args := range [][]string{{"users", "list"}, {"check"}, {"sweep"}, {"keys", "list"}, {"config"}, {"version"}, {"health"}, {"migrate"}, {"migrate", "--pending"}} {
		out := s.must(t, append(args, "--json")...)
		if !json.Valid([]byte(out)) {
			t.Errorf("%v --json prints no JSON: %s", args, out)
		}
		if strings.Contains(out, testKey) {
			t.Errorf("%v shows the secret key", args)
		}
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	t.Parallel()
	environ := []string{"DJAUTHY_DATABASE=postgres://user:dbpassword@db.example/x", "DJAUTHY_SECRET_KEY=" + testKey, "DJAUTHY_EMAIL_PASSWORD=mailpassword", "DJAUTHY_EMAIL_HOST=mail.example"}
	for _, args := range [][]string{{"config"}, {"config", "--json"}} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), args, nil, &out, &errs, environ); code != exitOK {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		for _, secret := range []string{"dbpassword", testKey, "mailpassword"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%v shows %s", args, secret)
			}
		}
		if !strings.Contains(out.String(), "mail.example") || !strings.Contains(out.String(), "(hidden)") {
			t.Errorf("%v: %s", args, out.String())
		}
	}
}

func TestHealthFailsWithoutAServer(t *testing.T) {
	t.Parallel()
	s := shared(t)
	var out, errs bytes.Buffer
	environ := append(s.environ, "DJAUTHY_LISTEN=127.0.0.1:"+freePort())
	if code := run(context.Background(), []string{"health"}, nil, &out, &errs, environ); code != exitFailed || !strings.Contains(errs.String(), "does not answer") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func TestCheckSendsATestMessage(t *testing.T) {
	t.Parallel()
	s := shared(t)
	id := anID()
	out := s.must(t, "check", "--send", id)
	if l := s.mail.next(t, id); l.subject == "" || !strings.Contains(out, "ok") {
		t.Errorf("no test message: %s", out)
	}
	if _, errs, code := s.command("check", "--send", "refused@people.example"); code != exitFailed || !strings.Contains(errs, "1 of") {
		t.Errorf("a refused test message: exit %d %s", code, errs)
	}
	if _, _, code := s.command("check", "--send", "nobody"); code == exitOK {
		t.Error("an id that is none is ok")
	}
}

func TestSweepRemovesWhatIsOverAndNothingElse(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, _ := s.person(t)
	invited := anIDOf(t, s)
	s.browser(t).ask(anID())
	counts := object(t, s.must(t, "sweep", "--json"))
	if len(counts) == 0 {
		t.Error("sweep counts nothing")
	}
	if !p.in() {
		t.Error("the sweeper took a session")
	}
	s.must(t, "users", "show", invited)
	if n := s.count(t, `SELECT count(*) FROM attempts WHERE length(codes) > 0`); n != 2 {
		t.Errorf("%d attempts with codes are left, want the 2 that are young", n)
	}
}

func TestUsersAddIsQuickWhileManySignIn(t *testing.T) {
	s := start(t)
	var ended atomic.Bool
	var signedIn atomic.Int64
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for !ended.Load() {
				b, id := s.browser(t), anID()
				if _, cookies, err := b.try(http.MethodPost, "/login", formKind, strings.NewReader(form("id", id)), nil); err == nil {
					for _, c := range cookies {
						b.cookies[c.Name] = c.Value
					}
					if l, err := s.mail.take(id); err == nil {
						if a, _, err := b.try(http.MethodPost, "/login/code", formKind, strings.NewReader(form("auth_code", l.code())), nil); err == nil && a.status == http.StatusSeeOther {
							signedIn.Add(1)
						}
					}
				}
				b.client.CloseIdleConnections()
			}
		})
	}
	s.await(t, "people sign in", func() bool { return signedIn.Load() > 20 })
	var all []time.Duration
	for range 10 {
		before := time.Now()
		s.must(t, "users", "add", anID())
		all = append(all, time.Since(before))
	}
	ended.Store(true)
	load.Wait()
	t.Logf("users add beside %d sign-ins: median %s", signedIn.Load(), median(all))
	if median(all) > 2*time.Second {
		t.Errorf("users add took %s", all)
	}
}
