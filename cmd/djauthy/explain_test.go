package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplainSaysWhatIsAskedAndWhy(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		b, id := s.person(t)
		explain := func(args ...string) map[string]any {
			t.Helper()
			return object(t, s.must(t, append([]string{"levels", "explain", id}, args...)...))
		}
		fails := func(code int, args ...string) {
			t.Helper()
			if _, errs, got := s.command(append([]string{"levels", "explain"}, args...)...); got != code {
				t.Errorf("%v: exit %d, want %d: %s", args, got, code, errs)
			}
		}
		s.must(t, "permissions", "add", "reports.read")
		s.must(t, "groups", "add", "ops")
		s.must(t, "levels", "set", "strong", "--rank", "20", "--need", "email+totp", "--for-permission", "reports.read")
		x := explain("--permission", "reports.read")
		if x["allowed"] != false || x["level"] != "strong" || fmt.Sprint(x["missing"]) != "[totp]" || x["until"] != nil || fmt.Sprint(x["lacks"]) != "[permission reports.read]" {
			t.Errorf("%v", x)
		}
		if fmt.Sprint(x["rules"]) != "[map[because:permission reports.read level:strong]]" || !strings.Contains(fmt.Sprint(x["have"]), "factor:email") {
			t.Errorf("%v", x)
		}
		s.must(t, "permissions", "grant", "reports.read", "--user", id)
		b.setsUpApp(t, s)
		s.mail.next(t, id)
		sessions := object(t, s.must(t, "users", "show", id, "--json"))["sessions"].([]any)
		number := digitsOf(sessions[0].(map[string]any)["number"])
		if x := explain("--permission", "reports.read", "--session", number); x["allowed"] != true || x["until"] == nil || len(x["missing"].([]any)) != 0 || len(x["have"].([]any)) != 2 {
			t.Errorf("in the session: %v", x)
		}
		if x := explain("--permission", "reports.read"); x["allowed"] != false || fmt.Sprint(x["to_set_up"]) != "[]" {
			t.Errorf("in one that has only just begun: %v", x)
		}
		if x := explain("--group", "OPS"); x["allowed"] != false || x["level"] != "" {
			t.Errorf("of a group: %v", x)
		}
		if x := explain("--action", "account.delete", "--level", "strong"); x["allowed"] != false || x["level"] != "strong" {
			t.Errorf("of an action: %v", x)
		}
		file := filepath.Join(t.TempDir(), "levels.json")
		if err := os.WriteFile(file, []byte(`{"levels":[{"name":"strong","rank":1,"need":[["email"]],"valid":{},"for":{"permissions":["reports.read"],"groups":[],"apps":[],"sites":[],"actions":[]}}]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if x := explain("--permission", "reports.read", "--file", file); x["allowed"] != true {
			t.Errorf("by a file that is not applied: %v", x)
		}
		s.must(t, "users", "deactivate", id)
		if x := explain("--level", "strong"); x["allowed"] != false || fmt.Sprint(x["lacks"]) != "[active]" {
			t.Errorf("of somebody deactivated: %v", x)
		}
		fails(exitUsage, id)
		fails(exitFailed, id, "--permission", "nix")
		fails(exitFailed, id, "--group", "nix")
		fails(exitFailed, id, "--action", "nix")
		fails(exitFailed, id, "--level", "nix")
		fails(exitFailed, id, "--app", "nix")
		fails(exitFailed, id, "--site", "https://nix.example")
		fails(exitFailed, id, "--level", "strong", "--session", "1")
		fails(exitFailed, "nobody@example.org", "--level", "strong")
	})
}

// What explain says of a site is what the proxy is told there.
func TestExplainAgreesWithTheProxyAboutASite(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	const origin = "http://grafana.test"
	b, id := s.person(t)
	s.must(t, "groups", "add", "Ops")
	s.must(t, "levels", "set", "strong", "--need", "email+totp")
	at := visitor{s.browser(t), origin}
	at.enters(t, s, b, "/").want(t, http.StatusFound, origin+"/")
	sessions := object(t, s.must(t, "users", "show", id, "--json"))["sessions"].([]any)
	number := digitsOf(sessions[0].(map[string]any)["number"])
	agree := func(path string, allowed bool) {
		t.Helper()
		x := object(t, s.must(t, "levels", "explain", id, "--site", origin+path, "--session", number))
		if let := at.asks(http.MethodGet, path, nil).status == http.StatusOK; let != allowed || x["allowed"] != allowed {
			t.Errorf("%s: the proxy is told %v, and explain says %v", path, let, x)
		}
	}
	agree("/", true)
	agree("/admin/x", false)
	if x := object(t, s.must(t, "levels", "explain", id, "--site", origin+"/admin/x?y=z")); fmt.Sprint(x["rules"]) != "[map[because:[[site]] "+origin+", for /admin/x level:strong]]" {
		t.Errorf("the reason is %v", x["rules"])
	}
	if shown := s.must(t, "levels", "show", "strong"); !strings.Contains(shown, "[[site]] "+origin+"/admin/*") {
		t.Errorf("what the settings guard by it is missing:\n%s", shown)
	}
	agree("/metrics", true)
	agree("/ops/x", false)
	s.must(t, "groups", "join", "ops", id) // which the settings write in other letters
	agree("/ops/x", true)
	s.must(t, "levels", "set", "group", "--need", "email+totp", "--for-group", "Ops")
	agree("/ops/x", false) // the group by which they are let in is guarded
	agree("/", true)
	s.must(t, "levels", "set", "site", "--need", "email+totp", "--for-site", origin)
	agree("/", false)
	agree("/metrics", true)
}
