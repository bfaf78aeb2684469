package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// list parses the list of objects that a command printed.
func list(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("no JSON list: %v\n%s", err, text)
	}
	return all
}

func TestGroupsAndPermissionsCommandsWorkBesideARunningServer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *site) {
		fails := func(code int, says string, args ...string) {
			t.Helper()
			if _, errs, got := s.command(args...); got != code || !strings.Contains(errs, says) {
				t.Errorf("%v: exit %d, %s", args, got, errs)
			}
		}
		id := anID()
		s.browser(t).signIn(id)
		username := object(t, s.must(t, "users", "show", id, "--json"))["username"].(string)
		s.must(t, "groups", "add", "Ops")
		s.must(t, "permissions", "add", "reports.read")
		fails(exitFailed, "does not have", "permissions", "check", "reports.read", id)
		s.must(t, "permissions", "grant", "reports.read", "--group", "ops")
		s.must(t, "groups", "join", "Ops", id)
		s.must(t, "groups", "join", "Ops", id)
		s.must(t, "permissions", "check", "reports.read", id)
		if all := list(t, s.must(t, "groups", "members", "Ops", "--json")); len(all) != 1 || all[0]["username"] != username {
			t.Errorf("members: %v", all)
		}
		if all := list(t, s.must(t, "groups", "list", "--json")); len(all) != 1 || all[0]["name"] != "Ops" || all[0]["members"] != 1.0 {
			t.Errorf("groups: %v", all)
		}
		if all := list(t, s.must(t, "permissions", "list", "--json")); all[len(all)-1]["name"] != "reports.read" || all[len(all)-1]["groups"] != 1.0 {
			t.Errorf("permissions: %v", all)
		}
		if out := s.must(t, "users", "export", id); !strings.Contains(out, `"Ops"`) || !strings.Contains(out, `"reports.read"`) {
			t.Errorf("the export leaves out rights: %s", out)
		}
		s.must(t, "users", "deactivate", id)
		fails(exitFailed, "does not have", "permissions", "check", "reports.read", id)
		s.must(t, "users", "activate", id)
		s.must(t, "groups", "leave", "Ops", id)
		fails(exitFailed, "does not have", "permissions", "check", "reports.read", id)

		fails(exitFailed, "groups list", "groups", "join", "nix", id)
		fails(exitFailed, "users list", "groups", "join", "Ops", id, "nobody@example.org")
		fails(exitFailed, "permissions list", "permissions", "grant", "nix", "--group", "Ops")
		fails(exitFailed, "a group of that name", "groups", "add", "ops")
		fails(exitFailed, "djauthy's own", "permissions", "delete", "djauthy.people.view")
		fails(exitUsage, "--group", "permissions", "grant", "reports.read")
		fails(exitUsage, "", "permissions", "grant", "reports.read", "--group", "Ops", "--user", id)
		s.must(t, "permissions", "revoke", "reports.read", "--group", "Ops")
		s.must(t, "permissions", "delete", "reports.read")
		s.must(t, "groups", "delete", "Ops")
	})
}
